"""R6 and R7: many processes on one SQLite file, and writers killed at any moment.

Short here; the soaks run 8 × 1,000 claims and 300 kills: about half a minute and three minutes.
Each check is shown to fail once by a planted fault. SIGKILL cannot show that an acknowledged write
would survive a power cut: the order of system calls does (`strace`).
"""

import asyncio
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import apsw
import pytest
from tests.contracts.store_contract import KINDS, Thing, put, thing
from tests.support.services import unavailable

from mediamill.store.sql.sqlite.store import SqliteStore

ROOT = Path(__file__).parents[2]


def start(script: str, *args: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, args)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


# -- R6 ---------------------------------------------------------------------------------------

CLAIMS = """
import asyncio, json, sys
from tests.contracts.store_contract import DUE, KINDS, Thing
from mediamill.core.errors import ConditionFailed
from mediamill.store.port import Equals, Update
from mediamill.store.sql.sqlite.store import SqliteStore

async def main():
    path, name, wanted, guarded = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "yes"
    store = await SqliteStore.open(path, KINDS)
    mine = []
    while len(mine) < wanted:
        page = await store.query(Thing, DUE, "o", limit=8)
        if not page.rows:
            break
        for row in page.rows:
            when = (Equals("text", ""), Equals("due", row.due)) if guarded else ()
            taken = {"text": name, "due": None}
            try:
                await store.transact(Update(Thing, row.key_values(), taken, {"count": 1}, when))
            except ConditionFailed:
                continue
            mine.append(row.order)
    await store.close()
    print(json.dumps(mine))
asyncio.run(main())
"""


async def claim_all(path: Path, processes: int, each: int, guarded: bool = True) -> list[int]:
    """Let processes claim `processes × each` rows; return what they say they claimed."""
    total = processes * each
    store = await SqliteStore.open(path, KINDS)
    await put(store, *(thing(n, due=n) for n in range(total)))
    await store.close()
    flag = "yes" if guarded else "no"
    workers = [start(CLAIMS, path, f"w{n}", 2 * total, flag) for n in range(processes)]
    claimed: list[int] = []
    for worker in workers:
        out, err = await asyncio.to_thread(worker.communicate)
        assert worker.returncode == 0, err
        assert "database is locked" not in err
        claimed += json.loads(out)
    return claimed


async def check_claims(path: Path, processes: int, each: int) -> None:
    claimed = await claim_all(path, processes, each)
    assert Counter(claimed) == Counter(range(processes * each))
    store = await SqliteStore.open(path, KINDS)
    for first in range(0, processes * each, 100):
        rows = await store.get_many(Thing, [("g", n) for n in range(first, first + 100)])
        assert all(row.count == 1 and row.text for row in rows)
    await store.close()


async def test_four_processes_claim_each_row_once(tmp_path: Path):
    await check_claims(tmp_path / "store.db", 4, 200)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_eight_processes_claim_each_row_once(tmp_path: Path):
    await check_claims(tmp_path / "store.db", 8, 1000)


async def test_claims_without_a_guard_are_noticed(tmp_path: Path):
    """The planted fault of R6: the same workers, their guards left out."""
    claimed = await claim_all(tmp_path / "store.db", 4, 200, guarded=False)
    assert Counter(claimed) != Counter(range(800))


# -- R7 ---------------------------------------------------------------------------------------

WRITES = """
import asyncio, sys
from tests.contracts.store_contract import KINDS, thing
from mediamill.store.port import Put, Update
from mediamill.store.sql.sqlite import writer
from mediamill.store.sql.sqlite.store import SqliteStore

if sys.argv[3] == "early":  # planted: told before the commit
    attempt = writer.Writer._attempt
    def told(self, transaction):
        error = attempt(self, transaction)
        writer.acknowledge([(transaction, error)])
        import time
        time.sleep(0.002)
        return error
    writer.Writer._attempt = told

async def main():
    store = await SqliteStore.open(sys.argv[1], KINDS)
    first = int(sys.argv[2])
    async def write(lane):
        n = first + lane
        while True:
            twin = thing(n, "twin", raw=bytes(n % 7 * 80))
            await store.transact(Put(thing(n, text="x" * (n % 450))), Put(twin))
            sys.stdout.write(f"{n}\\n")
            sys.stdout.flush()
            n += 10
    await asyncio.gather(*(write(lane) for lane in range(10)))
asyncio.run(main())
"""


async def kill_writers(folder: Path, times: int, how: str = "late") -> tuple[int, int]:
    """Kill a writer at random moments; return how many rows were acknowledged, and lost.

    Ten kills share a file, so that recovered ones are written again and checks stay short.
    """
    acknowledged = lost = 0
    for n in range(times):
        path, first = folder / f"{n // 10}.db", n * 1_000_000
        if n % 10 == 0:
            await (await SqliteStore.open(path, KINDS)).close()
        told = await asyncio.to_thread(write_until_killed, path, first, how)
        lost += await asyncio.to_thread(missing, path, told, first)
        acknowledged += len(told)
        if n % 10 == 9:
            await asyncio.to_thread(path.unlink)
    return acknowledged, lost


def write_until_killed(path: Path, first: int, how: str) -> list[int]:
    worker = start(WRITES, path, first, how)
    begun = worker.stdout.readline()
    assert begun, worker.stderr.read()
    time.sleep(random.uniform(0.001, 0.15))
    worker.send_signal(signal.SIGKILL)
    rest = worker.stdout.read()
    worker.wait()
    worker.stdout.close()
    worker.stderr.close()
    whole = (begun + rest).rpartition("\n")[0]
    return [int(line) for line in whole.splitlines()]


def missing(path: Path, told: list[int], first: int) -> int:
    """Check the file, and that twins come in pairs; count the acknowledged rows not there."""
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = {
        group: {
            row[0]
            for row in connection.execute(
                'SELECT "order" FROM contract_things WHERE "group" = ? AND "order" >= ?',
                (group, first),
            )
        }
        for group in ("g", "twin")
    }
    connection.close()
    assert rows["g"] == rows["twin"]
    return len(set(told) - rows["g"])


async def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path):
    acknowledged, lost = await kill_writers(tmp_path, 10)
    assert acknowledged > 100
    assert lost == 0


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_300_killed_writers_lose_nothing_acknowledged(tmp_path: Path):
    acknowledged, lost = await kill_writers(tmp_path, 300)
    assert acknowledged > 3000
    assert lost == 0


async def test_acknowledging_before_the_commit_is_noticed(tmp_path: Path):
    """The planted fault of R7: callers are told before COMMIT."""
    lost = 0
    for n in range(10):
        folder = tmp_path / str(n)
        folder.mkdir()
        lost += (await kill_writers(folder, 3, "early"))[1]
        if lost:
            break
    assert lost > 0


# -- durable before acknowledged ----------------------------------------------------------------

ONE_WRITE = """
import asyncio, os, sys
from tests.contracts.store_contract import KINDS, put, thing
from mediamill.store.sql.sqlite.store import SqliteStore
async def main():
    store = await SqliteStore.open(sys.argv[1], KINDS)
    if sys.argv[2] == "normal":
        store._writer._connection.execute("PRAGMA synchronous = NORMAL")
    await put(store, thing(1))
    os.path.exists("/written")
    await put(store, thing(2))
    os.path.exists("/acknowledged")
    await store.close()
asyncio.run(main())
"""


def synced_between_marks(path: Path, how: str) -> bool:
    """Tell whether the WAL was synced after its last write and before the acknowledgement."""
    strace = shutil.which("strace")
    if strace is None:
        unavailable("strace is not installed")
    calls = path.with_suffix(".trace")
    traced = "pwrite64,pwritev,write,fdatasync,fsync,stat,newfstatat,statx,access"
    command = [strace, "-f", "-y", "-e", f"trace={traced}", "-o", str(calls), sys.executable, "-c"]
    subprocess.run([*command, ONE_WRITE, str(path), how], check=True, timeout=100, cwd=ROOT)
    text = calls.read_text(errors="replace")
    between = text[text.index('"/written"') : text.index('"/acknowledged"')]
    events = re.findall(r"(pwrite64|fdatasync|fsync)\(\d+<[^>]*-wal>", between)
    return "pwrite64" in events and events[-1] in ("fdatasync", "fsync")


def test_the_log_is_on_disk_before_the_caller_is_told(tmp_path: Path):
    assert synced_between_marks(tmp_path / "store.db", "full")


def test_a_write_without_sync_is_noticed(tmp_path: Path):
    """The planted fault: synchronous=NORMAL, which SIGKILL never shows."""
    assert not synced_between_marks(tmp_path / "store.db", "normal")
