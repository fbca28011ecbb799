"""What a snapshot says: the database, the lists of objects, the keys.

A list is some hundreds of objects in key order. Where one ends and the next begins is told by the
keys themselves, so what is added changes one list, and all the others are shared by snapshots.
"""

import secrets
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from mediamill.core.errors import BrokenMedia, Conflict

FORMAT = 1
USUAL = 1024
"""Objects of a list, about: one key in so many ends it."""
MOST = 16 * USUAL


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An object as it was: its key, size in bytes, time (ms) and SHA-256."""

    key: str
    size: int
    modified: int
    sha256: str


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of the rows."""

    kind: str
    """`sqlite`: the file; `postgresql`: what pg_dump wrote, in its custom format."""
    version: int
    """The version of its schema."""
    compatible: int
    """The least version that a program must know to use it."""
    size: int
    sha256: str
    blocks: list[str]
    """SHA-256 of its pieces, in order."""
    born: int = 0
    """When it was made (ms): what tells one installation from another."""


class Snapshot(msgspec.Struct, kw_only=True):
    """A backup of everything at one time."""

    id: str
    begun: int
    """Everything that was acknowledged before is in it (ms)."""
    started: int = 0
    """When the backup began (ms); bytes that were there are copied before the rows."""
    program: str
    """The version that made it."""
    database: Database
    lists: list[str]
    objects: int
    size: int
    """Bytes of the objects and of the database."""
    ended: int = 0
    fresh: int = 0
    """Bytes that were not at the place before."""
    missing: list[str] = []
    """Objects that rows name and that were not there: some of them, as of the next two."""
    damaged: list[str] = []
    """Objects that were not what their rows say, or that could not be read.

    Where the place has the content that the row tells, of these and of those before, the snapshot
    has it; else it has what was found.
    """
    cold: list[str] = []
    """Objects in cold storage that the place has not; they are not in the snapshot."""
    passing: list[str] = []
    """Some of what had come of uploads that became files since the rows were copied: no trouble.

    The rows have these uploads under way, and the next snapshot has the files.
    """
    counts: dict[str, int] = {}
    """How many are `missing`, `damaged` and `cold`."""
    keys: str = ""
    """The home's `secret` and `keyring`, sealed under a passphrase (`keys.py`); empty: apart."""
    format: int = FORMAT

    def digests(self) -> Iterator[str]:
        """Yield the content that the snapshot names itself; its lists name more."""
        yield from self.database.blocks
        yield from self.lists


def new_snapshot_id(now: int) -> str:
    """Make an id that sorts by time (ms)."""
    time = datetime.fromtimestamp(now / 1000, UTC)
    return f"{time:%Y%m%dT%H%M%S}.{now % 1000:03}Z-{secrets.token_hex(2)}"


def written(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Write entries, in key order, as lists."""
    some: list[Entry] = []
    for entry in entries:
        some.append(entry)
        if zlib.crc32(entry.key.encode()) % USUAL == 0 or len(some) == MOST:
            yield _packed(some)
            some = []
    if some:
        yield _packed(some)


def _packed(entries: list[Entry]) -> bytes:
    return zlib.compress(msgspec.json.Encoder().encode_lines(entries), 6)


def read_list(data: bytes) -> list[Entry]:
    """Read one list; raises `BrokenMedia`."""
    try:
        return msgspec.json.Decoder(Entry).decode_lines(zlib.decompress(data))
    except (zlib.error, msgspec.DecodeError) as error:
        raise BrokenMedia(f"A list of a backup cannot be read: {error}") from error


def read_snapshot(data: bytes, name: str) -> Snapshot:
    """Read a snapshot; raises `BrokenMedia`, and `Conflict` for one of a later program."""
    try:
        said: Any = msgspec.json.decode(data)
        if said.get("format") != FORMAT:
            raise Conflict(f"The snapshot {name} was made by a newer mediamill: use that.")
        return msgspec.convert(said, Snapshot)
    except (msgspec.MsgspecError, AttributeError) as error:
        raise BrokenMedia(f"The snapshot {name} cannot be read: {error}") from error
