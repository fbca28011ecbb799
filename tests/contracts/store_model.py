"""R17: a store beside the one in memory under random calls; they never differ."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.contracts.store_contract import Colour, Point, Thing

from mediamill.core.errors import ConditionFailed
from mediamill.store.memory import MemoryStore
from mediamill.store.port import (
    Absent,
    AtLeast,
    AtMost,
    Check,
    Delete,
    Equals,
    Exists,
    Put,
    Store,
    Update,
    Walks,
    key_index,
)

GROUPS = st.sampled_from(["a", "ä😀"])
ORDERS = st.sampled_from([-1, 0, 2, 10])
SMALL = st.integers(-3, 3)
INTS = st.one_of(SMALL, SMALL, SMALL, st.sampled_from([-(2**63), 2**63 - 1]))
FLOATS = st.sampled_from([-1.5, -0.25, 0.0, 0.5, 1.0, 3.25])
TEXTS = st.one_of(
    st.sampled_from(["", "a", "A", "ä", "\U0010ffff", "\uffff"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
)
BYTES = st.binary(max_size=2)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "owner": st.sampled_from(["o", "p"]),
    "text": TEXTS,
    "due": st.none() | SMALL,
    "count": INTS,
    "maybe": st.none() | INTS,
    "ratio": FLOATS,
    "share": st.none() | FLOATS,
    "flag": st.booleans(),
    "told": st.none() | st.booleans(),
    "raw": BYTES,
    "blob": st.none() | BYTES,
    "colour": st.none() | st.sampled_from(Colour),
    "where": st.none() | st.builds(Point, SMALL, FLOATS),
    "tags": st.lists(TEXTS, max_size=2).map(tuple),
    "table_": st.dictionaries(st.sampled_from(["b", "a"]), SMALL),
}
NUMBERS = ["count", "maybe", "ratio", "share", "due"]
SOME = st.fixed_dictionaries({}, optional=FIELDS)


def of_field(name: str) -> st.SearchStrategy[Equals]:
    return FIELDS[name].map(lambda value: Equals(name, value))


PRESENT = st.one_of(
    st.just(Exists()),
    st.sampled_from(sorted(FIELDS)).flatmap(of_field),
    st.builds(AtMost, st.sampled_from(NUMBERS), SMALL | FLOATS),
    st.builds(AtLeast, st.sampled_from(NUMBERS), SMALL | FLOATS),
)
WHEN = st.one_of(st.just(()), st.just((Absent(),)), st.lists(PRESENT, max_size=1).map(tuple))
HELD = st.lists(PRESENT, max_size=1).map(tuple)
KEYS = st.tuples(GROUPS, ORDERS)


def things(key: tuple[str, int], fields: dict[str, Any]) -> Thing:
    return Thing(group=key[0], order=key[1], **fields)


def updates(key: Any, to_set: dict[str, Any], add: dict[str, Any], when: Any) -> Update:
    whole = {n: int(v) if n in ("count", "maybe", "due") else v for n, v in add.items()}
    return Update(Thing, key, {n: v for n, v in to_set.items() if n not in add}, whole, when)


def key_of(record: Thing) -> tuple[Any, ...]:
    return record.key_values()


ADDS = st.dictionaries(st.sampled_from(NUMBERS), SMALL | FLOATS, max_size=3)
ACTIONS = st.one_of(
    st.builds(Put, st.builds(things, KEYS, SOME), WHEN),
    st.builds(updates, KEYS, SOME, ADDS, HELD),
    st.builds(Delete, st.just(Thing), KEYS, HELD),
    st.builds(Check, st.just(Thing), KEYS, st.just((Absent(),)) | HELD),
)
BOUNDS = {"due": SMALL, "text": TEXTS, "ratio": FLOATS, "raw": BYTES, "flag": st.booleans()}


async def outcome(call: Any) -> Any:
    """Return what a call gives, or the kind of its error."""
    try:
        return await call
    except ConditionFailed as error:
        return "failed", error.action
    except ValueError:
        return "refused"


class StoresAgree(RuleBasedStateMachine):
    """Each rule asks both stores the same and compares the answers, cursors included."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: Store = MemoryStore()
        self.real: Store = self.runner.run(self.opened())
        self.page: Any = None

    async def opened(self) -> Store:
        """Open the store that is compared, empty, with `KINDS`."""
        raise NotImplementedError

    def teardown(self) -> None:
        self.runner.run(self.real.close())
        self.runner.close()

    def both(self, method: str, *args: Any, **how: Any) -> Any:
        async def ask() -> tuple[Any, Any]:
            expected = await outcome(getattr(self.model, method)(*args, **how))
            return expected, await outcome(getattr(self.real, method)(*args, **how))

        expected, found = self.runner.run(ask())
        assert found == expected
        return found

    @initialize(records=st.lists(st.builds(things, KEYS, SOME), max_size=8, unique_by=key_of))
    def fill(self, records: list[Thing]) -> None:
        self.both("transact", *(Put(record) for record in records))

    @rule(actions=st.lists(ACTIONS, max_size=4))
    def transact(self, actions: list[Any]) -> None:
        self.both("transact", *actions)

    @rule(record=st.builds(things, KEYS, SOME))
    def put(self, record: Thing) -> None:
        self.both("transact", Put(record))

    @rule(change=st.builds(updates, KEYS, SOME, ADDS, st.just(())))
    def update(self, change: Update) -> None:
        self.both("transact", change)
        self.both("get", Thing, *change.key)

    @rule(data=st.data(), key=KEYS, change=st.builds(updates, KEYS, SOME, ADDS, st.just(())))
    def transact_on_what_is_there(self, data: Any, key: Any, change: Update) -> None:
        """Guard with what the record holds now, so that the transaction mostly succeeds."""
        found = self.both("get", Thing, *key)
        if found is None or change.key == key:
            return
        names = data.draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=3))
        guards = tuple(Equals(name, getattr(found, name)) for name in names)
        last = data.draw(
            st.sampled_from(
                [
                    Delete(Thing, key, guards),
                    Check(Thing, key, (*guards, Exists())),
                    Put(Thing(group=key[0], order=key[1], **data.draw(SOME)), guards),
                    replace(change, key=key, when=guards),
                ]
            )
        )
        self.both("transact", change, last)

    @rule(keys=st.lists(KEYS, max_size=6))
    def get_many(self, keys: list[Any]) -> None:
        self.both("get_many", Thing, keys)

    @rule(data=st.data(), owner=FIELDS["owner"], limit=st.integers(1, 4), back=st.booleans())
    def query(self, data: Any, owner: str, limit: int, back: bool) -> None:
        name = data.draw(st.sampled_from(sorted(BOUNDS)))
        low, high = (data.draw(st.none() | BOUNDS[name]) for _ in range(2))
        how = {"at_least": low, "at_most": high, "limit": limit, "descending": back}
        self.page = (Thing.index(f"thing_{name}"), owner), how
        self.follow(self.both("query", Thing, *self.page[0], **how))

    @rule(group=GROUPS, low=st.none() | ORDERS, limit=st.integers(1, 4), back=st.booleans())
    def walk_key(self, group: str, low: int | None, limit: int, back: bool) -> None:
        how = {"at_least": low, "limit": limit, "descending": back}
        self.page = (key_index(Thing), group), how
        self.follow(self.both("query", Thing, *self.page[0], **how))

    @precondition(lambda self: self.page is not None)
    @rule()
    def next_page(self) -> None:
        self.follow(self.both("query", Thing, *self.page[0], **self.page[1]))

    @precondition(lambda self: isinstance(self.real, Walks))
    @rule(after=st.none() | KEYS, limit=st.integers(1, 4))
    def walk(self, after: Any, limit: int) -> None:
        self.both("walk", Thing, after, limit)

    def follow(self, found: Any) -> None:
        where, how = self.page
        self.page = (where, how | {"after": found.after}) if found.after else None


def run(
    machine: type[StoresAgree], examples: int, steps: int, phases: Sequence[Phase] = tuple(Phase)
) -> None:
    """Compare stores in so many histories of so many steps."""
    how = settings(
        phases=phases,
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=how)
