"""What an ONNX file refers to, read from its bytes before a runtime opens it.

The file is a protocol buffer of the message `ModelProto` (onnx/onnx.proto3 in the ONNX repository,
whose field numbers are below). Only its skeleton is walked; weights are skipped, so a gigabyte
takes as long as a megabyte.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mediamill.core.errors import ProviderRefused

STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Domains of operators that the runtime brings; the last has those of quantised models."""
MOST_DEPTH = 40
"""Graphs inside graphs inside graphs, with the messages between them."""
MOST_MESSAGES = 2_000_000

Children = dict[int, str]
_SHAPES: dict[str, Children] = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 9: "opset"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
"""Which fields of a message hold which messages; others are skipped."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass
class References:
    """Where a model's weights lie beside its file, and whose operators it uses."""

    external: set[str] = field(default_factory=set)
    """Paths as the file gives them."""
    operators: set[tuple[str, str]] = field(default_factory=set)
    """Domain and name."""
    functions: set[tuple[str, str]] = field(default_factory=set)
    """Those that the file itself defines."""
    size: int = 0
    """Bytes of the file and of the weights beside it."""

    @property
    def mixes(self) -> bool:
        """Whether it rounds by what is in a whole batch, so that its rows are not independent."""
        return any(name.startswith("DynamicQuantize") for _, name in self.operators)

    @property
    def foreign(self) -> list[str]:
        """Operators that neither the runtime nor the file has."""
        used = {(domain, name) for domain, name in self.operators if domain not in STANDARD}
        return sorted(f"{domain}.{name}" for domain, name in used - self.functions)


def references(path: Path) -> References:
    """Read what a model refers to; raises `ProviderRefused` for a file that is no ONNX model."""
    found = References()
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as data:
            _Walk(data, found).message("model", 0, len(data), 0)
    except (ValueError, IndexError, UnicodeDecodeError, OSError) as error:
        raise ProviderRefused(f"{path.name} is not an ONNX model: {error}") from None
    if not found.operators:
        raise ProviderRefused(f"{path.name} is not an ONNX model: it has no operators")
    return found


def check_model(path: Path, folder: Path) -> References:
    """Refuse a model that reaches out of its folder or needs operators of others.

    Returns what it refers to. Raises `ProviderRefused`.
    """
    found = references(path)
    if found.foreign:
        raise ProviderRefused(
            f"{path.name} needs operators that ONNX Runtime does not bring: "
            f"{', '.join(found.foreign[:5])}. Libraries of operators are not loaded."
        )
    found.size = path.stat().st_size
    for location in sorted(found.external):
        beside = path.parent / location
        inside = not PurePosixPath(location).is_absolute() and "\0" not in location
        if not inside or not beside.resolve().is_relative_to(folder.resolve()):
            raise ProviderRefused(
                f"{path.name} keeps weights in “{location}”, which is outside its folder"
            )
        if not beside.is_file():
            raise ProviderRefused(f"{path.name} keeps weights in “{location}”, which is not there")
        found.size += beside.stat().st_size
    return found


class _Walk:
    def __init__(self, data: mmap.mmap, found: References) -> None:
        self._data, self._found, self._messages = data, found, 0

    def message(self, kind: str, start: int, end: int, depth: int) -> None:
        self._messages += 1
        if depth > MOST_DEPTH or self._messages > MOST_MESSAGES:
            raise ValueError("it is nested too deeply")
        texts: dict[int, str] = {}
        children = _SHAPES.get(kind, {})
        for number, (left, right) in self._fields(start, end):
            if number in children:
                self.message(children[number], left, right, depth + 1)
            elif number in _TEXTS.get(kind, ()):
                texts[number] = self._data[left:right].decode()
        self._note(kind, texts)

    def _note(self, kind: str, texts: dict[int, str]) -> None:
        if kind == "node":
            self._found.operators.add((texts.get(7, ""), texts.get(4, "")))
        elif kind == "function":
            self._found.functions.add((texts.get(10, ""), texts.get(1, "")))
        elif kind == "external" and texts.get(1) == "location":
            self._found.external.add(texts.get(2, ""))

    def _fields(self, start: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """List the number and the extent of every field that has a length."""
        at = start
        while at < end:
            tag, at = self._varint(at)
            number, wire = tag >> 3, tag & 7
            if wire == _VARINT:
                _, at = self._varint(at)
            elif wire == _FIXED64:
                at += 8
            elif wire == _FIXED32:
                at += 4
            elif wire == _BYTES:
                length, at = self._varint(at)
                if at + length > end:
                    raise ValueError("it is cut off")
                yield number, (at, at + length)
                at += length
            else:
                raise ValueError("it is no protocol buffer")
        if at != end:
            raise ValueError("it is cut off")

    def _varint(self, at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = self._data[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at
            if shift > 63:
                raise ValueError("it is no protocol buffer")


_TEXTS = {"node": (4, 7), "function": (1, 10), "external": (1, 2)}
"""Fields of a message that are read as text."""
