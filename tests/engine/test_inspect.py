"""Looking at files: several in one call of a slot, and what of it one that is bad may spoil."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from mediamill.blobs.local import LocalBlobs
from mediamill.blobs.memory import MemoryBlobs
from mediamill.blobs.port import Blobs
from mediamill.core.errors import BrokenMedia
from mediamill.engine.inspect import Inspector, Viewed
from mediamill.engine.slots import Slot, SlotLimits, SlotPool
from mediamill.media.facts import Facts
from tests.handlers.files.test_fetch import png

FILES = {"a.txt": b"some text\n", "b.png": png(), "c.png": png()[:20], "d.txt": b"more text\n"}


@pytest.fixture
async def inspector(tmp_path: Path) -> AsyncIterator[Inspector]:
    pool = SlotPool(1, SlotLimits(timeout_seconds=20.0), scratch=tmp_path)
    yield Inspector(pool, tmp_path)
    await pool.close()


@pytest.fixture(params=["local", "memory"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    blobs = LocalBlobs(tmp_path / "blobs") if request.param == "local" else MemoryBlobs()
    yield blobs
    await blobs.close()


async def kept(blobs: Blobs) -> list[Viewed]:
    for name, data in FILES.items():
        await blobs.put(f"files/{name}", data)
    return [Viewed(f"files/{name}", name, data) for name, data in FILES.items()]


def told(found: object) -> str:
    return found.media_type if isinstance(found, Facts) else type(found).__name__


def inputs_open() -> list[str]:
    """List what this process has open of files that are looked at."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the listing's own
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [path for path in found if "/files+/" in path or "/input-" in path]


async def test_several_are_looked_at_as_each_would_be(inspector: Inspector, blobs: Blobs):
    found = await inspector.look_all(blobs, await kept(blobs))
    assert not inputs_open()
    assert [told(one) for one in found] == [
        "text/plain", "image/png", "BrokenMedia", "text/plain",
    ]  # fmt: skip
    one = await inspector.look(blobs, "files/b.png", "b.png", len(FILES["b.png"]))
    assert found[1] == one
    with pytest.raises(BrokenMedia) as alone:
        await inspector.look(blobs, "files/c.png", "c.png", 20)
    assert isinstance(found[2], BrokenMedia)
    assert found[2].message == alone.value.message
    assert await inspector.look_all(blobs, []) == []


@pytest.mark.parametrize(("times", "what"), [(1, "text/plain"), (3, "BrokenMedia")])
async def test_a_slot_that_ends_spoils_one_file_at_most(
    inspector: Inspector, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, times: int, what: str
):
    """Once it is the slot's own end; the file over which it ends twice more is told broken."""
    real, deaths = Slot.probe_all, iter(range(times))

    async def dying(slot, items):
        if next(deaths, None) is not None:
            os.kill((await slot.child()).pid, signal.SIGKILL)
        async for one in real(slot, items):
            yield one

    monkeypatch.setattr(Slot, "probe_all", dying)
    found = await inspector.look_all(blobs, await kept(blobs))
    assert [told(one) for one in found] == [what, "image/png", "BrokenMedia", "text/plain"]
