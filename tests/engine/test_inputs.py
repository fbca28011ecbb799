"""Several blobs are open together for as long as they are needed, from whatever store."""

import os
from pathlib import Path

import pytest

from mediamill.blobs.local import LocalBlobs
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.errors import NotFound
from mediamill.engine.inputs import opened_all


def open_now() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("local", [True, False])
async def test_several_are_open_in_their_order_and_closed_again(tmp_path: Path, local: bool):
    blobs = LocalBlobs(tmp_path / "blobs") if local else MemoryBlobs()
    for name in ("a", "b"):
        await blobs.put(name, name.encode())
    before = open_now()
    async with opened_all(blobs, ["b", "a"], tmp_path) as descriptors:
        assert [os.pread(one, 9, 0) for one in descriptors] == [b"b", b"a"]
    assert open_now() == before
    with pytest.raises(NotFound):
        async with opened_all(blobs, ["a", "none"], tmp_path):
            raise AssertionError("it was opened")
    assert open_now() == before
    await blobs.close()
