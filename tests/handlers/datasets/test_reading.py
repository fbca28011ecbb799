"""Members of an archive are read some at a time; what is wrong with one is its own."""

import io
import os
import zipfile
from pathlib import Path

from mediamill.core.errors import BrokenMedia, LimitExceeded
from mediamill.handlers.datasets import portions
from mediamill.handlers.datasets.bring import ZIP
from mediamill.handlers.datasets.portions import Reading
from mediamill.media.archive.read import read_members
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
