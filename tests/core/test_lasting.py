"""What is imported at the start is left out of all collections of garbage."""

import subprocess
import sys

import pytest

LASTS = """
import gc
from mediamill.core.lasting import lasting
collected, before = [], gc.get_freeze_count()
gc.callbacks.append(lambda phase, info: collected.append(phase))
with {block}:
    made = [[] for _ in range(10_000)]
print(len(collected), gc.get_freeze_count() - before > 10_000, gc.isenabled())
"""


@pytest.mark.parametrize(("block", "left_out"), [("lasting()", True), ("open('/dev/null')", False)])
def test_nothing_is_collected_within_nor_looked_at_after(block: str, left_out: bool):
    """In a process of its own, for what is made there would stay; and how it is without."""
    done = subprocess.run(
        [sys.executable, "-c", LASTS.format(block=block)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout.strip() == "0 True True") is left_out, done.stdout


def test_it_goes_on_after_an_error():
    code = (
        "import gc\n"
        "from mediamill.core.lasting import lasting\n"
        "try:\n"
        "    with lasting(): raise ImportError\n"
        "except ImportError: print(gc.isenabled())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
