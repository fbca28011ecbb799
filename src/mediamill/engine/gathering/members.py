"""Which members of an archive a job takes, judged by their names alone, and where they lie."""

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from mimetypes import MimeTypes
from pathlib import PurePosixPath

from mediamill.core.errors import InvalidInput
from mediamill.engine.gathering.patterns import matcher
from mediamill.media.archive.read import Member
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Place

MAX_PATTERNS, MAX_PATTERN, MAX_PATTERNS_CHARACTERS = 500, 300, 60_000
"""Patterns of one request, characters of each, and of all."""
MAX_STARRED = 20
"""Of them patterns with a `*`: these are looked for all along every name."""
KEPT_MEMBERS = 100_000
"""Members of all archives whose directory is kept at a time."""

_FOREIGN = re.compile(r"(^|/)(__MACOSX|\.[^/]*)(/|$)")
_LEFT_OUT = frozenset({
    "frames.jsonl", "manifest.jsonl", "thumbs.db", "desktop.ini", "ds_store", ".ds_store",
})  # fmt: skip
"""What systems and we ourselves leave in archives, in lower case."""

_MEDIA = ("image/", "video/", "audio/")
_TYPES = MimeTypes()  # of Python's own tables only: the machine's may say anything


def check_patterns(patterns: Sequence[str]) -> None:
    """Raise `InvalidInput` for patterns that are too many, too long or empty."""
    if len(patterns) > MAX_PATTERNS or any(not 0 < len(one) <= MAX_PATTERN for one in patterns):
        message = f"Give at most {MAX_PATTERNS} patterns of 1 to {MAX_PATTERN} characters."
        raise InvalidInput(message)
    if sum(map(len, patterns)) > MAX_PATTERNS_CHARACTERS:
        message = f"Give patterns of at most {MAX_PATTERNS_CHARACTERS:,} characters together."
        raise InvalidInput(message)
    if sum("*" in one for one in patterns) > MAX_STARRED:
        raise InvalidInput(f"Give at most {MAX_STARRED} patterns with a “*”.")


def selection(
    patterns: Sequence[str], takes: Callable[[str], bool], known: Collection[str] = ()
) -> Callable[[str], bool]:
    """Return the test that says of a member's path whether it becomes an input.

    Folders, `__MACOSX/`, hidden files and indexes never do. With patterns exactly what matches one
    does, or is called so; without, whatever may be media by its name, and what the first step
    takes. What does not fit after all fails by itself. A pattern that is one of the `known` paths
    means that one only: it was picked, not described.
    """
    if patterns:
        names, described = frozenset(patterns), frozenset(patterns) - frozenset(known)
        matches = matcher(sorted(described))
        return lambda path: not _left_out(path) and (path in names or matches(path))
    return lambda path: not _left_out(path) and _may_fit(path, takes)


def _left_out(path: str) -> bool:
    return PurePosixPath(path).name.lower() in _LEFT_OUT or _FOREIGN.search(path) is not None


def _may_fit(path: str, takes: Callable[[str], bool]) -> bool:
    kind = guessed(path)
    return not kind or kind.startswith(_MEDIA) or takes(kind)


def guessed(path: str) -> str:
    """Return the media type that a name suggests, empty for none."""
    kind, encoding = _TYPES.guess_type(PurePosixPath(path).name, strict=False)
    return "application/octet-stream" if encoding else kind or ""


def entry_of(archive: str, member: Member, name: str = "") -> Entry:
    """Name a member as an input."""
    return Entry(archive, name or PurePosixPath(member.name).name, member.name, place_of(member))


def place_of(member: Member) -> Place:
    """Return where a member lies in its archive."""
    return Place(member.offset, member.size, member.compressed_size, member.method, member.crc32)


class Listings:
    """Finds members of archives by their paths; lists each archive once in a while."""

    def __init__(self, read: Callable[[File], Awaitable[Sequence[Member]]]) -> None:
        self._read = read
        self._kept: OrderedDict[str, Mapping[str, Member]] = OrderedDict()

    async def of(self, file: File) -> Mapping[str, Member]:
        """Return the members of an archive; raises what listing it raises."""
        if file.blob not in self._kept:
            self._kept[file.blob] = {member.name: member for member in await self._read(file)}
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT_MEMBERS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(file.blob)
        return self._kept[file.blob]
