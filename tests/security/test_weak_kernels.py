"""S23: where the kernel does not grant a protection, `doctor` and readiness say which.

The kernel is made to refuse by a filter under which the whole service is started, as a container
does it, so nothing of ours is replaced.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import httpx

from mediamill.engine.slots import sandbox
from tests.support.processes import Process, free_port, until_live
from tests.support.services import unavailable

NUMBERS = {"x86_64": {"landlock": 444, "unshare": 272}, "aarch64": {"landlock": 444, "unshare": 97}}
"""Of `landlock_create_ruleset` and `unshare` (asm/unistd.h)."""

REFUSING = """
import ctypes, os, struct, sys
numbers, command = [int(n) for n in sys.argv[1].split(",")], sys.argv[2:]
rules = [struct.pack("HBBI", 0x20, 0, 0, 0)]  # load the number of the system call
for number in numbers:
    rules += [struct.pack("HBBI", 0x15, 0, 1, number), struct.pack("HBBI", 6, 0, 0, 0x50001)]
rules += [struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(rules))
program = struct.pack("HP", len(rules), ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0, ctypes.get_errno()
os.execv(command[0], command)
"""
WORDS = "refused by this kernel: Operation not permitted"


def refusing(*names: str) -> list[str]:
    """Return a command that runs what follows it under a kernel that refuses these."""
    known = NUMBERS.get(platform.machine()) or unavailable("the numbers of its system calls")
    if not all(sandbox.report().get(name) is True for name in ("landlock", "network_namespace")):
        unavailable("this kernel refuses them anyhow")
    numbers = ",".join(str(known[name]) for name in names)
    return [sys.executable, "-c", REFUSING, numbers, sys.executable]


def doctor(home: Path, *before: str) -> list[dict[str, str]]:
    command = [*before, "-m", "mediamill", "doctor", "--json"]
    settings = {"MEDIAMILL_HOME": str(home), "MEDIAMILL_MIN_FREE_BYTES": "0"}
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [one for one in json.loads(done.stdout)["checks"] if one["name"] == "sandbox"]


def test_doctor_names_what_is_missing(tmp_path: Path):
    found = doctor(tmp_path, *refusing("landlock", "unshare"))
    missing = [one for one in found if WORDS in str(one)]
    assert len(missing) == 2, found
    for name, one in zip(("network_namespace", "landlock"), missing, strict=True):
        assert name in str(one)
        assert "one wall less" in str(one)


def start(process: Process, *before: str) -> None:
    """Start the service under a weaker kernel."""
    command = [
        *before,
        "-m",
        "mediamill",
        "up",
        "--home",
        process.home,
        "--port",
        str(process.port),
    ]
    with process.output.open("wb") as out:
        process.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


async def test_readiness_names_what_is_missing(tmp_path: Path):
    process = Process("up", tmp_path / "home", free_port())
    start(process, *refusing("landlock"))
    try:
        await until_live(process)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{process.port}/health/ready", timeout=30)
    finally:
        process.end()
    told = answer.json()["sandbox"]
    assert answer.status_code == 200
    assert (told["landlock"], told["seccomp"]) == (WORDS, True)
