"""tus-js-client, installed once per lock file into a cache, and run with node."""

import asyncio
import json
import subprocess
from pathlib import Path

from tests.support.npm import ROOT, installed

HERE = ROOT / "tests/web/tus"


def modules() -> Path:
    """Return the folder with `node_modules`, installed as the lock file says."""
    return installed(HERE, "tus")


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
