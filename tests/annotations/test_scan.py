"""JSON that is read piece by piece is what the standard library reads, or is refused."""

import io
import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamill.annotations import scan
from mediamill.annotations.scan import Scanner
from mediamill.core.errors import InvalidInput, LimitExceeded

leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def read(data: bytes) -> dict[str, Any]:
    """Put the elements together again."""
    whole: dict[str, Any] = {}
    for name, place, value in Scanner(io.BytesIO(data)).elements():
        if isinstance(value, msgspec.DecodeError):
            raise InvalidInput(str(value))
        if place is None:
            whole[name] = value
        elif place == -1:
            whole[name] = []
        else:
            whole[name].append(value)
    return whole


@pytest.mark.parametrize(
    "chunk", [7, *(pytest.param(n, marks=pytest.mark.soak) for n in (1, 1 << 20))]
)
@settings(max_examples=8, deadline=None)
@given(whole=st.dictionaries(st.text(), values), indent=st.sampled_from([None, 2]))
def test_pieces_make_the_whole(chunk: int, whole: dict[str, Any], indent: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "CHUNK", chunk)
        assert read(json.dumps(whole, indent=indent).encode()) == whole


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{", b'{"a"', b'{"a":', b'{"a":1', b'{"a":[1,2', b'{"a":[1 2]}', b'{"a":1}x',
        b'{"a":[{"b":"c]}', b'{1:2}', b'{"a":,}', b'{"a":NaN}', b'{"images":[1e999e]}',
        b"\xff\xfe{", b'{"a":{"b":[1}}', b'{"a":"\\', b"{,}", b'{"a":1,}', b'{"a":[,]}', b'{"a":}',
    ],
)  # fmt: skip
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(data)


def test_depth_and_size_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LimitExceeded, match="nested"):
        read(b'{"a":' + b"[" * 200_000)
    monkeypatch.setattr(scan, "MAX_ELEMENT", 1 << 10)
    monkeypatch.setattr(scan, "CHUNK", 1 << 8)
    with pytest.raises(LimitExceeded, match="bytes"):
        read(b'{"a":"' + b"x" * 4096 + b'"}')


def test_position_grows_to_the_end() -> None:
    data = json.dumps({"images": [{"id": n} for n in range(100)]}).encode()
    scanner = Scanner(io.BytesIO(data))
    seen = [scanner.position for _ in scanner.elements()]
    assert all(one <= other for one, other in pairwise(seen))
    assert scanner.position == len(data)
