"""tus-js-client, installed once per lock file into a cache, and run with node."""

import asyncio
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.support.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/web/tus"
CACHE = ROOT / ".venv/node"


def modules() -> Path:
    """Return the folder with `node_modules`, installed as the lock file says."""
    if not shutil.which("node") or not shutil.which("npm"):
        unavailable("tus-js-client needs node and npm")
    lock = (HERE / "package-lock.json").read_bytes()
    place = CACHE / f"tus-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not place.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=CACHE))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, fresh)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=100)
        if done.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            unavailable(f"tus-js-client cannot be installed: {done.stderr[-500:]}")
        try:
            fresh.rename(place)
        except OSError:  # another run was first
            shutil.rmtree(fresh, ignore_errors=True)
    return place


async def tus_upload(port: int, token: str, path: Path, **more) -> list[dict]:
    """Upload with the real client; return the events that it reported, in order."""
    given = {
        "modules": str(modules()),
        "endpoint": f"http://127.0.0.1:{port}/v1/uploads",
        "path": str(path),
        "token": token,
        **more,
    }
    node = await asyncio.create_subprocess_exec(
        "node", str(HERE / "upload.mjs"), json.dumps(given),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(80):
            out, err = await node.communicate()
    finally:
        if node.returncode is None:
            node.kill()
            await node.wait()
    assert node.returncode == 0, err.decode()
    return [json.loads(line) for line in out.decode().splitlines()]


def last(events: list[dict], event: str) -> dict:
    """Return the last event of a name; fails with all of them when there is none."""
    found = [each for each in events if each["event"] == event]
    assert found, events
    return found[-1]
