"""The metadata port: what every store does, and the contract that its test suite checks.

A store keeps records (`core/records.py`). All reads see every write acknowledged before them, save
listings of declared indexes on a store that `Lags`; listings by the key do on every store.
A write is acknowledged only when it is durable. There are no joins, no offsets, no scans: what is
listed is listed through a declared index, so the same repositories run on SQL and on DynamoDB.

Errors: `ConditionFailed` when a guard does not hold (nothing of the transaction is written;
`error.action` is the position of the first action whose guard failed), `Unavailable` when the
store cannot be reached or is too busy (the write may or may not have happened),
`ValueError` for a call that breaks the contract (too many actions or bytes, one key twice, an
undeclared index or field, a value that its column cannot hold, conditions that contradict each
other; `store/codec.py` and `store/calls.py` say which) and nothing is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from mediamill.core.records import Index, R, Record

T = TypeVar("T")

MAX_ACTIONS = 100
"""The most actions in one transaction: DynamoDB's limit."""

MAX_BYTES = 4_000_000
"""The most bytes of text and binary in one transaction: DynamoDB's limit is 4 MB."""

MAX_RECORD = 350_000
"""The most bytes of text and binary in one record: DynamoDB's limit is 400 kB."""

MAX_INDEXED = 500
"""The most bytes of a text or binary in a key or an index: DynamoDB takes 1024 of all together."""

MAX_PAGE = 1000
"""The most rows that one `query` returns."""


# -- conditions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Absent:
    """No record has this key."""


@dataclass(frozen=True)
class Exists:
    """A record has this key."""


@dataclass(frozen=True)
class Equals:
    """The record exists and its field has this value (`None` is a value)."""

    field: str
    value: Any


@dataclass(frozen=True)
class AtMost:
    """The record exists and its number is at most this; a missing number is not."""

    field: str
    value: int | float


@dataclass(frozen=True)
class AtLeast:
    """The record exists and its number is at least this; a missing number is not."""

    field: str
    value: int | float


Condition = Absent | Exists | Equals | AtMost | AtLeast


# -- actions ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Put:
    """Write a whole record, replacing what has its key."""

    record: Record
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Update:
    """Change fields of an existing record: `set` replaces values, `add` counts up or down.

    Without further conditions the record must still exist: an update never creates one. Adding
    to a number that is `None` counts from 0; a sum that does not fit 64 bits is a `ValueError`.
    Key fields cannot change, and a field is either set or added to.
    """

    kind: type[Record]
    key: tuple[Any, ...]
    set: dict[str, Any] = field(default_factory=dict)
    add: dict[str, int | float] = field(default_factory=dict)
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Delete:
    """Remove a record; removing what is not there is no error unless a condition says so."""

    kind: type[Record]
    key: tuple[Any, ...]
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Check:
    """Write nothing; the transaction holds only if the conditions do."""

    kind: type[Record]
    key: tuple[Any, ...]
    when: tuple[Condition, ...]


Action = Put | Update | Delete | Check


# -- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows in index order; `after` resumes behind the last one, `None` when none are left."""

    rows: tuple[T, ...]
    after: str | None = None


class Store(Protocol):
    """Records under conditions. One instance serves every task of a process; it is thread-bound."""

    async def get(self, kind: type[R], *key: Any) -> R | None:
        """Return the record with this key, or `None`."""

    async def get_many(self, kind: type[R], keys: Sequence[tuple[Any, ...]]) -> list[R | None]:
        """Return the record, or `None`, of each of at most 100 keys, in their order."""

    async def query(
        self,
        kind: type[R],
        index: Index,
        *partition: Any,
        at_least: Any = None,
        at_most: Any = None,
        after: str | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> Page[R]:
        """List records of one index partition in the order of its sort fields, then of the key.

        `at_least` and `at_most` bound the first sort field, both inclusive. `after` is the cursor
        of an earlier page of the same kind, index, partition and direction (`ValueError` if it is
        not); bounds and limit may differ. A page may hold fewer
        rows than `limit` (1…1000) only when no more follow. Rows come in sort order as text
        compares by code point and numbers by value.
        """

    async def transact(self, *actions: Action) -> None:
        """Apply at most 100 actions on distinct keys, all or none, guards checked first."""

    async def now(self) -> int:
        """Return the store's own time in milliseconds: the one that leases compare against."""

    async def close(self) -> None:
        """Finish what was accepted and release connections; the store is not used afterwards."""


@runtime_checkable
class Walks(Protocol):
    """A store that can hand out every record of a kind: for moves and tools, not for requests."""

    async def walk(
        self, kind: type[R], after: tuple[Any, ...] | None = None, limit: int = MAX_PAGE
    ) -> Sequence[R]:
        """Return the next records in key order, behind the one whose key is `after`."""


@runtime_checkable
class Lags(Protocol):
    """A store whose declared indexes follow its writes, instead of changing with them.

    A listing of one may lack a record whose place in it changed within the last `lag` milliseconds.
    What it shows is as it is now and belongs there: nothing that is gone, no old values.
    """

    lag: int


async def unsettled(store: Store, time: int) -> int:
    """Return for how long (ms) listings may still lack what was written by a time; mostly 0.

    Until then, that a listing shows nothing does not mean that there is nothing.
    """
    if not isinstance(store, Lags):
        return 0
    return max(0, time + store.lag - await store.now()) if store.lag else 0


@runtime_checkable
class Contends(Protocol):
    """A store where writers of one record wait for each other, or collide.

    What all of them add to is best spread over so many records, of which each takes any.
    """

    contenders: int


def spread(store: Store) -> int:
    """Return over how many records is spread what all writers of a store add to."""
    return store.contenders if isinstance(store, Contends) else 1


@runtime_checkable
class Versioned(Protocol):
    """A store that notes which programs may use it."""

    async def require_current(self) -> None:
        """Raise `ConfigurationError` once a newer program has come, and asks for such as it is."""


@runtime_checkable
class KnowsUse(Protocol):
    """A store that cannot be looked through, and keeps in mind whether it was taken into use."""

    async def is_unused(self) -> bool:
        """Tell whether neither a service nor a move ever began here."""

    async def take_into_use(self) -> None:
        """Note that one does; again does no harm."""


def key_index(kind: type[Record]) -> Index:
    """Describe a kind's own key as an index: list one partition in key order."""
    partition, *sort = kind.key.fields
    return Index("", (partition,), tuple(sort), kind.key.shards)
