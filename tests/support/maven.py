"""Servers from Maven Central: their jars, fetched once for all who test at a time."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.services import unavailable


def library(name: str, pom: Path) -> Path:
    """Return the folder of the jars that a pom names; skips, or fails in CI, without them."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        unavailable(f"{name} needs Java and Maven: apt install default-jre-headless maven")
    cache = Path(tempfile.gettempdir()) / f"mediamill-{name}-{os.getuid()}"
    cache.mkdir(exist_ok=True, mode=0o700)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cache / "whole").exists():
            fetch = ["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies"]
            done = subprocess.run(
                [*fetch, f"-DoutputDirectory={cache / 'lib'}"],
                capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            if done.returncode:
                unavailable(f"{name} cannot be fetched: {done.stdout[-500:]}")
            (cache / "whole").touch()
    return cache / "lib"
