"""Tars made of layouts: Python's own reader takes them, and any range is what the whole has."""

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamill.media.archive import layout, tar
from mediamill.media.archive.layout import Member

NAMES = ["train/a.jpg", "b/" + "c" * 150 + ".png", "naïve/ü.jpg", "0", "x" * 100, "y" * 101]


def made(sizes):
    data = {str(n): bytes([65 + n]) * (size + 3) for n, size in enumerate(sizes)}
    members = [
        Member(NAMES[n % len(NAMES)] + f".{n}" * (n >= len(NAMES)), size, 0, str(n), 3)
        for n, size in enumerate(sizes)
    ]
    summary = tar.TarSummary()
    for member in members:
        summary.add(member)

    async def lines():
        for member in members:
            yield member

    async def read(blob, start, stop):
        yield data[blob][start:stop]

    async def some(start, stop):
        return b"".join([chunk async for chunk in tar.stream(lines, read, start, stop)])

    return members, summary, some


@pytest.mark.parametrize("sizes", [[], [0], [1, 511, 512, 513, 0, 70_000, 5]])
async def test_pythons_reader_takes_it(sizes):
    members, summary, some = made(sizes)
    whole = await some(0, summary.size)
    assert len(whole) == summary.size
    assert whole == await some(0, summary.size)
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as archive:
        found = archive.getmembers()
        assert [(one.name, one.size) for one in found] == [(m.name, m.size) for m in members]
        assert [archive.extractfile(one).read() for one in found] == [
            bytes([65 + n]) * size for n, size in enumerate(sizes)
        ]
        assert {(one.mode, one.mtime, one.uid) for one in found} <= {(0o644, 0, 0)}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 1_300), max_size=7), st.data())
async def test_any_range_is_what_the_whole_has(sizes, data):
    _, summary, some = made(sizes)
    whole = await some(0, summary.size)
    start = data.draw(st.integers(0, summary.size))
    stop = data.draw(st.integers(start, summary.size))
    assert await some(start, stop) == whole[start:stop]


def test_a_size_beyond_a_header_is_in_a_pax_header():
    head = tar.header(Member("big.jpg", 9 << 30, 0, "b"))
    assert len(head) == 1536
    assert b"path=" not in head
    assert b"size=9663676416\n" in head


async def test_pieces_are_put_together(monkeypatch):
    monkeypatch.setattr(layout, "GATHERED", 100)
    closed = []

    async def pieces():
        try:
            for size in (1, 60, 39, 250, 7, 8):
                yield b"x" * size
        finally:
            closed.append(True)

    found = layout.gathered(pieces())
    assert [len(chunk) async for chunk in found] == [100, 250, 15]
    begun = layout.gathered(pieces())
    assert len(await anext(begun)) == 100
    await begun.aclose()
    assert closed == [True, True]
