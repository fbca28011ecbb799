"""Find other versions of Python on this machine; used by scripts and tests."""

import shutil
import subprocess
import sys
from pathlib import Path


def python_of(version: str) -> Path | None:
    """Return an interpreter of a version, on the path or beside ours, that runs; None without."""
    name = f"python{version}"
    beside = sorted(Path(sys.base_prefix).parent.glob(f"*/bin/{name}"))
    for found in filter(None, (shutil.which(name), *map(str, beside))):
        words = [found, "-c", "import sys; print(sys.executable)"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Path(done.stdout.strip())
    return None
