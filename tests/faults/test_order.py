"""Acknowledged means durable, by the system calls of a real service: SIGKILL cannot show it.

The bytes are synced, moved to their place and their folder is synced; then the row that names them
is written and the log is synced; and only then somebody is told. The planted faults run with the
soak, in about a minute.
"""

import asyncio
import os
import re
import shutil
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import Process, free_port, signed_in, until_live
from tests.support.services import unavailable
from tests.web.test_uploading import PNG

CALLS = "fsync,fdatasync,rename,renameat,renameat2,write,writev,pwrite64,pwritev,sendto,sendmsg"
TOLD = ("write", "writev", "sendto", "sendmsg")
BREAKING = {
    "files not synced": "the file was not synced",
    "folders not synced": "the folder was not synced",
    "folders synced too early": "the folder was not synced",
    "log not synced": "the log was not synced|told before the row",
    "answered before the commit": "told before the row",
    "rows before bytes": "before its bytes were durable",
}
"""Planted faults, and as what each is noticed."""


@dataclass(frozen=True)
class Call:
    """A system call: the lines of the trace in which it began and had returned."""

    name: str
    text: str
    begun: int
    ended: int

    @property
    def file(self) -> str:
        """What its first descriptor is."""
        return self.text.partition("<")[2].partition(">")[0]


class Traced(Process):
    """A service that runs under strace."""

    def __init__(self, role: str, home: Path, port: int = 0, **settings: object) -> None:
        super().__init__(role, home, port, **settings)
        self.trace = home.parent / "trace"

    def command(self) -> list[str]:
        strace = shutil.which("strace") or unavailable("strace is not installed")
        options = ["-f", "-y", "-s", "4400", "-e", f"trace={CALLS}", "-e", "signal=none"]
        return [strace, "--seccomp-bpf", *options, "-o", str(self.trace), *super().command()]

    def end(self, number: int = signal.SIGTERM, seconds: float = 35) -> int:
        """Send a signal to the service: strace ends with it, and takes none itself."""
        place = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
        for child in place.read_text().split() if self.child.poll() is None else ():
            os.kill(int(child), number)
        return self.child.wait(seconds)

    def calls(self) -> list[Call]:
        """Return what was called, in the order in which it began."""
        found, begun = [], {}
        lines = self.trace.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            if cut := re.match(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$", line):
                begun[cut[1]] = (cut[2], cut[3], number)
            elif rest := re.match(r"(\d+) +<\.\.\. (\w+) resumed>", line):
                if (first := begun.pop(rest[1], None)) is not None:
                    found.append(Call(*first, number))
            elif whole := re.match(r"\d+ +(\w+)\((.*)$", line):
                found.append(Call(whole[1], whole[2], number, number))
        return sorted(found, key=lambda call: call.begun)


def durable(calls: list[Call], key: str, told: Call) -> None:
    """Assert the order that makes an object and its row durable before somebody is told."""
    moved = [call for call in calls if call.name.startswith("rename") and path(key) in call.text]
    assert len(moved) == 1, f"{key} was moved {len(moved)} times"
    source, target = re.findall(r'"([^"]*)"', moved[0].text)
    syncs = [c for c in calls if c.name in ("fsync", "fdatasync")]
    written = [c for c in calls if c.name == "write" and c.file == source]
    kept = [c for c in syncs if c.file == source and c.ended < moved[0].begun]
    assert kept, "the file was not synced before it was moved"
    assert all(c.ended < kept[-1].begun for c in written), "written after it was synced"
    folder = str(Path(target).parent)
    placed = [c for c in syncs if c.file == folder and c.begun > moved[0].ended]
    assert placed, "the folder was not synced after the move"
    rows = [c for c in calls if c.name.startswith("pwrite") and key in c.text]
    logged = [c for c in rows if c.file.endswith("-wal")]
    assert logged, "no row names the object"
    assert placed[0].ended < logged[0].begun, "a row was written before its bytes were durable"
    committed = [c for c in syncs if c.file == logged[0].file and c.begun > logged[0].ended]
    assert committed, "the log was not synced after the row"
    assert committed[0].ended < told.begun, "told before the row was durable"


def path(key: str) -> str:
    """Return how the name of an object looks as the target of a move."""
    folder, _, name = key.rpartition("/")
    return f'{folder.replace("/", "+/")}+/{name}"'


@asynccontextmanager
async def traced(home: Path, *program: str):
    service = Traced("up", home, free_port(), poll_seconds=0.1, slots=1, min_free_bytes=0)
    service.program = program or service.program
    service.start()
    try:
        await until_live(service)
        yield service
    except AssertionError as error:
        if "ptrace" in service.log().lower():
            unavailable(f"strace is not allowed here: {error}")
        raise
    finally:
        service.end()


async def until_there(client, url: str) -> None:
    """Wait for what was told already: with a planted fault it may come later."""
    async with asyncio.timeout(60):
        while (await client.get(url)).status_code != 200:
            await asyncio.sleep(0.05)


async def order(home: Path, *program: str) -> None:
    """Upload a file and run a job on it; assert what was durable when each was told."""
    async with traced(home, *program) as service, signed_in(service) as client:
        answer = await client.post("/v1/files", params={"name": "dot.png"}, content=PNG)
        file = answer.raise_for_status().json()["id"]
        await until_there(client, f"/v1/files/{file}")
        body = {"files": [file], "steps": [{"operation": "thumbnail"}]}
        job = (await client.post("/v1/jobs", json=body)).raise_for_status().json()["id"]
        ended = await client.get(f"/v1/jobs/{job}", params={"wait": 30})
        assert ended.json()["state"] == "succeeded", ended.text
        (result,) = (await client.get(f"/v1/jobs/{job}/results")).json()["data"]
        made = result["files"][0]["id"]
        await until_there(client, f"/v1/files/{made}/content")
    calls = service.calls()
    sent = [c for c in calls if c.name in TOLD and c.file.startswith("socket:")]
    told = next(c for c in sent if "HTTP/1.1 201" in c.text and file in c.text)
    durable(calls, f"files/{file}", told)
    accepted = next(c for c in sent if "HTTP/1.1 202" in c.text and job in c.text)
    logged = [c for c in calls if c.file.endswith("-wal")]
    row = next(c for c in logged if c.name.startswith("pwrite") and job in c.text)
    synced = next(c for c in logged if c.name == "fdatasync" and c.begun > row.ended)
    assert synced.ended < accepted.begun, "accepted before the job was durable"
    durable(calls, f"results/{job}/0-1-0-0", next(c for c in sent if made in c.text))


async def test_what_was_told_was_durable(tmp_path):
    await order(tmp_path / "home")


@pytest.mark.soak
@pytest.mark.parametrize("fault", BREAKING)
async def test_the_order_notices_a_planted_fault(tmp_path, fault):
    with pytest.raises(AssertionError, match=BREAKING[fault]):
        await order(tmp_path / "home", "tests.faults.planted", fault, "mediamill")
