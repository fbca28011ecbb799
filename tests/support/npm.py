"""Packages of npm, installed once per lock file into a cache beside the environment."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".venv/node"


def installed(folder: Path, name: str) -> Path:
    """Return a folder with `node_modules` as the lock file in `folder` says; may skip."""
    if not shutil.which("node") or not shutil.which("npm"):
        unavailable(f"{name} needs node and npm")
    lock = (folder / "package-lock.json").read_bytes()
    place = CACHE / f"{name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not place.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=CACHE))
        for file in ("package.json", "package-lock.json"):
            shutil.copy(folder / file, fresh)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=100)
        if done.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            unavailable(f"{name} cannot be installed: {done.stderr[-500:]}")
        try:
            fresh.rename(place)
        except OSError:  # another run was first
            shutil.rmtree(fresh, ignore_errors=True)
    return place
