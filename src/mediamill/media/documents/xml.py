"""Read XML from strangers as a stream of events: no document types, so no entities, and bounds.

Names come without their namespaces, which are others in ISO 29500's strict form than in ECMA-376's
transitional one; attributes of relationships are `r:…`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NoReturn
from xml.parsers import expat

from mediamill.core.errors import BrokenMedia

MAX_DEPTH = 512
MAX_TOKEN = 4 << 20
"""Bytes of one tag: expat before 2.6 reads an unfinished one anew with each piece that comes."""
_PIECE = 1 << 17
_RELATIONSHIPS = "/relationships"
_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class Start:
    """An element begins."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """An element ends."""

    tag: str


Event = Start | End | str
"""A string is text, which may come in pieces."""


def events(stream: BinaryIO, name: str) -> Iterator[Event]:
    """Yield what an XML document holds, in order.

    Raises `BrokenMedia` for what is not well formed, has a document type, or is nested too deep.
    """
    found: list[Event] = []
    parser = _parser(found, name)
    fed = 0
    try:
        while piece := stream.read(_PIECE):
            parser.Parse(piece, False)
            fed += len(piece)
            if fed - parser.CurrentByteIndex > MAX_TOKEN:
                raise BrokenMedia(f"{name} has a tag of more than {MAX_TOKEN:,} bytes.")
            yield from found
            found.clear()
        parser.Parse(b"", True)
        yield from found
    except expat.ExpatError as error:
        why = f"{expat.ErrorString(error.code)}, line {error.lineno}"
        raise BrokenMedia(f"{name} is not well formed: {why}.") from None


def _parser(found: list[Event], name: str) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise BrokenMedia(f"{name} is nested more than {MAX_DEPTH} deep.")
        named = {_attribute(key): value for key, value in attributes.items()}
        found.append(Start(_local(tag), named))

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        found.append(End(_local(tag)))

    def refuse(*_: object) -> NoReturn:
        raise BrokenMedia(f"{name} has a document type, which no office document has.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.buffer_text = found.append, True
    parser.StartDoctypeDeclHandler = refuse
    return parser


def _local(tag: str) -> str:
    return tag.rpartition(_SEPARATOR)[2]


def _attribute(name: str) -> str:
    namespace, _, local = name.rpartition(_SEPARATOR)
    return f"r:{local}" if namespace.endswith(_RELATIONSHIPS) else local
