"""Records as items of the one table, and their places in its indexes.

An item has `_p`, the table's name and the first key field, and `_s`, the other key fields; for its
n-th declared index `_np` and `_ns`, each while all its fields are set; and its fields under their
own names, those that are None left out. So one set of secondary indexes, index0, index1 …, serves
all kinds, and an item is in those of which it has both halves.

A field that is missing was None, or who wrote the item did not know it: then it is read, compared
and counted from as its default (`Column.default`).

A partition that is spread over shards has the number of its shard as a last byte, which the CRC-32
of the record's key tells. So where a record is follows from its key alone.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mediamill.core.records import Index, Record
from mediamill.store.codec import Column, Layout, Primitive, layout_of
from mediamill.store.dynamodb.ordering import ordered

Item = dict[str, Any]
"""As the wire has it: a name and a value with its type, `{"size": {"N": "3"}}`."""

ALONE = b"\0"
"""The sort key of what has no sort fields: it may not be empty."""
MAX_SORT = 1024
"""Bytes of a sort key, DynamoDB's limit."""


@dataclass(frozen=True)
class Slot:
    """Half of a place in an index: an attribute, and the fields that it is made of."""

    attribute: str
    prefix: bytes
    fields: tuple[str, ...]
    shards: int = 1
    key: tuple[str, ...] = ()
    """The fields that tell the shard."""

    def value(self, row: dict[str, Primitive]) -> bytes | None:
        """Return the attribute of a row; None when one of the fields is unset."""
        encoded = self._encoded(row)
        if encoded is None or self.shards == 1:
            return encoded
        shard = zlib.crc32(ordered([row[name] for name in self.key])) % self.shards
        return encoded + bytes([shard])

    def everywhere(self, row: dict[str, Primitive]) -> list[bytes]:
        """Return the attribute in each of the shards; none when one of the fields is unset."""
        encoded = self._encoded(row)
        if encoded is None or self.shards == 1:
            return [] if encoded is None else [encoded]
        return [encoded + bytes([shard]) for shard in range(self.shards)]

    def _encoded(self, row: dict[str, Primitive]) -> bytes | None:
        values = [row[name] for name in self.fields]
        if any(value is None for value in values):
            return None
        encoded = self.prefix + ordered(values)
        if len(encoded) > MAX_SORT:
            raise ValueError(f"{', '.join(self.fields)}: {len(encoded)} bytes in an index")
        return encoded or ALONE


class Shape:
    """How one kind of records lies in the table."""

    def __init__(self, layout: Layout[Any]) -> None:
        self.layout = layout
        table = layout.table.encode() + b"\0"
        first, *rest = layout.key
        self.partition = Slot("_p", table, (first,), layout.key_index.shards, layout.key)
        self.sort = Slot("_s", b"", tuple(rest))
        self.slots = tuple(
            slot
            for n, index in enumerate(layout.indexes)
            for slot in (
                Slot(
                    f"_{n}p",
                    table + index.name.encode() + b"\0",
                    index.partition,
                    index.shards,
                    layout.key,
                ),
                Slot(f"_{n}s", b"", index.sort),
            )
        )

    def place(self, key: tuple[Primitive, ...]) -> tuple[bytes, bytes]:
        """Return the partition and the sort key of a record."""
        values = dict(zip(self.layout.key, key, strict=True))
        partition, sort = self.partition.value(values), self.sort.value(values)
        if partition is None or sort is None:
            raise ValueError("a key has no unset field")
        return partition, sort

    def key(self, key: tuple[Primitive, ...]) -> Item:
        """Return the key attributes of a record."""
        partition, sort = self.place(key)
        return {"_p": {"B": partition}, "_s": {"B": sort}}

    def item(self, row: tuple[Primitive, ...]) -> Item:
        """Return a record's item."""
        values = dict(zip(self.layout.by_name, row, strict=True))
        item = self.key(tuple(values[name] for name in self.layout.key))
        item |= {name: wire(value) for name, value in values.items() if value is not None}
        return item | {name: {"B": value} for name, value in self.places(values)}

    def places(self, values: dict[str, Primitive]) -> Iterator[tuple[str, bytes]]:
        """Yield the index attributes of a row; those with an unset field are left out."""
        for slot in self.slots:
            if (value := slot.value(values)) is not None:
                yield slot.attribute, value

    def row(self, item: Item) -> tuple[Primitive, ...]:
        """Read a record's row out of its item."""
        return tuple(_primitive(column, item.get(column.name)) for column in self.layout.columns)

    def of_index(self, index: Index) -> tuple[str | None, Slot, Slot]:
        """Return an index's name in the table, None for the key, and its two halves."""
        if index == self.layout.key_index:
            return None, self.partition, self.sort
        n = self.layout.indexes.index(index)
        return f"index{n}", self.slots[2 * n], self.slots[2 * n + 1]


_SHAPES: dict[type[Record], Shape] = {}


def shape_of(kind: type[Record]) -> Shape:
    """Return how a kind of records lies in the table, made once."""
    if kind not in _SHAPES:
        _SHAPES[kind] = Shape(layout_of(kind))
    return _SHAPES[kind]


def wire(value: Primitive) -> dict[str, Any]:
    """Write a value as the wire has it."""
    match value:
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case int() | float():
            return {"N": repr(value)}
    raise ValueError("None is left out")


def _primitive(column: Column, value: dict[str, Any] | None) -> Primitive:
    if value is None:
        return column.default
    if "N" in value:
        return float(value["N"]) if column.type == "DOUBLE" else int(value["N"])
    found: Primitive = value["S"] if "S" in value else bytes(value["B"])
    return found
