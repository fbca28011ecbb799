"""Files that are older than they are, and a look into everything for what may be left of one."""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from mediamill.app import App
from mediamill.core.clock import DAY
from mediamill.core.settings import Settings
from mediamill.handlers.removing import erase, expire_job, purge, trimming
from mediamill.handlers.removing.retain import Retain
from mediamill.store.codec import layout_of
from mediamill.store.port import Update, Walks
from mediamill.store.repositories.daily import Daily
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit
from mediamill.store.schema import all_kinds
from tests.faults import rows
from tests.support.chains import CHAINED

SURE_MS = 200
"""How long after all is gone an erasure looks once more, here."""


def pace() -> float:
    """Return how often (s) workers and tests look: seldom where each look is a request."""
    return 0.25 if "MEDIAMILL_STORE_URL" in os.environ else 0.03


def hurry(monkeypatch: Any) -> None:
    """Let purges wait for each other less long."""
    monkeypatch.setattr(trimming, "GATHER_MS", 100)
    for module in (trimming, expire_job):
        monkeypatch.setattr(module, "LOOK_AGAIN_MS", 100)
    monkeypatch.setattr(purge, "LOOK_AGAIN_MS", 100)


async def age(app: App, *files: str, days: float = 8, source: str = "stream") -> None:
    """Have files come in by the stream, some days before they did."""
    for file in files:
        found = await app.store.get(File, file)
        assert found is not None
        fields = {"created": found.created - int(days * DAY), "source": source}
        await app.store.transact(Update(File, (file,), set=fields))


async def sweep(app: App) -> int:
    """Take what is due; return how many files."""
    return (await Retain(app.repositories.units, app.retention, app.bell).sweep()).total()


async def gone(app: App, *files: str, seconds: float = 60) -> None:
    """Wait until files are purged."""
    async with asyncio.timeout(seconds):
        while any([await app.store.get(File, file) for file in files]):
            await asyncio.sleep(pace())


async def settled(app: App, seconds: float = 60) -> None:
    """Wait until nothing is left to do within the next minute."""
    async with asyncio.timeout(seconds):
        while True:
            soon = await app.store.now() + 60_000
            units = [unit for unit in await records(app, Unit) if isinstance(unit, Unit)]
            if all(not unit.state.open or (unit.due or 0) > soon for unit in units):
                return
            await asyncio.sleep(pace())


async def records(app: App, *kinds: Any) -> list[Any]:
    """Read all rows of some kinds, or of all."""
    if not isinstance(app.store, Walks):
        found = rows.rows(app.settings.store_url, *(kinds or all_kinds()))
        by_table = {kind.table: kind for kind in kinds or all_kinds()}
        return [layout_of(by_table[t]).decode(row) for t, some in found.items() for row in some]
    read: list[Any] = []
    for kind in kinds or all_kinds():
        after = None
        while page := await app.store.walk(kind, after):
            read += page
            after = page[-1].key_values()
    return read


async def traces(app: App, needles: Iterable[str]) -> list[str]:
    """List rows and blobs in which some text occurs: an id, a name, a digest."""
    wanted = [needle.encode() for needle in needles if needle]
    assert wanted
    found = []
    for record in await records(app):
        text = repr(record).encode() + msgspec.json.encode(record)
        found += [f"{record.table} {record.key_values()}: {n!r}" for n in wanted if n in text]
    for store in {id(b): b for b in app.parts.blob_stores()}.values():
        async for blob in store.list(""):
            data = await store.get(blob.key)
            data = b" ".join((blob.key.encode(), hashlib.sha256(data).hexdigest().encode(), data))
            found += [f"{blob.key}: {needle!r}" for needle in wanted if needle in data]
    return found


async def all_blobs(app: App) -> dict[str, bytes]:
    """Read every blob."""
    stores = {id(b): b for b in app.parts.blob_stores()}.values()
    return {blob.key: await s.get(blob.key) for s in stores async for blob in s.list("")}


async def daily(app: App) -> list[Daily]:
    """Read all aggregates."""
    return await records(app, Daily)


async def work(home: Path, writes: int) -> None:
    """Run a worker that kills itself at its n-th write, before or after it; with 0 it does not."""
    settings = Settings(home=home, slots=1, lease_seconds=1, poll_seconds=0.05, min_free_bytes=0)
    async with await App.open(settings, CHAINED) as app:
        left = writes

        def dying(call: Any) -> Any:
            async def made(*arguments: Any) -> Any:
                nonlocal left
                left = mine = left - 1  # others write meanwhile
                if mine == 0 and writes % 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                done = await call(*arguments)
                if mine == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return done

            return made

        for owner, name in ((app.store, "transact"), (app.blobs, "delete")):
            setattr(owner, name, dying(getattr(owner, name)))
        trimming.GATHER_MS = 300
        for module in (trimming, expire_job, purge):
            module.LOOK_AGAIN_MS = 300
        erase.LOOK_AGAIN_MS, erase.SURE_MS = 300, SURE_MS
        await (await app.worker()).run()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2])))
