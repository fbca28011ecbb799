"""The parts of an office document and how they refer to each other (ECMA-376, part 2).

Relations to what lies outside the document are not followed, nor told.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mediamill.core.errors import BrokenMedia, LimitExceeded
from mediamill.media.archive.read import Member, open_member, read_members
from mediamill.media.documents.types import MAIN_PARTS
from mediamill.media.documents.xml import Event, Start, events

MAX_PARTS = 20_000
MAX_PART = 64 << 20
"""Bytes of one part, inflated."""
MAX_READ = 256 << 20
"""Bytes of all parts that are read, inflated."""
MAX_EVENTS = 3_000_000
"""Beginnings, ends and texts of elements in all parts: a megabyte of cells has one million."""


@dataclass(frozen=True)
class Relation:
    """A part that another refers to; `kind` is the last part of the relation's type."""

    kind: str
    target: str


class Package:
    """An office document, opened; parts are named without regard to letter case."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name, self._left = stream, name, MAX_READ
        self._events = MAX_EVENTS
        self._members: dict[str, Member] = {}
        for member in read_members(stream, MAX_PARTS):
            self._members.setdefault(member.name.lower(), member)

    def main(self, media_type: str) -> str:
        """Return the name of the main part; raises `BrokenMedia` without one."""
        pattern = MAIN_PARTS[media_type]
        found = next((part for part in self._members if pattern.fullmatch(part)), None)
        if found is None:
            raise BrokenMedia(f"{self._name} has no main part.")
        return found

    def has(self, part: str) -> bool:
        """Tell whether there is a part of a name."""
        return part.lower() in self._members

    def events(self, part: str) -> Iterator[Event]:
        """Yield the events of a part; none where there is no such part.

        Raises `BrokenMedia`, and `LimitExceeded` for a part or a document that is too large.
        """
        member = self._members.get(part.lower())
        if member is None:
            return
        self._left -= member.size
        if member.size > MAX_PART or self._left < 0:
            most = MAX_PART if member.size > MAX_PART else MAX_READ
            message = f"{self._name} unpacks to more than {most:,} bytes ({part}); split it."
            raise LimitExceeded(message, limit=most)
        with open_member(self._stream, member, MAX_PART) as content:
            for event in events(content, f"{self._name}, {part},"):
                self._events -= 1
                if self._events < 0:
                    message = f"{self._name} has more than {MAX_EVENTS:,} elements; split it."
                    raise LimitExceeded(message, limit=MAX_EVENTS)
                yield event

    def relations(self, part: str) -> dict[str, Relation]:
        """Return what a part refers to inside the document, by id."""
        folder, _, last = part.rpartition("/")
        return {
            event.attributes["Id"]: Relation(
                event.attributes.get("Type", "").rpartition("/")[2],
                _resolved(folder, event.attributes.get("Target", "")),
            )
            for event in self.events(f"{folder}/_rels/{last}.rels")
            if isinstance(event, Start)
            and event.tag == "Relationship"
            and event.attributes.get("TargetMode") != "External"
            and "Id" in event.attributes
        }

    def related(self, part: str, kind: str) -> list[str]:
        """Return the names of the parts of a kind that a part refers to."""
        return [found.target for found in self.relations(part).values() if found.kind == kind]


def _resolved(folder: str, target: str) -> str:
    """Return the part that a target means; whatever it says, it names none but a member."""
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
