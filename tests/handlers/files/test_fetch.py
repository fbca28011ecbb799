"""Imports from web addresses, fetched by a real worker from a source that misbehaves."""

import asyncio
import hashlib
import os
import struct
import zlib
from contextlib import asynccontextmanager
from functools import partial

import pytest

from mediamill.adapters.fetch.client import Fetcher, Patience
from mediamill.adapters.fetch.guard import Guard, read_allowed
from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import AddressRefused, LimitExceeded, NotFound
from mediamill.core.settings import Settings
from mediamill.engine.lease import Lease
from mediamill.engine.retry import RetryPolicy
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.files.fetch import Fetch
from mediamill.services.uploads.recording import Label
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.units import UnitState
from tests.support.sources import file, fixed, head, source

ANN = Principal("user_ann")
QUICK = Patience(connect=2, answer=2, read=2, window=0.3, least=1000)
ENDED = (FileState.READY, FileState.REJECTED)


def png(noise: int = 0) -> bytes:
    """A picture of one dot, with so much noise in a chunk that nobody reads."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + (chunk(b"teSt", os.urandom(noise)) if noise else b"")
        + chunk(b"IEND", b"")
    )


@asynccontextmanager
async def mill_at(tmp_path, **settings):
    given = {"slots": 1, "min_free_bytes": 0, "fetch_allow": "127.0.0.1:*", "poll_seconds": 0.05}
    async with await App.open(Settings(home=tmp_path / "home", **given | settings)) as app:
        app.parts.fetcher.patience = QUICK
        yield app


@pytest.fixture
async def mill(tmp_path):
    async with mill_at(tmp_path) as app:
        yield app


@asynccontextmanager
async def working(mill, **changes):
    """Run a worker whose retries come at once."""
    worker = await mill.worker()
    worker.engine.timing.poll = 0.05
    worker.engine.policy = RetryPolicy(base_ms=2, cap_ms=20, attempts=5)
    changes = {"policy": worker.engine.policy, **changes}
    for name, value in changes.items():
        setattr(worker.engine.handlers["fetch"], name, value)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def ended(mill, row, seconds=60):
    async with asyncio.timeout(seconds):
        while (found := await mill.store.get(File, row.id)).state not in ENDED:
            await asyncio.sleep(0.02)
        while (await mill.repositories.units.get(f"fetch:{row.id}", 0)).state.open:
            await asyncio.sleep(0.02)
    return found


async def bytes_of(mill, row):
    content = await mill.files.content(ANN, row.id)
    return b"".join([chunk async for chunk in content.read(0, content.size)])


async def left_over(mill):
    return [blob.key async for blob in mill.blobs.list("imports/")]


async def test_a_file_is_listed_at_once_and_ready_later(mill):
    data = png(3_000_000)
    async with source(
        a_png=file(data), x=file(data, Content_Disposition="inline; filename=é.png")
    ) as outer:
        row = await mill.imports.begin(
            ANN, outer.url("/a.png?signature=secret#x"), label=Label(tags=("web",), source="import")
        )
        assert (row.state, row.name, row.tags) == ("receiving", "a.png", ("web",))
        other = await mill.imports.begin(ANN, outer.url("/x"))
        named = await mill.imports.begin(ANN, outer.url("/x"), "mine.png")
        listed = (await mill.files.files.of_owner(ANN.user, None, 10)).rows
        assert {file.id for file in listed} == {row.id, other.id, named.id}
        async with working(mill):
            found = await ended(mill, row)
            names = [(await ended(mill, each)).name for each in (other, named)]
    assert (found.state, found.media_type, found.width) == ("ready", "image/png", 1)
    assert found.size == found.received == len(data)
    assert found.source == "import"
    assert found.lineage == {"origin": outer.url("/a.png")}
    assert await bytes_of(mill, row) == data
    assert names[1] == "mine.png"
    assert "secret" not in str((await mill.repositories.units.get(f"fetch:{row.id}", 0)).payload)
    assert await left_over(mill) == []


async def test_broken_connections_are_continued_where_they_broke(mill):
    data = png(1_000_000)
    cuts = iter([100_001, 250_000, 250_001, 600_000])
    async with source(a_png=file(data, cut=cuts)) as outer:
        row = await mill.imports.begin(ANN, outer.url("/a.png"))
        async with working(mill, part_bytes=100_000):
            assert (await ended(mill, row)).state == "ready"
        starts = [ask.range_start() for ask in outer.asked]
    assert await bytes_of(mill, row) == data
    assert starts == sorted(starts)
    assert starts[-1] > 500_000
    assert all(ask.headers["if-range"] == '"one"' for ask in outer.asked[1:])
    assert await left_over(mill) == []


@pytest.mark.parametrize("how", ["no etag", "weak etag", "no ranges"])
async def test_sources_that_cannot_continue_are_begun_anew(mill, how):
    data = png(500_000)
    cuts = iter([200_001, 300_001])
    etag = {"no etag": "", "weak etag": 'W/"one"', "no ranges": '"one"'}[how]
    page = file(data, cut=cuts, ranges=how != "no ranges", etag=etag)
    async with source(a_png=page) as outer:
        row = await mill.imports.begin(ANN, outer.url("/a.png"))
        async with working(mill, part_bytes=100_000):
            assert (await ended(mill, row)).state == "ready"
    assert await bytes_of(mill, row) == data
    assert await left_over(mill) == []


async def test_content_that_changes_meanwhile_is_never_mixed(mill):
    old, new = png(400_000), png(410_000)
    pages = iter([file(old, cut=iter([200_001]), etag='"old"')])

    async def changing(ask, writer):
        await next(pages, file(new, etag='"new"'))(ask, writer)

    async with source(a_png=changing) as outer:
        row = await mill.imports.begin(ANN, outer.url("/a.png"))
        async with working(mill, part_bytes=50_000):
            await ended(mill, row)
    assert await bytes_of(mill, row) == new


async def test_what_cannot_come_is_rejected_with_the_reason(mill):
    page = b"<!DOCTYPE html><title>Sign in</title>" + b"x" * 2000
    pages = {
        "page": file(page), "empty": file(b""), "noise_png": file(b"\x89PNG\r\n\x1a\nnothing"),
        "moved": fixed(head("302 Found", Location="http://127.0.0.1:1/x", Content_Length=0)),
        "down": fixed(head("500 Down", Content_Length=0)),
        "short": file(png(9000), cut=iter([5000] * 50), etag=""),
    }  # fmt: skip
    expected = {"page": "unsupported_media", "empty": "invalid_input", "noise_png": "broken_media",
                "moved": "fetch_failed", "down": "source_unavailable", "missing": "fetch_failed",
                "short": "source_unavailable"}  # fmt: skip
    async with source(**pages) as outer:
        paths = {name: f"/{name.replace('_', '.')}" for name in expected}
        rows = {n: await mill.imports.begin(ANN, outer.url(p)) for n, p in paths.items()}
        async with working(mill):
            found = {name: await ended(mill, row) for name, row in rows.items()}
        assert sum(ask.path == "/down" for ask in outer.asked) == 5
    assert {name: row.code for name, row in found.items()} == expected
    assert all(row.error for row in found.values())
    assert await left_over(mill) == []
    assert [blob.key async for blob in mill.blobs.list("files/")] == []


async def test_an_announced_digest_is_checked(mill):
    data = png()
    digests = {"right": hashlib.sha256(data).hexdigest(), "wrong": "0" * 64}
    async with source(a_png=file(data)) as outer:
        begin = partial(mill.imports.begin, ANN, outer.url("/a.png"))
        rows = {n: await begin(n, Label("import", sha256=d)) for n, d in digests.items()}
        async with working(mill):
            found = {name: await ended(mill, row) for name, row in rows.items()}
    assert {name: row.state for name, row in found.items()} == {
        "right": "ready",
        "wrong": "rejected",
    }
    assert len([blob.key async for blob in mill.blobs.list("files/")]) == 1


async def test_too_large_is_refused_announced_or_not(tmp_path):
    data = png(50_000)
    unsaid = fixed(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + data)
    async with mill_at(tmp_path, max_upload_bytes=40_000) as mill, source(
        said=file(data), unsaid=unsaid
    ) as outer:  # fmt: skip
        rows = [await mill.imports.begin(ANN, outer.url(path)) for path in ("/said", "/unsaid")]
        async with working(mill):
            assert [(await ended(mill, row)).code for row in rows] == [LimitExceeded.code] * 2


async def test_inner_addresses_are_refused_at_once_and_when_a_name_leads_there(tmp_path):
    async with mill_at(tmp_path, fetch_allow="") as mill, source(x=file(b"x")) as inner:
        with pytest.raises(AddressRefused):
            await mill.imports.begin(ANN, inner.url("/x"))

        async def inside(host, port):
            return ["127.0.0.1"]

        mill.parts.fetcher.guard.resolver = inside
        row = await mill.imports.begin(ANN, "http://rebound.example.org/x")
        async with working(mill):
            assert (await ended(mill, row)).code == AddressRefused.code
        assert inner.connections == 0


async def test_deleting_a_file_stops_its_fetch(mill):
    data = png(4_000_000)
    async with source(a_png=file(data, pause=0.02, step=20_000)) as outer:
        row = await mill.imports.begin(ANN, outer.url("/a.png"))
        async with working(mill):
            async with asyncio.timeout(60):
                while not outer.asked:
                    await asyncio.sleep(0.01)
            await mill.trash.delete(ANN, row.id)
            unit, there = f"fetch:{row.id}", mill.repositories.units.get
            async with asyncio.timeout(60):
                while (found := await there(unit, 0)) is not None and found.state.open:
                    await asyncio.sleep(0.02)
            given = len(outer.asked)
            await asyncio.sleep(0.2)
            assert len(outer.asked) == given == 1
    with pytest.raises(NotFound):
        await mill.files.get(ANN, row.id)
    assert await left_over(mill) == []


async def claimed(mill, lease_ms=60_000):
    unit = await Scheduler(mill.store, lease_ms).claim_next(("transfer",), "somebody")
    return Lease(mill.repositories.units, mill.repositories.jobs, unit, lease_ms)


async def test_whoever_lost_the_lease_changes_nothing(mill):
    """A claimant sleeps with all bytes in hand; another takes over; the first wakes too late."""
    old, new = png(100), png(200)
    asleep, wake = asyncio.Event(), asyncio.Event()
    calls = iter([old, new])

    async def page(ask, writer):
        data = next(calls)
        writer.write(head("200 OK", Content_Length=len(data)) + data[:-1])
        await writer.drain()
        if data is old:
            asleep.set()
            await wake.wait()
        writer.write(data[-1:])

    handler = Fetch(
        mill.repositories.files, mill.blobs, mill.arrivals,
        Fetcher(Guard(read_allowed("127.0.0.1:*")), Patience()), 1 << 30,
    )  # fmt: skip
    async with source(a_png=page) as outer:
        row = await mill.imports.begin(ANN, outer.url("/a.png"))
        first = await claimed(mill, lease_ms=1)
        task = asyncio.create_task(handler.run(first))
        await asleep.wait()
        await handler.run(await claimed(mill))
        ready = await mill.store.get(File, row.id)
        assert ready.state == "ready"
        wake.set()
        with pytest.raises(Exception, match=row.id):
            await task
    assert await bytes_of(mill, row) == new
    assert await mill.store.get(File, row.id) == ready


async def test_a_claimant_that_died_before_the_check_is_continued_without_fetching(mill):
    data = png(100)
    async with source(a_png=file(data)) as outer:
        row = await mill.imports.begin(ANN, outer.url("/a.png"))
        handler = mill.handlers()["fetch"]
        lease = await claimed(mill, lease_ms=1)

        class Dying:
            async def progress(self, *given):
                """Note nothing."""

            async def finish(self, *given):
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await Fetch(
                handler.files, handler.blobs, Dying(), handler.fetcher, handler.max_bytes
            ).run(lease)
        await handler.run(await claimed(mill))
        assert len(outer.asked) == 1
    assert await bytes_of(mill, row) == data
    unit = await mill.repositories.units.get(f"fetch:{row.id}", 0)
    assert unit.state is UnitState.DONE


async def test_turns_end_and_the_next_one_goes_on(mill):
    data = png(600_000)
    async with source(a_png=file(data)) as outer:
        row = await mill.imports.begin(ANN, outer.url("/a.png"))
        async with working(mill, part_bytes=100_000, turn_seconds=0):
            await ended(mill, row)
        assert len(outer.asked) >= 5
    assert await bytes_of(mill, row) == data


async def test_turns_do_not_end_for_a_source_that_cannot_continue(mill):
    """It says a strong ETag and yet begins anew each time: a second turn would lose the first."""
    data = png(600_000)
    async with source(a_png=file(data, ranges=False)) as outer:
        row = await mill.imports.begin(ANN, outer.url("/a.png"))
        async with working(mill, part_bytes=100_000, turn_seconds=0):
            await ended(mill, row)
        assert len(outer.asked) == 2
    assert await bytes_of(mill, row) == data
