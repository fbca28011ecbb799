"""Tests count in one thread, as slots do: threads of OpenBLAS that wait take a processor each."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported
