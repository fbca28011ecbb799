"""A function that tells what machine it sees, or does what an event says."""

import ctypes
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any


def handler(event: dict[str, Any], context: Any) -> Any:
    return ACTS[event["act"]](event, context)


def look(event: dict[str, Any], context: Any) -> dict[str, Any]:
    room = os.statvfs("/tmp")
    return {
        "user": [os.getuid(), os.getgid()],
        "folder": os.getcwd(),
        "root": sorted(os.listdir("/")),
        "devices": sorted(os.listdir("/dev")),
        "writable": [place for place in event["places"] if writable(place)],
        "shown": {event["places"][-1]: os.listdir(event["places"][-1])},
        "tmp_mb": room.f_blocks * room.f_frsize >> 20,
        "memory_mb": context.memory_limit_in_mb,
        "left_ms": context.get_remaining_time_in_millis(),
        "request_id": context.aws_request_id,
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "namespace": ctypes.CDLL(None).unshare(0x10000000),
        "semaphores": semaphores(),
        "capabilities": status("CapEff"),
        "region": os.environ["AWS_REGION"],
    }


def writable(place: str) -> bool:
    try:
        (Path(place) / "mark").write_text("x")
    except OSError:
        return False
    return True


def semaphores() -> str:
    try:
        multiprocessing.Semaphore()
    except (OSError, ImportError) as error:
        return type(error).__name__
    return "made"


def status(name: str) -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(name))


def sleep(event: dict[str, Any], _context: Any) -> str:
    time.sleep(event["seconds"])
    return "slept"


def fill(event: dict[str, Any], _context: Any) -> str:
    place = Path("/tmp/full")
    try:
        with place.open("wb") as file:
            for _ in range(event["megabytes"]):
                file.write(bytes(1 << 20))
    except OSError as error:
        return error.strerror
    finally:
        place.unlink()
    return "filled"


def hoard(event: dict[str, Any], _context: Any) -> int:
    return len(b"x" * (event["megabytes"] << 20))


def keep(event: dict[str, Any], _context: Any) -> list[str]:
    """Leave a mark in `/tmp`, and tell those that are there."""
    found = sorted(place.name for place in Path("/tmp").iterdir())
    (Path("/tmp") / event["mark"]).touch()
    return found


def behind(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Leave a child that counts; tell how far it and those before it came."""
    place = Path("/tmp/count")
    place.touch()
    before = place.stat().st_size
    if not os.fork():
        with place.open("ab", buffering=0) as file:
            while True:
                file.write(b".")
                time.sleep(0.01)
    while place.stat().st_size < before + 10:
        time.sleep(0.01)
    return {"now": place.stat().st_size, "pid": os.getpid()}


def end(event: dict[str, Any], _context: Any) -> None:
    if event["how"] == "raise":
        raise ValueError("as asked")
    os.kill(os.getpid(), signal.SIGSEGV)


def large(event: dict[str, Any], _context: Any) -> str:
    return "x" * event["bytes"]


ACTS = {
    "look": look, "sleep": sleep, "fill": fill, "hoard": hoard, "keep": keep, "behind": behind,
    "end": end, "large": large,
}  # fmt: skip
