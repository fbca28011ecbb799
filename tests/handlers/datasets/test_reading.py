"""Members of an archive are read some at a time; what is wrong with one is its own."""

import asyncio
import io
import os
import zipfile
from pathlib import Path

from mediamill.core.errors import BrokenMedia, LimitExceeded
from mediamill.handlers.datasets import portions
from mediamill.handlers.datasets.bring import ZIP
from mediamill.handlers.datasets.portions import Reading
from mediamill.media.archive.read import Member, read_members
from mediamill.operations.work import Source


def test_what_is_wrong_with_a_member_is_its_own(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(portions, "MOST_BYTES", 500_000)
    sizes = {"a": 300_000, "large": 500_001, "broken": 20, "b": 10}
    with zipfile.ZipFile(path := tmp_path / "set.zip", "w") as archive:
        for name, size in sizes.items():
            packed = zipfile.ZIP_DEFLATED if name == "a" else zipfile.ZIP_STORED
            archive.writestr(name, name[:1].encode() * size, packed)
    data = bytearray(path.read_bytes())
    data[data.index(b"b" * 20)] = 0
    path.write_bytes(data)
    members = read_members(io.BytesIO(data))
    descriptor = os.open(path, os.O_RDONLY)
    source = Source(descriptor, "set.zip", ZIP, len(data))
    found = dict(zip(sizes, Reading(source, cut=False).all(members), strict=True))
    os.close(descriptor)
    assert (found["a"], found["b"]) == (b"a" * 300_000, b"b" * 10)
    assert isinstance(found["large"], LimitExceeded)
    assert isinstance(found["broken"], BrokenMedia)


def test_portions_are_bounded_by_number_and_bytes_and_always_the_same():
    def members(*sizes):
        return [Member(f"{n}", size, 0, 0, 0, size) for n, size in enumerate(sizes)]

    large, some = portions.MOST_BYTES, [1000] * 30
    found = [*portions.portions(members(*some, large, 1), 5)]
    counts = [(one.start, one.end, one.size) for one in found]
    most = portions.TOGETHER
    assert counts == [
        (5, 5 + most, 1000 * most), (5 + most, 35, 1000 * (30 - most)), (35, 36, large),
        (36, 37, 1),
    ]  # fmt: skip


async def test_portions_wait_for_room_in_memory():
    held = portions.Held(100)
    await held.take(1000)  # more than there is room for, but nothing else is there
    waiting = asyncio.create_task(held.take(60))
    await asyncio.sleep(0)
    assert not waiting.done()
    held.give(1000)
    await waiting
    await held.take(40)
    waiting = asyncio.create_task(held.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    held.give(60)
    await waiting
