"""Acknowledged means durable: the order of system calls, which SIGKILL cannot show, by strace."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.services import unavailable

PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from mediamill.blobs.local import LocalBlobs, store
async def main():
    blobs = LocalBlobs(Path(sys.argv[1]) / "root")
    way, key = sys.argv[2], "one/two/k"
    if way == "put":
        await blobs.put(key, b"x" * 1000)
    elif way == "upload":
        async with blobs.upload(key) as upload:
            await upload.write(b"x" * 3_000_000)
            await upload.commit()
    elif way == "copy":
        await blobs.put("one/a", b"x" * 1000)
        await blobs.copy("one/a", key)
    elif way == "together":
        store.TOGETHER = 1  # one thread: calls of several are torn apart in a trace
        await blobs.put_all([(f"{key}{n}", b"x" * 1000) for n in ("", "l", "m")])
    elif way == "moved":
        store.TOGETHER = 1
        names = ("output-1", "output-2")
        await blobs.adopt_all([(f"one/two/{n}", Path(sys.argv[1]) / n) for n in names])
        await blobs.copy_all([(f"one/two/{n}", f"one/three/{n}") for n in names])
    else:
        await blobs.adopt(key, Path(sys.argv[1]) / "output-1")
    os.path.exists("/acknowledged")
    await blobs.close()
asyncio.run(main())
"""


def trace(tmp_path: Path, way: str, program: str = PROGRAM) -> list[tuple[str, str]]:
    strace = shutil.which("strace")
    if strace is None:
        unavailable("strace is not installed")
    for name in ("output-1", "output-2"):
        (tmp_path / name).write_bytes(b"x" * 1000)
    log = tmp_path / "trace"
    moves = "rename,renameat,renameat2,link,linkat,mkdir,mkdirat"
    calls = f"trace=fsync,fdatasync,{moves},write,stat,newfstatat"
    command = [strace, "-f", "-y", "-o", str(log), "-e", calls, "-e", "signal=none"]
    result = subprocess.run(
        [*command, sys.executable, "-c", program, str(tmp_path), way],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ptrace" in result.stderr and result.returncode:
        unavailable(f"strace is not allowed here: {result.stderr.strip()}")
    assert result.returncode == 0, result.stderr
    return parse(log.read_text(), tmp_path)


def parse(log: str, base: Path) -> list[tuple[str, str]]:
    events = []
    for line in log.splitlines():
        match = re.match(r"\d+ +(\w+)\((.*)", line)
        if match is None:
            continue
        call, rest = match.groups()
        if "/acknowledged" in rest:
            events.append(("acknowledged", ""))
        elif call in {"fsync", "fdatasync", "write"} and f"<{base}" in rest:
            place = rest.partition("<")[2].partition(">")[0]
            events.append((call, str(Path(place).relative_to(base))))
        elif call.startswith(("rename", "link", "mkdir")) and str(base) in rest and "= 0" in rest:
            places = [str(Path(p).relative_to(base)) for p in re.findall(r'"([^"]*)"', rest)]
            events.append((call.rstrip("at2"), " -> ".join(places)))
    return events


def order(events: list[tuple[str, str]], way: str) -> None:
    """Assert the order that makes an object durable."""
    end = events.index(("acknowledged", ""))
    moves = [(i, e[1]) for i, e in enumerate(events) if e[0].startswith("rename")]
    position, moved = next((i, m) for i, m in moves if m.endswith(" -> root/one+/two+/k"))
    source = moved.partition(" -> ")[0]
    syncs = [i for i, e in enumerate(events) if e == ("fsync", source)]
    assert syncs, "the file was not fsynced"
    assert syncs[-1] < position, "the file was fsynced after the rename"
    writes = [i for i, e in enumerate(events) if e == ("write", source)]
    assert way == "adopt" or writes, "nothing was seen to be written"
    assert all(i < syncs[-1] for i in writes), "written after the fsync"
    after = [i for i, e in enumerate(events) if e == ("fsync", "root/one+/two+") and i > position]
    assert after, "the folder was not fsynced after the rename"
    assert after[0] < end, "acknowledged before the folder was fsynced"
    for made, parent in (("root/one+/two+", "root/one+"), ("root/one+", "root"), ("root", ".")):
        begun = events.index(("mkdir", made))
        parents = [i for i, e in enumerate(events) if e == ("fsync", parent) and i > begun]
        assert parents, f"the parent of the new folder {made} was not fsynced"
        assert parents[0] < end


@pytest.mark.parametrize("way", ["put", "upload", "adopt", "together"])
def test_file_then_rename_then_folder(tmp_path: Path, way: str):
    order(trace(tmp_path, way), way)


def test_a_copy_is_durable(tmp_path: Path):
    events = trace(tmp_path, "copy")
    end = events.index(("acknowledged", ""))
    moved = [i for i, e in enumerate(events) if e[0] == "rename" and e[1].endswith("one+/two+/k")]
    folder = [i for i, e in enumerate(events) if e == ("fsync", "root/one+/two+")]
    assert moved[0] < folder[-1] < end
    assert not [e for e in events[moved[0] - 1 :] if e[0] == "write"], "bytes were copied"


def together(events: list[tuple[str, str]]) -> None:
    """Assert the order that makes files durable that are moved, then linked, at a stroke."""
    end = events.index(("acknowledged", ""))
    for folder, call in (("two", "rename"), ("three", "link")):
        moves = [
            (i, e[1]) for i, e in enumerate(events)
            if e[0] == call and f" -> root/one+/{folder}+/" in e[1]
        ]  # fmt: skip
        assert len(moves) == 2
        synced = [i for i, e in enumerate(events) if e == ("fsync", f"root/one+/{folder}+")]
        assert synced, "the folder was not fsynced"
        assert moves[-1][0] < synced[-1] < end
        for i, move in moves if folder == "two" else ():
            assert ("fsync", move.partition(" -> ")[0]) in events[:i], "not fsynced before"


def test_what_moves_together_is_durable(tmp_path: Path):
    together(trace(tmp_path, "moved"))


@pytest.mark.parametrize("fault", ["no fsync of the file", "no fsync of folders"])
def test_the_test_sees_what_moves_together_planted(tmp_path: Path, fault: str):
    with pytest.raises(AssertionError):
        together(trace(tmp_path, "moved", FAULTS[fault] + "\n" + PROGRAM))


FAULTS = {
    "no fsync of the file": "import os, stat; real = os.fsync; os.fsync = lambda fd: "
    "real(fd) if stat.S_ISDIR(os.fstat(fd).st_mode) else None",
    "no fsync of folders": "import mediamill.blobs.local.files as f; "
    "f.fsync_folder = lambda path: None",
    "folder before rename": "import mediamill.blobs.local.files as f; from pathlib import Path; "
    "sync = f.fsync_folder; f.fsync_folder = lambda p: None; rename = Path.rename; "
    "Path.rename = lambda self, to: (sync(to.parent), rename(self, to))[1]",
    "new folders forgotten": "import mediamill.blobs.local.files as f; "
    "f.Folders.make = lambda self, folder: folder.mkdir(parents=True, exist_ok=True)",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", ["upload", "adopt", "together"])
def test_the_test_sees_a_planted_fault(tmp_path: Path, way: str, fault: str):
    events = trace(tmp_path, way, FAULTS[fault] + "\n" + PROGRAM)
    with pytest.raises(AssertionError):
        order(events, way)
