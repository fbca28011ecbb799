"""Checked calls: what a store is asked to do, validated and translated to primitives once.

Every store takes its `Listing`s and `Change`s from here, so all refuse the same mistakes with the
same `ValueError` and hand out the same cursors. A cursor is the base64url of a JSON array: a check
over kind, index, partition, direction and values, then the sort values of the page's last row.
Bounds and limit may change from page to page.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal

import msgspec

from mediamill.core.records import Index, R, Record
from mediamill.store.codec import Layout, Primitive, encode_number, layout_of, python_type
from mediamill.store.port import (
    MAX_ACTIONS,
    MAX_BYTES,
    MAX_PAGE,
    MAX_RECORD,
    Absent,
    Action,
    AtLeast,
    AtMost,
    Check,
    Condition,
    Delete,
    Equals,
    Exists,
    Page,
    Put,
    Update,
)

Test = Literal["=", "<=", ">="]


@dataclass(frozen=True)
class Guard:
    """A field of an existing record compared with a primitive."""

    field: str
    test: Test
    value: Primitive


@dataclass(frozen=True)
class Change:
    """One action: exactly what is written (`row`, or `set` and `add`) under which guards."""

    verb: Literal["put", "update", "delete", "check"]
    layout: Layout[Any]
    key: tuple[Primitive, ...]
    guarded: bool
    """The record must exist and pass every guard."""
    absent: bool
    """The record must not exist."""
    guards: tuple[Guard, ...] = ()
    row: tuple[Primitive, ...] = ()
    set: dict[str, Primitive] = field(default_factory=dict)
    add: dict[str, int | float] = field(default_factory=dict)

    def size(self) -> int:
        """Sum the bytes of text and binary that it carries."""
        values = (*self.key, *self.row, *self.set.values())
        return sum(_size(value) for value in values)


def changes_of(actions: Sequence[Action]) -> list[Change]:
    """Check the actions of one transaction; raises `ValueError` for a broken contract."""
    if len(actions) > MAX_ACTIONS:
        raise ValueError(f"{len(actions)} actions in one transaction; at most {MAX_ACTIONS}")
    changes = [_change(action) for action in actions]
    if len({(change.layout.table, change.key) for change in changes}) < len(changes):
        raise ValueError("two actions of one transaction on the same key")
    sizes = [change.size() for change in changes]
    if max(sizes, default=0) > MAX_RECORD:
        raise ValueError(f"more than {MAX_RECORD} bytes in one record")
    if sum(sizes) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes in one transaction")
    return changes


def condition_failed(change: Change) -> str:
    """Describe a failed guard without the record's values."""
    wanted = "absent" if change.absent else "in the expected state"
    return f"A record in {change.layout.table} is not {wanted}."


def _change(action: Action) -> Change:
    match action:
        case Put(record, when):
            layout = layout_of(type(record))
            row = layout.encode(record)
            key = layout.encode_key(record.key_values())
            return Change("put", layout, key, *_guards(layout, when), row=row)
        case Update(kind, key_values, to_set, to_add, when):
            return _update(layout_of(kind), key_values, to_set, to_add, when)
        case Delete(kind, key_values, when):
            layout = layout_of(kind)
            return _present("delete", layout, key_values, when)
        case Check(kind, key_values, when):
            layout = layout_of(kind)
            if not when:
                raise ValueError("a check without a condition cannot fail")
            key = layout.encode_key(key_values)
            return Change("check", layout, key, *_guards(layout, when))


def _update(
    layout: Layout[Any],
    key: tuple[Any, ...],
    to_set: dict[str, Any],
    to_add: dict[str, int | float],
    when: tuple[Condition, ...],
) -> Change:
    for name in (*to_set, *to_add):
        if name in layout.key:
            raise ValueError(f"{layout.table}.{name} is in the key and cannot change")
        if name in to_set and name in to_add:
            raise ValueError(f"{layout.table}.{name} is both set and added to")
    fresh = {name: layout.column(name).encode(value) for name, value in to_set.items()}
    more = {name: _summand(layout, name, value) for name, value in to_add.items()}
    return _present("update", layout, key, (*when, Exists()), set=fresh, add=more)


def _present(
    verb: Literal["update", "delete"],
    layout: Layout[Any],
    key: tuple[Any, ...],
    when: tuple[Condition, ...],
    **more: Any,
) -> Change:
    change = Change(verb, layout, layout.encode_key(key), *_guards(layout, when), **more)
    if change.absent:
        raise ValueError(f"to {verb} what must be absent is a contradiction")
    return change


def _summand(layout: Layout[Any], name: str, value: Any) -> int | float:
    column = layout.column(name)
    if not column.number or value is None:
        raise ValueError(f"{layout.table}.{name} is not a number that can be counted")
    encoded = column.encode(value)
    assert isinstance(encoded, int | float)  # noqa: S101 - what a number's column encodes to
    return encoded


def _guards(
    layout: Layout[Any], when: tuple[Condition, ...]
) -> tuple[bool, bool, tuple[Guard, ...]]:
    guards = tuple(g for condition in when for g in _guard(layout, condition))
    absent = any(isinstance(condition, Absent) for condition in when)
    if absent and not all(isinstance(condition, Absent) for condition in when):
        raise ValueError("absent and another condition on the same record")
    return bool(when) and not absent, absent, guards


def _guard(layout: Layout[Any], condition: Condition) -> tuple[Guard, ...]:
    match condition:
        case Absent() | Exists():
            return ()
        case Equals(name, value):
            return (Guard(name, "=", layout.column(name).encode(value)),)
        case AtMost(name, value) | AtLeast(name, value):
            if not layout.column(name).number:
                raise ValueError(f"{layout.table}.{name} is not a number that can be compared")
            test: Test = "<=" if isinstance(condition, AtMost) else ">="
            try:
                return (Guard(name, test, encode_number(value)),)
            except TypeError as error:
                raise ValueError(f"{layout.table}.{name}: {error}") from error
    raise ValueError(f"{condition!r} is not a condition")


def _size(value: Primitive) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    return len(value) if isinstance(value, bytes) else 8


# -- listing ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing(Generic[R]):
    """One page that is asked for: rows of a partition between `low` and `high`, behind `after`."""

    layout: Layout[R]
    index: Index
    partition: tuple[Primitive, ...]
    low: Primitive
    high: Primitive
    after: tuple[Primitive, ...] | None
    limit: int
    descending: bool

    def page(self, rows: Sequence[tuple[Primitive, ...]]) -> Page[R]:
        """Make the page of up to `limit + 1` rows: the extra one says that more follow."""
        more = len(rows) > self.limit
        after = self._cursor(rows[self.limit - 1]) if more else None
        return Page(tuple(self.records(rows)), after)

    def records(self, rows: Sequence[tuple[Primitive, ...]]) -> list[R]:
        """Make records of these rows, without the extra one."""
        return [self.layout.decode(row) for row in rows[: self.limit]]

    def _cursor(self, row: tuple[Primitive, ...]) -> str:
        names = [column.name for column in self.layout.columns]
        values = [row[names.index(name)] for name in self.index.sort]
        text = msgspec.json.encode([_seal(self, values), *values])
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def listing_of(
    kind: type[R],
    index: Index,
    partition: tuple[Any, ...],
    *,
    at_least: Any,
    at_most: Any,
    after: str | None,
    limit: int,
    descending: bool,
) -> Listing[R]:
    """Check a query; raises `ValueError` for a broken contract or a cursor of another query."""
    layout = layout_of(kind)
    declared = layout.index(index)
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"a page of {limit} rows; 1 to {MAX_PAGE} can be asked for")
    equal = layout.encode_fields(declared.partition, partition)
    low = _bound(layout, index, at_least)
    high = _bound(layout, index, at_most)
    first = Listing(layout, declared, equal, low, high, None, limit, descending)
    return first if after is None else _behind(first, _resume(first, after))


def walk_of(kind: type[R], after: tuple[Any, ...] | None, limit: int) -> Listing[R]:
    """Check a walk over all records of a kind: a listing in key order, in no partition."""
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"a page of {limit} rows; 1 to {MAX_PAGE} can be asked for")
    layout = layout_of(kind)
    behind = None if after is None else layout.encode_key(after)
    return Listing(layout, Index("", (), layout.key), (), None, None, behind, limit, False)


def keys_of(kind: type[Record], keys: Sequence[tuple[Any, ...]]) -> list[tuple[Primitive, ...]]:
    """Check and translate at most 100 keys."""
    if len(keys) > MAX_ACTIONS:
        raise ValueError(f"{len(keys)} keys at once; at most {MAX_ACTIONS}")
    layout = layout_of(kind)
    return [layout.encode_key(tuple(key)) for key in keys]


def _bound(layout: Layout[Any], index: Index, value: Any) -> Primitive:
    if value is None:
        return None
    if not index.sort:
        raise ValueError(f"{layout.table}: this index has no sort field to bound")
    return layout.by_name[index.sort[0]].encode(value)


def _behind(listing: Listing[R], after: tuple[Primitive, ...]) -> Listing[R]:
    """Go on behind a row: of it and the bound on the same side only the closer one is kept.

    Given both, a database may walk the index from the farther one: every page from the beginning.
    """
    bound: Any = listing.high if listing.descending else listing.low
    place: Any = after[0] if after else None
    if bound is not None and (place > bound if listing.descending else place < bound):
        return listing
    side: Any = {"high": None} if listing.descending else {"low": None}
    return replace(listing, after=after, **side)


def _resume(listing: Listing[Any], cursor: str) -> tuple[Primitive, ...]:
    columns = [listing.layout.by_name[name] for name in listing.index.sort]
    shape: Any = tuple.__class_getitem__((str, *map(python_type, columns)))
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        seal, *values = msgspec.json.decode(text, type=shape)
    except (ValueError, TypeError, msgspec.MsgspecError):
        raise ValueError("this is not a cursor") from None
    if seal != _seal(listing, values):
        raise ValueError("this cursor belongs to another query")
    return tuple(values)


def _seal(listing: Listing[Any], values: list[Primitive]) -> str:
    """Bind a cursor to its query: not a secret, since it opens nothing beyond the partition."""
    where = [listing.layout.table, listing.index.name, listing.partition, listing.descending]
    return hashlib.blake2b(msgspec.json.encode([where, values]), digest_size=6).hexdigest()
