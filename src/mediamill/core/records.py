"""Records: frozen classes that declare their key and their indexes, and nothing about storage.

    class Note(Record, frozen=True):
        owner: str
        id: str
        text: str
        due: int | None = None

        key = Key("owner", "id")
        indexes = (Index("note_due", partition=("owner",), sort=("due", "id")),)

Fields hold `str`, `int`, `float`, `bool`, `bytes`, `None`, or anything msgspec can write as JSON
(tuples, dicts, nested structs). The first key field is the partition (DynamoDB's hash key), the
others order the rows within it. A record is in an index only while every field of the index is
set: an index over a field that is mostly `None` is sparse and costs only what is in it.

A store that partitions its data takes only so many writes a second with the same partition
(DynamoDB 1,000). Where all writers share one, `shards` says over how many it spreads it; listing
asks them all and merges. Other stores take no notice.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import msgspec

type_map: dict[str, type["Record"]] = {}
"""Every record class by its table name, filled as classes are defined."""


@dataclass(frozen=True)
class Key:
    """The names of the key fields: `partition`, then the sort fields."""

    fields: tuple[str, ...]
    shards: int = 1

    def __init__(self, *fields: str, shards: int = 1) -> None:
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "shards", shards)


@dataclass(frozen=True)
class Index:
    """A declared way to list records: equal in `partition`, ordered by `sort`.

    The sort fields end with enough of the key to be unique, so that a cursor names one place.
    """

    name: str
    partition: tuple[str, ...]
    sort: tuple[str, ...]
    shards: int = 1


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A row: immutable; a change is `record.evolve(state=…)` written under a condition."""

    table: ClassVar[str]
    key: ClassVar[Key]
    indexes: ClassVar[tuple[Index, ...]] = ()
    sealed: ClassVar[tuple[str, ...]] = ()
    """Fields that hold sealed texts, under the key in the field `sealed_by` (`core/sealing.py`)."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "table" in cls.__dict__:
            type_map[cls.table] = cls

    def evolve(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    def key_values(self) -> tuple[Any, ...]:
        """Return this record's key, in the order of its declaration."""
        return tuple(getattr(self, name) for name in self.key.fields)

    @classmethod
    def index(cls, name: str) -> Index:
        """Find a declared index by name; raises `KeyError`."""
        for index in cls.indexes:
            if index.name == name:
                return index
        raise KeyError(f"{cls.__name__} declares no index {name}")


R = TypeVar("R", bound=Record)
