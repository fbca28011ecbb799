"""SQL text made from the declarations; what differs between databases is in a `Dialect`.

Names are always quoted, columns always listed, so their order in the table does not matter. Text
compares by code point (SQLite's default; `COLLATE "C"` elsewhere), which the port promises.
"""
# ruff: noqa: S608 - names come quoted from declarations, values are always bound

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from mediamill.core.records import Index, Record
from mediamill.store.calls import Change, Guard, Listing
from mediamill.store.codec import Column, ColumnType, Layout, Primitive, layout_of

Values = tuple[Primitive, ...]


@dataclass(frozen=True)
class Dialect:
    """How one database spells what the others spell differently."""

    name: str
    placeholder: str
    types: tuple[tuple[ColumnType, str], ...]
    table_suffix: str = ""
    index_hint: str = ""
    """After the table in a query, with the index's name for `{}`; empty where there is none."""
    lock: str = ""
    """After a SELECT whose outcome must hold until the commit."""

    def type(self, column: Column) -> str:
        return dict(self.types)[column.type]


SQLITE = Dialect(
    name="sqlite",
    placeholder="?",
    types=(
        ("TEXT", "TEXT"),
        ("BIGINT", "INTEGER"),
        ("DOUBLE", "REAL"),
        ("BLOB", "BLOB"),
        ("JSON", "TEXT"),
    ),
    table_suffix=" STRICT",
    index_hint=' INDEXED BY "{}"',
)


POSTGRES = Dialect(
    name="postgres",
    placeholder="%s",
    types=(
        ("TEXT", 'TEXT COLLATE "C"'),
        ("BIGINT", "BIGINT"),
        ("DOUBLE", "DOUBLE PRECISION"),
        ("BLOB", "BYTEA"),
        ("JSON", 'TEXT COLLATE "C"'),
    ),
    lock=" FOR SHARE",
)


class Expect(Enum):
    """What a statement must find for the transaction to go on."""

    ANYTHING = 0
    CHANGED = 1
    """It changed a row."""
    FOUND = 2
    """It returned a row."""
    NOTHING = 3
    """It returned no row."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL text, its values, and what it must find."""

    sql: str
    values: Values
    expect: Expect = Expect.ANYTHING


class TableStatements:
    """The statements of one kind in one dialect; those that never vary are made once."""

    def __init__(self, layout: Layout[Any], dialect: Dialect) -> None:
        self.layout, self.dialect = layout, dialect
        self._mark = dialect.placeholder
        self._table = quote(layout.table)
        self._names = listed(layout.by_name)
        self._others = [name for name in layout.by_name if name not in layout.key]
        self._others_at = [list(layout.by_name).index(name) for name in self._others]
        self._key = " AND ".join(f"{quote(name)} = {self._mark}" for name in layout.key)
        marks = ", ".join([self._mark] * len(layout.columns))
        conflict = f"ON CONFLICT ({listed(layout.key)}) DO "
        self.get = f"SELECT {self._names} FROM {self._table} WHERE {self._key}"
        self._insert = f"INSERT INTO {self._table} ({self._names}) VALUES ({marks}) {conflict}"
        fresh = ", ".join(f"{quote(n)} = excluded.{quote(n)}" for n in self._others)
        self._upsert = self._insert + (f"UPDATE SET {fresh}" if fresh else "NOTHING")
        self._insert += "NOTHING"

    # -- writing ----------------------------------------------------------------------------

    def statement(self, change: Change) -> Statement:
        """Make the one statement that checks a change's guards and applies it."""
        match change.verb:
            case "put":
                return self._put(change)
            case "update":
                return self._update(change, change.set)
            case "delete":
                where, values = self._where(change)
                expect = Expect.CHANGED if change.guarded else Expect.ANYTHING
                return Statement(f"DELETE FROM {self._table} WHERE {where}", values, expect)
            case "check":
                return self._check(change)

    def _put(self, change: Change) -> Statement:
        if change.absent:
            return Statement(self._insert, change.row, Expect.CHANGED)
        if not change.guarded:
            return Statement(self._upsert, change.row)
        values = [change.row[at] for at in self._others_at]
        return self._update(change, dict(zip(self._others, values, strict=True)))

    def _update(self, change: Change, fresh: dict[str, Primitive]) -> Statement:
        parts = [f"{quote(name)} = {self._mark}" for name in fresh]
        parts += [
            f"{quote(name)} = COALESCE({quote(name)}, 0) + {self._mark}" for name in change.add
        ]
        if not parts:
            return self._check(change)
        where, values = self._where(change)
        sql = f"UPDATE {self._table} SET {', '.join(parts)} WHERE {where}"
        return Statement(sql, (*fresh.values(), *change.add.values(), *values), Expect.CHANGED)

    def _check(self, change: Change) -> Statement:
        where, values = self._where(change)
        sql = f"SELECT 1 FROM {self._table} WHERE {where}{self.dialect.lock}"
        return Statement(sql, values, Expect.NOTHING if change.absent else Expect.FOUND)

    def _where(self, change: Change) -> tuple[str, Values]:
        tests = [self._key, *(self._test(guard) for guard in change.guards)]
        wanted = (guard.value for guard in change.guards if guard.value is not None)
        return " AND ".join(tests), (*change.key, *wanted)

    def _test(self, guard: Guard) -> str:
        name = quote(guard.field)
        return f"{name} IS NULL" if guard.value is None else f"{name} {guard.test} {self._mark}"

    def get_many(self, keys: Sequence[Values]) -> Statement:
        """Make the query of several keys; rows come in any order, and none for what is absent."""
        one = f"({', '.join([self._mark] * len(self.layout.key))})"
        wanted = ", ".join([one] * len(keys))
        sql = f"SELECT {self._names} FROM {self._table} WHERE ({listed(self.layout.key)}) IN"
        return Statement(f"{sql} ({wanted})", tuple(value for key in keys for value in key))

    # -- listing ----------------------------------------------------------------------------

    def query(self, listing: Listing[Any]) -> Statement:
        """Make the query of a listing: it reads one index range and sorts nothing."""
        index, descending = listing.index, listing.descending
        tests, values = zip(*self._range(listing), strict=True)
        unset = [f"{quote(n)} IS NOT NULL" for n in self.layout.optional(index)]
        order = [quote(name) + (" DESC" if descending else "") for name in index.sort]
        sql = f"SELECT {self._names} FROM {self._table}"
        if index.name:
            sql += self.dialect.index_hint.format(index.name)
        sql += f" WHERE {' AND '.join([*tests, *unset])}"
        if order:
            sql += f" ORDER BY {', '.join(order)}"
        flat = tuple(value for group in values for value in group)
        return Statement(f"{sql} LIMIT {listing.limit + 1}", flat)

    def _range(self, listing: Listing[Any]) -> Iterator[tuple[str, Values]]:
        mark, index = self._mark, listing.index
        yield "1 = 1", ()
        for name, value in zip(index.partition, listing.partition, strict=True):
            yield f"{quote(name)} = {mark}", (value,)
        if listing.low is not None:
            yield f"{quote(index.sort[0])} >= {mark}", (listing.low,)
        if listing.high is not None:
            yield f"{quote(index.sort[0])} <= {mark}", (listing.high,)
        if listing.after:
            marks = ", ".join([mark] * len(index.sort))
            beyond = "<" if listing.descending else ">"
            yield f"({listed(index.sort)}) {beyond} ({marks})", listing.after

    # -- tables -----------------------------------------------------------------------------

    def ddl(self, if_absent: bool = False) -> Iterator[str]:
        """Yield the statements that create the table and its indexes."""
        guard = "IF NOT EXISTS " if if_absent else ""
        columns = [self._definition(column) for column in self.layout.columns]
        lines = ",\n    ".join([*columns, f"PRIMARY KEY ({listed(self.layout.key)})"])
        suffix = self.dialect.table_suffix
        yield f"CREATE TABLE {guard}{self._table} (\n    {lines}\n){suffix}"
        for index in self.layout.indexes:
            yield self._create_index(index, guard)

    def _definition(self, column: Column) -> str:
        missing = "" if column.nullable else " NOT NULL"
        return f"{quote(column.name)} {self.dialect.type(column)}{missing}"

    def _create_index(self, index: Index, guard: str) -> str:
        fields = listed((*index.partition, *index.sort))
        sql = f"CREATE INDEX {guard}{quote(index.name)} ON {self._table} ({fields})"
        unset = [f"{quote(name)} IS NOT NULL" for name in self.layout.optional(index)]
        return f"{sql}\n    WHERE {' AND '.join(unset)}" if unset else sql


@cache
def statements_of(kind: type[Record], dialect: Dialect) -> TableStatements:
    """Return the statements of a kind, made once per dialect."""
    return TableStatements(layout_of(kind), dialect)


def statements_for(changes: Sequence[Change], dialect: Dialect) -> list[Statement]:
    """Make the statements of a transaction, one per change and in their order."""
    return [statements_of(_kind(change), dialect).statement(change) for change in changes]


def count_of(kinds: Sequence[type[Record]]) -> Statement:
    """Make the query that counts the rows of these kinds, by table."""
    one = "SELECT '{0}', COUNT(*) FROM {1}"
    each = (one.format(kind.table, quote(kind.table)) for kind in kinds)
    return Statement(" UNION ALL ".join(each), ())


def _kind(change: Change) -> type[Record]:
    kind: type[Record] = change.layout.kind
    return kind


def quote(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Sequence[str] | dict[str, Any]) -> str:
    return ", ".join(quote(name) for name in names)
