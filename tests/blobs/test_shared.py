"""A folder that others use too: it may go, be seen late, lack links, and keep another time."""

import errno
import os
from pathlib import Path

import pytest

from mediamill.blobs.local import LocalBlobs, incoming
from mediamill.core.clock import DAY, HOUR, FixedClock, SystemClock
from mediamill.core.errors import NotFound, Unavailable


@pytest.fixture
async def blobs(tmp_path):
    found = await LocalBlobs.open(f"file://{tmp_path}/root", setting="X", min_free_bytes=0)
    await found.put("a/b", b"bytes")
    yield found
    await found.close()


async def drain(blobs: LocalBlobs, key: str) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key)])


@pytest.fixture
def uses(blobs: LocalBlobs, tmp_path: Path):
    """Everything that is asked of an object."""
    made = tmp_path / "made"
    made.write_bytes(b"made")
    return {
        "get": lambda: blobs.get("a/b"),
        "info": lambda: blobs.info("a/b"),
        "read": lambda: drain(blobs, "a/b"),
        "open": lambda: blobs.open_descriptor("a/b"),
        "copy": lambda: blobs.copy("a/b", "a/c"),
        "delete": lambda: blobs.delete("a/b"),
        "put": lambda: blobs.put("new", b"x"),
        "adopt": lambda: blobs.adopt("new", made),
        "sweep": lambda: blobs.sweep(0),
    }


@pytest.mark.parametrize(
    "use", ["get", "info", "read", "open", "copy", "delete", "put", "adopt", "sweep"]
)
@pytest.mark.parametrize("empty", [True, False])
async def test_nothing_is_missing_or_written_while_the_folder_is_gone(blobs, uses, use, empty):
    away = blobs.root.with_name("away")
    blobs.root.rename(away)
    if empty:  # what is left of a mount
        blobs.root.mkdir()
    with pytest.raises(Unavailable, match="mount"):
        await uses[use]()
    if empty:
        assert [*blobs.root.iterdir()] == []
        blobs.root.rmdir()
    assert not blobs.root.exists()
    away.rename(blobs.root)
    assert await blobs.get("a/b") == b"bytes"
    await blobs.put("new", b"y")


@pytest.mark.parametrize(("kind", "late"), [("nfs4", True), (None, None)])
async def test_on_a_network_an_absence_may_pass(blobs, monkeypatch, kind, late):
    monkeypatch.setattr(incoming, "network_type", lambda path: kind)
    for ask in (blobs.get, blobs.info, blobs.open_descriptor, lambda key: drain(blobs, key)):
        with pytest.raises(NotFound) as caught:
            await ask("a/none")
        assert caught.value.details.get("late") is late
    await blobs.delete("a/none")
    assert await blobs.open_descriptors(["a/none"]) == [None]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES])
async def test_where_there_are_no_links_a_copy_is_made(blobs, monkeypatch, code):
    def refuse(path: Path, origin: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    await blobs.copy("a/b", "a/c")
    await blobs.delete("a/b")
    assert await blobs.get("a/c") == b"bytes"


@pytest.mark.parametrize("wrong", [-DAY, 0, DAY])
async def test_what_is_being_written_is_not_swept_whatever_the_writers_clock(tmp_path, wrong):
    now = SystemClock().now()
    blobs = LocalBlobs(tmp_path, clock=FixedClock(now + wrong))
    async with blobs.upload("slow") as upload:
        await upload.write(b"x")
        assert await blobs.sweep(now - HOUR) == 0
        await upload.commit()
    assert await blobs.get("slow") == b"x"
    await blobs.close()


async def test_what_nobody_has_written_to_for_long_is_swept(tmp_path):
    long_ago = SystemClock().now() - DAY
    blobs = LocalBlobs(tmp_path, clock=FixedClock(long_ago))
    async with blobs.upload("left"):
        (file,) = (tmp_path / ".incoming").iterdir()
        os.utime(file, (long_ago / 1000, long_ago / 1000))
        assert await blobs.sweep(long_ago + HOUR) == 1
    await blobs.close()
