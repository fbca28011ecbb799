"""What every store must do; a backend's test class inherits it and gives `store`.

The store must hold the kinds in `KINDS`.
"""

import asyncio
import base64
from enum import StrEnum
from typing import Any, Literal

import msgspec
import pytest

from mediamill.core.errors import ConditionFailed, Unavailable
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import (
    MAX_BYTES,
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


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Point(msgspec.Struct, frozen=True):
    x: int
    y: float


class Thing(Record, frozen=True, kw_only=True):
    """One field of every type, mandatory and optional; names that are words of SQL."""

    table = "contract_things"
    key = Key("group", "order", shards=2)
    indexes = (
        Index("thing_due", partition=("owner",), sort=("due", "group", "order"), shards=3),
        Index("thing_text", partition=("owner",), sort=("text", "group", "order")),
        Index("thing_ratio", partition=("owner",), sort=("ratio", "group", "order")),
        Index("thing_raw", partition=("owner",), sort=("raw", "group", "order")),
        Index("thing_flag", partition=("owner",), sort=("flag", "group", "order")),
        Index("thing_colour", partition=("colour", "owner"), sort=("due",)),
    )

    group: str
    order: int
    owner: str = "o"
    text: str = ""
    due: int | None = None
    count: int = 0
    maybe: int | None = None
    ratio: float = 0.0
    share: float | None = None
    flag: bool = False
    told: bool | None = None
    raw: bytes = b""
    blob: bytes | None = None
    colour: Colour | None = None
    size: Literal["s", "m"] = "s"
    where: Point | None = None
    tags: tuple[str, ...] = ()
    table_: dict[str, Any] = {}
    any: Any = None
    level: int = 3


class Bare(Record, frozen=True, kw_only=True):
    """Nothing but a key."""

    table = "contract_bare"
    key = Key("id")

    id: str


KINDS = (Thing, Bare)
DUE = Thing.index("thing_due")
HARD_TEXTS = ["", "a", "A", "Z", "a'\"b", "a b", "ab", "ä", "z", "ß", "é", "e\u0301", "\u00ff"]
HARD_TEXTS += ["中", "\uffff", "😀", "\U0010ffff", "line\nbreak", "\t", "\x01", "%", "_", "\\"]


def thing(order: int = 0, group: str = "g", **fields: Any) -> Thing:
    return Thing(group=group, order=order, **fields)


async def put(store: Store, *records: Record) -> None:
    for start in range(0, len(records), 100):
        await store.transact(*(Put(record) for record in records[start : start + 100]))


async def orders(store: Store, index: Index, *partition: Any, **how: Any) -> list[int]:
    """Collect the `order` of all rows over all pages."""
    found: list[int] = []
    after: str | None = None
    while True:
        page = await store.query(Thing, index, *partition, after=after, **how)
        found += [row.order for row in page.rows]
        if (after := page.after) is None:
            return found


async def fails(store: Store, *actions: Any) -> int:
    """Return the position at which a transaction fails."""
    with pytest.raises(ConditionFailed) as caught:
        await store.transact(*actions)
    return caught.value.action


class StoreContract:
    async def forget(self, store: Store, key: tuple[Any, ...], *fields: str) -> None:
        """Take fields out of a `Thing`, as an older program leaves it that does not know them.

        A database whose tables have columns has their defaults then.
        """

    # -- records ----------------------------------------------------------------------------

    async def test_every_type_reads_back_equal(self, store: Store):
        full = thing(
            -5,
            group="ü'\"",
            text="a\nb😀",
            due=-(2**63),
            count=2**63 - 1,
            maybe=0,
            ratio=1.5e-100,
            share=-0.1,
            flag=True,
            told=False,
            raw=bytes(range(256)),
            blob=b"",
            colour=Colour.BLUE,
            size="m",
            where=Point(1, 2.5),
            tags=("b", "a"),
            table_={"b": [1, None, {"c": "\0"}], "a": 1.5},
            any=[1, "two"],
        )
        await put(store, full, thing(1))
        found = await store.get(Thing, "ü'\"", -5)
        assert found == full
        assert [type(v) for v in msgspec.structs.astuple(found)] == [
            type(v) for v in msgspec.structs.astuple(full)
        ]
        assert await store.get(Thing, "g", 1) == thing(1)

    async def test_what_is_read_is_not_shared(self, store: Store):
        table = {"a": [1]}
        await put(store, thing(table_=table))
        table["a"].append(2)
        found = await store.get(Thing, "g", 0)
        found.table_["a"].append(3)
        assert (await store.get(Thing, "g", 0)).table_ == {"a": [1]}

    async def test_big_rows(self, store: Store):
        big = thing(tags=("ä" * 100_000,), blob=bytes(range(256)) * 500)
        await put(store, big)
        assert await store.get(Thing, "g", 0) == big

    async def test_what_is_indexed_is_short(self, store: Store):
        await put(store, thing(text="ä" * 250, raw=bytes(500)))
        for long in (thing(text="ä" * 251), thing(raw=bytes(501)), thing(group="x" * 501)):
            with pytest.raises(ValueError, match="can be indexed"):
                await put(store, long)

    @pytest.mark.parametrize("text", HARD_TEXTS)
    async def test_hard_text_as_key_and_value(self, store: Store, text: str):
        record = thing(group=text, text=text)
        await put(store, record)
        assert await store.get(Thing, text, 0) == record
        assert await orders(store, key_index(Thing), text) == [0]
        assert await orders(store, DUE, text) == []

    @pytest.mark.parametrize(
        "fields",
        [
            {"text": "a\0b"},
            {"text": "\ud800"},
            {"text": 5},
            {"text": None},
            {"count": 2**63},
            {"count": True},
            {"count": 1.0},
            {"ratio": float("nan")},
            {"ratio": float("inf")},
            {"ratio": 10**400},
            {"ratio": "1"},
            {"flag": 1},
            {"raw": "text"},
            {"colour": "green"},
            {"size": "l"},
            {"tags": ("\ud800",)},
            {"table_": {"a": object()}},
            {"group": None},
            {"group": "\0"},
        ],
    )
    async def test_a_value_that_its_column_cannot_hold(self, store: Store, fields: dict[str, Any]):
        record = thing(1).evolve(**fields)
        with pytest.raises(ValueError, match=next(iter(fields))):
            await store.transact(Put(thing(2)), Put(record))
        assert await store.get(Thing, "g", 2) is None

    async def test_records_of_a_key_only(self, store: Store):
        await store.transact(Put(Bare(id="a")), Put(Bare(id="b"), when=(Absent(),)))
        await store.transact(Put(Bare(id="a")), Put(Bare(id="b"), when=(Exists(),)))
        assert await fails(store, Put(Bare(id="c"), when=(Exists(),))) == 0
        assert await fails(store, Put(Bare(id="a"), when=(Absent(),))) == 0
        assert (await store.query(Bare, key_index(Bare), "a")).rows == (Bare(id="a"),)
        assert (await store.query(Bare, key_index(Bare), "c")).rows == ()

    async def test_get_many_keeps_order_and_repeats(self, store: Store):
        await put(store, thing(1), thing(2))
        keys = [("g", 2), ("g", 9), ("g", 1), ("g", 2)]
        assert await store.get_many(Thing, keys) == [thing(2), None, thing(1), thing(2)]
        assert await store.get_many(Thing, []) == []
        assert await store.get_many(Thing, [("g", 9)] * 100) == [None] * 100
        with pytest.raises(ValueError, match="101"):
            await store.get_many(Thing, [("g", 9)] * 101)

    async def test_a_key_has_all_its_fields(self, store: Store):
        for key in [(), ("g",), ("g", 1, 2), (1, "g"), ("g", None)]:
            with pytest.raises(ValueError, match=r"contract_things|order|group"):
                await store.get(Thing, *key)

    # -- conditions -------------------------------------------------------------------------

    async def test_absent(self, store: Store):
        await store.transact(Put(thing(text="one"), when=(Absent(),)))
        assert await fails(store, Put(thing(text="two"), when=(Absent(),))) == 0
        assert await fails(store, Check(Thing, ("g", 0), (Absent(),))) == 0
        await store.transact(Check(Thing, ("g", 1), (Absent(),)))
        assert (await store.get(Thing, "g", 0)).text == "one"

    async def test_exists(self, store: Store):
        for action in (
            Put(thing(), when=(Exists(),)),
            Update(Thing, ("g", 0), set={"text": "a"}),
            Update(Thing, ("g", 0), add={"count": 1}),
            Update(Thing, ("g", 0)),
            Delete(Thing, ("g", 0), when=(Exists(),)),
            Check(Thing, ("g", 0), (Exists(),)),
        ):
            assert await fails(store, action) == 0
            assert await store.get(Thing, "g", 0) is None
        await store.transact(Delete(Thing, ("g", 0)))
        await put(store, thing(text="here"))
        await store.transact(Check(Thing, ("g", 0), (Exists(),)))
        await store.transact(Update(Thing, ("g", 0)))
        await store.transact(Delete(Thing, ("g", 0), when=(Exists(),)))
        assert await store.get(Thing, "g", 0) is None

    @pytest.mark.parametrize(
        ("field", "value", "other"),
        [
            ("text", "ä", "a"),
            ("count", -3, 3),
            ("maybe", None, 0),
            ("maybe", 0, None),
            ("ratio", 0.5, 0.25),
            ("ratio", 0.0, 1.0),
            ("flag", True, False),
            ("told", None, False),
            ("raw", b"\0", b""),
            ("blob", None, b""),
            ("colour", Colour.RED, None),
            ("colour", Colour.RED, "blue"),
            ("size", "m", "s"),
            ("where", Point(1, 2.0), Point(1, 2.5)),
            ("where", None, Point(1, 2.0)),
            ("tags", ("a", "b"), ("b", "a")),
            ("table_", {"a": 1, "b": 2}, {"a": 1}),
            ("group", "g", "h"),
        ],
    )
    async def test_equals(self, store: Store, field: str, value: Any, other: Any):
        await put(store, thing().evolve(**{field: value}))
        same, differs = (Equals(field, value),), (Equals(field, other),)
        await store.transact(Check(Thing, ("g", 0), same))
        assert await fails(store, Check(Thing, ("g", 0), differs)) == 0
        assert await fails(store, Check(Thing, ("g", 1), same)) == 0
        await store.transact(Update(Thing, ("g", 0), add={"count": 0}, when=same))
        assert await fails(store, Update(Thing, ("g", 0), add={"count": 1}, when=differs)) == 0
        assert await fails(store, Put(thing(text="new"), when=differs)) == 0
        assert await fails(store, Delete(Thing, ("g", 0), when=differs)) == 0
        await store.transact(Put(thing(text="new"), when=same))
        assert await store.get(Thing, "g", 0) == thing(text="new")

    async def test_equal_json_is_equal_in_any_order_of_keys(self, store: Store):
        await put(store, thing(table_={"b": 1, "a": {"d": 1, "c": 2}}))
        same = Equals("table_", {"a": {"c": 2, "d": 1}, "b": 1})
        await store.transact(Check(Thing, ("g", 0), (same,)))

    async def test_at_most_and_at_least(self, store: Store):
        await put(store, thing(count=5, ratio=0.5))
        for guard in (
            AtMost("count", 5),
            AtMost("count", 5.5),
            AtLeast("count", 5),
            AtLeast("count", -(2**63)),
            AtMost("ratio", 0.5),
            AtLeast("ratio", 0),
        ):
            await store.transact(Check(Thing, ("g", 0), (guard,)))
        for guard in (
            AtMost("count", 4),
            AtMost("count", 4.9),
            AtLeast("count", 6),
            AtMost("ratio", 0),
            AtLeast("ratio", 1),
            AtMost("maybe", 2**63 - 1),
            AtLeast("maybe", -(2**63)),
            AtMost("share", 1),
        ):
            assert await fails(store, Check(Thing, ("g", 0), (guard,))) == 0
            assert await fails(store, Check(Thing, ("g", 1), (guard,))) == 0

    async def test_all_conditions_of_an_action_must_hold(self, store: Store):
        await put(store, thing(count=5, text="a"))
        good, bad = Equals("text", "a"), Equals("text", "b")
        await store.transact(Check(Thing, ("g", 0), (good, AtMost("count", 5), Exists())))
        assert await fails(store, Check(Thing, ("g", 0), (good, AtMost("count", 4)))) == 0
        assert await fails(store, Check(Thing, ("g", 0), (bad, AtMost("count", 5)))) == 0

    async def test_what_an_older_program_did_not_write_is_its_default(self, store: Store):
        await put(store, thing())
        left = ("text", "count", "ratio", "flag", "raw", "size", "tags", "table_", "level")
        await self.forget(store, ("g", 0), *left)
        assert await store.get(Thing, "g", 0) == thing()
        same = [Equals(name, getattr(thing(), name)) for name in left]
        same += [AtMost("count", 0), AtMost("ratio", 0.5), AtLeast("level", 3)]
        await store.transact(Check(Thing, ("g", 0), tuple(same)))
        for other in (
            Equals("text", "a"), Equals("flag", True), Equals("tags", ("a",)),
            AtLeast("count", 1), AtMost("ratio", -1), AtMost("level", 2),
        ):  # fmt: skip
            assert await fails(store, Check(Thing, ("g", 0), (other,))) == 0
        change = {"set": {"text": "b"}, "add": {"level": 1, "ratio": 0.5}}
        await store.transact(Update(Thing, ("g", 0), when=tuple(same), **change))
        assert await store.get(Thing, "g", 0) == thing(text="b", level=4, ratio=0.5)
        assert await orders(store, Thing.index("thing_text"), "o", at_least="b") == [0]

    # -- updates ----------------------------------------------------------------------------

    async def test_set_changes_only_what_it_names(self, store: Store):
        await put(store, thing(text="a", count=1, due=5, tags=("x",)))
        changes = {
            "due": None,
            "tags": ("y", "z"),
            "colour": Colour.RED,
            "raw": b"\0",
            "flag": True,
        }
        await store.transact(Update(Thing, ("g", 0), set=changes))
        assert await store.get(Thing, "g", 0) == thing(text="a", count=1).evolve(**changes)

    async def test_add_counts_up_and_down_and_from_none(self, store: Store):
        await put(store, thing(count=5, ratio=0.5))
        adds = {"count": -7, "maybe": 3, "ratio": 1, "share": -0.25}
        await store.transact(Update(Thing, ("g", 0), set={"text": "b"}, add=adds))
        found = await store.get(Thing, "g", 0)
        assert found == thing(text="b", count=-2, maybe=3, ratio=1.5, share=-0.25)
        assert isinstance(found.ratio, float)

    async def test_what_is_read_of_a_sum_is_what_guards_compare(self, store: Store):
        await put(store, thing(ratio=1.2345678901234567, share=0.1))
        for _ in range(5):
            adds = {"ratio": 1.1e-7 / 3, "share": 0.2}
            await store.transact(Update(Thing, ("g", 0), add=adds))
        found = await store.get(Thing, "g", 0)
        same = (Equals("ratio", found.ratio), Equals("share", found.share))
        await store.transact(Update(Thing, ("g", 0), add={"ratio": 1.1e-7 / 3}, when=same))

    async def test_a_sum_beyond_64_bits_is_refused_and_nothing_written(self, store: Store):
        await put(store, thing(0, count=2**63 - 1), thing(1))
        for more in ({"count": 1}, {"count": 2**63 - 1}):
            with pytest.raises(ValueError):  # noqa: PT011 - each store words it its own way
                await store.transact(Put(thing(1, text="new")), Update(Thing, ("g", 0), add=more))
            with pytest.raises(ValueError):  # noqa: PT011
                await store.transact(Update(Thing, ("g", 0), add=more))
        assert await store.get_many(Thing, [("g", 0), ("g", 1)]) == [
            thing(0, count=2**63 - 1),
            thing(1),
        ]

    async def test_concurrent_adds_lose_nothing(self, store: Store):
        await put(store, thing())
        add = Update(Thing, ("g", 0), add={"count": 1})
        await asyncio.gather(*(store.transact(add) for _ in range(200)))
        assert (await store.get(Thing, "g", 0)).count == 200

    async def test_of_concurrent_claims_one_wins(self, store: Store):
        await put(store, thing())
        claim = Update(Thing, ("g", 0), set={"count": 1}, when=(Equals("count", 0),))
        tries = [store.transact(claim) for _ in range(50)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert outcomes.count(None) == 1
        assert sum(isinstance(outcome, ConditionFailed) for outcome in outcomes) == 49

    # -- transactions -----------------------------------------------------------------------

    @pytest.mark.parametrize("position", [0, 1, 2, 49, 99])
    async def test_a_failed_guard_names_its_place_and_undoes_all(self, store: Store, position: int):
        await put(store, thing(1000, text="old"), thing(1001))
        actions: list[Any] = [Put(thing(n)) for n in range(97)]
        actions += [Update(Thing, ("g", 1000), set={"text": "new"}), Delete(Thing, ("g", 1001))]
        actions.insert(position, Check(Thing, ("g", 2000), (Exists(),)))
        actions.append(Check(Thing, ("g", 2001), (Exists(),)))
        del actions[100:]
        assert await fails(store, *actions) == position
        assert await orders(store, key_index(Thing), "g") == [1000, 1001]
        assert (await store.get(Thing, "g", 1000)).text == "old"

    async def test_every_kind_of_action_together(self, store: Store):
        await put(store, thing(1), thing(2), thing(3))
        await store.transact(
            Put(thing(0)),
            Update(Thing, ("g", 1), set={"text": "x"}),
            Delete(Thing, ("g", 2)),
            Check(Thing, ("g", 3), (Exists(),)),
            Put(Bare(id="g")),
        )
        assert await orders(store, key_index(Thing), "g") == [0, 1, 3]

    async def test_failures_of_others_do_not_matter(self, store: Store):
        good = [store.transact(Put(thing(n)), Put(thing(n, "h"))) for n in range(50)]
        bad = [
            store.transact(Put(thing(n, "bad")), Check(Thing, ("x", n), (Exists(),)))
            for n in range(50)
        ]
        mixed = [each for pair in zip(good, bad, strict=True) for each in pair]
        outcomes = await asyncio.gather(*mixed, return_exceptions=True)
        assert outcomes[::2] == [None] * 50
        assert all(isinstance(each, ConditionFailed) for each in outcomes[1::2])
        assert await orders(store, key_index(Thing), "h") == list(range(50))
        assert await orders(store, key_index(Thing), "bad") == []

    async def test_nothing_to_do(self, store: Store):
        await store.transact()

    @pytest.mark.parametrize(
        ("actions", "message"),
        [
            ([Put(thing(n)) for n in range(101)], "101 actions"),
            ([Put(thing(1)), Delete(Thing, ("g", 1))], "same key"),
            ([Put(thing(n, raw=bytes(MAX_BYTES // 2))) for n in range(2)], "bytes"),
            ([Put(thing(1), when=(Equals("nope", 1),))], "no field nope"),
            ([Put(thing(1), when=(Absent(), Exists()))], "absent and another"),
            ([Update(Thing, ("g", 1), set={"nope": 1})], "no field nope"),
            ([Update(Thing, ("g", 1), set={"order": 2})], "key"),
            ([Update(Thing, ("g", 1), add={"order": 2})], "key"),
            ([Update(Thing, ("g", 1), set={"count": 1}, add={"count": 1})], "both"),
            ([Update(Thing, ("g", 1), add={"text": 1})], "not a number"),
            ([Update(Thing, ("g", 1), add={"flag": 1})], "not a number"),
            ([Update(Thing, ("g", 1), add={"maybe": None})], "not a number"),
            ([Update(Thing, ("g", 1), add={"count": 0.5})], "whole number"),
            ([Update(Thing, ("g", 1), when=(Absent(),))], "absent"),
            ([Delete(Thing, ("g", 1), when=(Absent(),))], "contradiction"),
            ([Delete(Thing, ("g",))], "group, order"),
            ([Check(Thing, ("g", 1), ())], "without a condition"),
            ([Check(Thing, ("g", 1), (AtMost("text", 1),))], "not a number"),
            ([Check(Thing, ("g", 1), (AtMost("count", None),))], "number"),
            ([Check(Thing, ("g", 1), (AtLeast("count", 2**63),))], "64 bits"),
            ([Check(Thing, ("g", 1), (AtLeast("count", float("nan")),))], "finite"),
        ],
    )
    async def test_broken_calls(self, store: Store, actions: list[Any], message: str):
        with pytest.raises(ValueError, match=message):
            await store.transact(*actions)
        assert await orders(store, key_index(Thing), "g") == []

    # -- listing ----------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("due", [-(2**63), -10, -9, -1, 0, 1, 9, 10, 2**53 + 1, 2**63 - 1]),
            ("ratio", [-1e100, -2.0, -1.5, -1e-100, 0.0, 1e-100, 0.1, 1.0, 2.0, 10.0, 1e100]),
            ("text", sorted(HARD_TEXTS)),
            ("raw", [b"", b"\0", b"\0\0", b"\x01", b"A", b"a", b"\x7f", b"\x80", b"\xff"]),
            ("flag", [False, True]),
        ],
    )
    async def test_order_of_every_type(self, store: Store, field: str, values: list[Any]):
        index = Thing.index(f"thing_{field}")
        rows = [thing(n).evolve(**{field: value}) for n, value in enumerate(values)]
        await put(store, *reversed(rows))
        places = list(range(len(values)))
        for limit in (1, 2, 1000):
            assert await orders(store, index, "o", limit=limit) == places
            backwards = await orders(store, index, "o", limit=limit, descending=True)
            assert backwards == places[::-1]
        for at, value in enumerate(values):
            assert await orders(store, index, "o", at_least=value, limit=3) == places[at:]
            assert await orders(store, index, "o", at_most=value, limit=3) == places[: at + 1]
            both = {"at_least": value, "at_most": value}
            assert await orders(store, index, "o", **both) == [at]
            assert await orders(store, index, "o", descending=True, **both) == [at]

    async def test_the_key_orders_its_partition(self, store: Store):
        rows = [thing(n) for n in (3, -1, 2, -5, 0)] + [thing(7, "h"), thing(8, "")]
        await put(store, *rows)
        index = key_index(Thing)
        assert await orders(store, index, "g", limit=2) == [-5, -1, 0, 2, 3]
        assert await orders(store, index, "g", limit=2, descending=True) == [3, 2, 0, -1, -5]
        assert await orders(store, index, "g", at_least=-1, at_most=2) == [-1, 0, 2]
        assert await orders(store, index, "h") == [7]

    async def test_equal_sort_values_are_ordered_by_the_key(self, store: Store):
        rows = [thing(n, group, due=1) for n in (2, 1) for group in ("b", "a")]
        await put(store, *rows)
        for limit in (1, 3, 100):
            found = []
            after = None
            while True:
                page = await store.query(Thing, DUE, "o", after=after, limit=limit)
                found += [(row.group, row.order) for row in page.rows]
                if (after := page.after) is None:
                    break
            assert found == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]

    async def test_an_index_without_the_key_is_completed_with_it(self, store: Store):
        index = Thing.index("thing_colour")
        await put(store, *(thing(n, due=n // 3, colour=Colour.RED) for n in range(10)))
        assert await orders(store, index, Colour.RED, "o", limit=1) == list(range(10))
        assert await orders(store, index, "blue", "o") == []

    async def test_sparse_index(self, store: Store):
        await put(store, thing(0, due=5), thing(1), thing(2, due=1))
        assert await orders(store, DUE, "o") == [2, 0]
        await store.transact(
            Update(Thing, ("g", 0), set={"due": None}),
            Update(Thing, ("g", 1), add={"due": 3}),
            Put(thing(2, due=9)),
        )
        assert await orders(store, DUE, "o") == [1, 2]
        await store.transact(Delete(Thing, ("g", 1)), Update(Thing, ("g", 2), set={"owner": "p"}))
        assert await orders(store, DUE, "o") == []
        assert await orders(store, DUE, "p") == [2]

    async def test_a_page_is_short_only_at_the_end(self, store: Store):
        await put(store, *(thing(n, due=n) for n in range(10)))
        full = await store.query(Thing, DUE, "o", limit=10)
        assert len(full.rows) == 10
        assert full.after is None
        page = await store.query(Thing, DUE, "o", limit=9)
        assert len(page.rows) == 9
        assert (await store.query(Thing, DUE, "o", limit=9, after=page.after)).rows == (
            thing(9, due=9),
        )
        assert (await store.query(Thing, DUE, "none")).rows == ()

    async def test_a_thousand_rows_at_once(self, store: Store):
        await put(store, *(thing(n, due=n) for n in range(1001)))
        page = await store.query(Thing, DUE, "o", limit=1000)
        assert len(page.rows) == 1000
        rest = await store.query(Thing, DUE, "o", limit=1000, after=page.after)
        assert [row.order for row in rest.rows] == [1000]

    @pytest.mark.parametrize("descending", [False, True])
    async def test_pages_while_others_write(self, store: Store, descending: bool):
        """What was there all along is listed exactly once, whatever is added or removed."""
        await put(store, *(thing(n, due=n) for n in range(0, 400, 2)))
        busy = True

        async def disturb():
            n = 1
            while busy:
                await store.transact(Put(thing(n % 400, "new", due=n % 400)))
                await store.transact(Delete(Thing, ("new", n % 400)))
                n += 22
                await asyncio.sleep(0)

        other = asyncio.create_task(disturb())
        seen, after = [], None
        while True:
            page = await store.query(Thing, DUE, "o", after=after, limit=7, descending=descending)
            seen += [row.due for row in page.rows if row.group == "g"]
            await asyncio.sleep(0.001)
            if (after := page.after) is None:
                break
        busy = False
        await other
        assert seen == sorted(range(0, 400, 2), reverse=descending)

    @pytest.mark.parametrize("descending", [False, True])
    async def test_bounds_hold_on_every_page(self, store: Store, descending: bool):
        await put(store, *(thing(n, due=n // 2) for n in range(20)))
        how = {"at_least": 2, "at_most": 7, "descending": descending}
        found, after = list[int](), None
        for _ in range(12):
            page = await store.query(Thing, DUE, "o", after=after, limit=1, **how)
            found, after = [*found, *(row.order for row in page.rows)], page.after
        assert (found, after) == (sorted(range(4, 16), reverse=descending), None)
        page = await store.query(Thing, DUE, "o", limit=3, **how)
        bounds = {"at_most": 3} if descending else {"at_least": 6}
        rest = await store.query(Thing, DUE, "o", after=page.after, **{**how, **bounds})
        assert [row.order for row in rest.rows] == (
            [7, 6, 5, 4] if descending else [12, 13, 14, 15]
        )
        wider = {"at_most": 9} if descending else {"at_least": 0}
        rest = await store.query(Thing, DUE, "o", after=page.after, **{**how, **wider})
        kept = range(4, 13) if descending else range(7, 16)
        assert [row.order for row in rest.rows] == sorted(kept, reverse=descending)

    async def test_a_cursor_survives_the_row_it_names(self, store: Store):
        await put(store, *(thing(n, due=n) for n in range(5)))
        page = await store.query(Thing, DUE, "o", limit=2)
        await store.transact(Delete(Thing, ("g", 1)))
        rest = await store.query(Thing, DUE, "o", after=page.after, at_most=3)
        assert [row.order for row in rest.rows] == [2, 3]

    async def test_foreign_and_tampered_cursors(self, store: Store):
        rows = [thing(n, due=n, colour=Colour.RED) for n in range(3)]
        await put(store, *rows, *(row.evolve(owner="p", group="h") for row in rows))
        cursor = (await store.query(Thing, DUE, "o", limit=1)).after
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        forged = base64.urlsafe_b64encode(raw.replace(b",0,", b",1,")).decode().rstrip("=")
        assert forged != cursor
        for bad in ("", "!", "a", cursor[:-3], cursor + "AAAA", "ä", forged, "W10", "bnVsbA"):
            with pytest.raises(ValueError, match="cursor"):
                await store.query(Thing, DUE, "o", after=bad)
        for index, partition in (
            (DUE, ("p",)),
            (key_index(Thing), ("g",)),
            (Thing.index("thing_text"), ("o",)),
            (Thing.index("thing_colour"), ("red", "o")),
        ):
            with pytest.raises(ValueError, match="cursor"):
                await store.query(Thing, index, *partition, after=cursor)
        with pytest.raises(ValueError, match="cursor"):
            await store.query(Thing, DUE, "o", after=cursor, descending=True)

    async def test_broken_queries(self, store: Store):
        for limit in (0, -1, 1001):
            with pytest.raises(ValueError, match="page"):
                await store.query(Thing, DUE, "o", limit=limit)
        for partition in ((), ("o", "p"), (5,), (None,)):
            with pytest.raises(ValueError, match="owner"):
                await store.query(Thing, DUE, *partition)
        with pytest.raises(ValueError, match="no such index"):
            await store.query(Thing, Index("made_up", ("owner",), ("due",)), "o")
        with pytest.raises(ValueError, match="due"):
            await store.query(Thing, DUE, "o", at_least="text")
        with pytest.raises(ValueError, match="bound"):
            await store.query(Bare, key_index(Bare), "o", at_least="text")

    # -- walking: a store that can ----------------------------------------------------------

    @pytest.mark.parametrize("limit", [1, 2, 1000])
    async def test_a_walk_hands_out_every_record_in_key_order(self, store: Store, limit: int):
        if not isinstance(store, Walks):
            pytest.skip("this store does not walk: it says so by having no `walk`")
        assert await store.walk(Bare) == []
        texts = sorted(HARD_TEXTS) if limit == 1000 else ["", "A", "a", "\uffff", "😀"]
        rows = [thing(n, text) for text in texts for n in (-(2**63), -1, 0, 10, 2**63 - 1)]
        await put(store, *reversed(rows), Bare(id="other"))
        seen = list[Thing]()
        while batch := await store.walk(Thing, seen[-1].key_values() if seen else None, limit):
            assert len(batch) <= limit
            seen += batch
        assert seen == rows
        assert await store.walk(Bare) == [Bare(id="other")]

    async def test_a_walk_goes_on_where_its_last_record_was(self, store: Store):
        if not isinstance(store, Walks):
            pytest.skip("this store does not walk: it says so by having no `walk`")
        await put(store, *(thing(n) for n in range(6)))
        await store.transact(Delete(Thing, ("g", 2)), Put(thing(7)), Put(thing(0, "f")))
        assert [row.order for row in await store.walk(Thing, ("g", 2), 2)] == [3, 4]
        assert [row.order for row in await store.walk(Thing, ("g", 5))] == [7]
        for bad in (0, 1001):
            with pytest.raises(ValueError, match="page"):
                await store.walk(Thing, limit=bad)
        with pytest.raises(ValueError, match="group, order"):
            await store.walk(Thing, ("g",))

    # -- the rest ---------------------------------------------------------------------------

    async def test_reads_see_what_was_acknowledged(self, store: Store):
        await put(store, thing())

        async def count(n: int):
            for _ in range(20):
                await store.transact(Put(thing(n, "h", count=1), when=()))
                assert (await store.get(Thing, "h", n)).count == 1
                await store.transact(Update(Thing, ("h", n), add={"count": 1}))
                row = (await store.query(Thing, key_index(Thing), "h", at_least=n, limit=1)).rows[0]
                assert row.count == 2

        await asyncio.gather(*(count(n) for n in range(10)))

    async def test_cancelled_callers_harm_nobody(self, store: Store):
        tasks = [asyncio.create_task(store.transact(Put(thing(n)))) for n in range(100)]
        reads = [asyncio.create_task(store.get(Thing, "g", n)) for n in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::2] + reads[::2]:
            task.cancel()
        await asyncio.gather(*tasks, *reads, return_exceptions=True)
        found = await orders(store, key_index(Thing), "g")
        assert set(range(1, 100, 2)) <= set(found)

    async def test_now_is_milliseconds_and_does_not_go_back(self, store: Store):
        first, second = await store.now(), await store.now()
        assert 1_600_000_000_000 < first <= second < 5_000_000_000_000

    async def test_close_finishes_what_was_accepted(self, store: Store):
        tasks = [asyncio.create_task(store.transact(Put(thing(n)))) for n in range(50)]
        await asyncio.sleep(0)
        await store.close()
        await store.close()
        assert await asyncio.gather(*tasks) == [None] * 50
        with pytest.raises(Unavailable):
            await store.get(Thing, "g", 0)
        with pytest.raises(Unavailable):
            await store.transact(Put(thing(1)))
        with pytest.raises(Unavailable):
            await store.query(Thing, DUE, "o")
