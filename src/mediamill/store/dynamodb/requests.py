"""Changes as DynamoDB's write requests: expressions with their conditions.

The places in indexes are made here. A change that sets only some of the fields of a place needs the
others: they are read first, and the write holds only if they are still the same (`assumed`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mediamill.store.calls import Change, Guard
from mediamill.store.codec import Primitive
from mediamill.store.dynamodb.items import Item, Shape, Slot, shape_of, wire
from mediamill.store.judging import Row, passes

LEAST, MOST = -(2**63), 2**63 - 1


@dataclass
class Names:
    """The placeholders of one request."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def name(self, attribute: str) -> str:
        for known, named in self.names.items():
            if named == attribute:
                return known
        placeholder = f"#n{len(self.names)}"
        self.names[placeholder] = attribute
        return placeholder

    def value(self, value: dict[str, Any]) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = value
        return placeholder


@dataclass(frozen=True)
class Request:
    """One action of `TransactWriteItems`; `verb` is Put, Update, Delete or ConditionCheck."""

    verb: str
    arguments: dict[str, Any]
    assumed: bool
    """Whether it may be refused though the change's own guards hold."""


def unknown(change: Change) -> bool:
    """Tell whether what a change writes depends on what its record is now."""
    return bool(_summed(change)) or any(_incomplete(change, shape_of(change.layout.kind)))


def _summed(change: Change) -> set[str]:
    """List the fractions that are added to: summed here, since DynamoDB's have more digits.

    What is read back would not equal what is there, so no guard on it would ever hold.
    """
    return {name for name in change.add if change.layout.by_name[name].type == "DOUBLE"}


def _incomplete(change: Change, shape: Shape) -> Iterator[bool]:
    for slot in _touched(change, shape):
        yield bool({*slot.fields} - {*shape.layout.key} - {*change.set})


def _touched(change: Change, shape: Shape) -> list[Slot]:
    """List the halves of places that an update changes."""
    changing = {*change.set, *change.add} if change.verb == "update" else set()
    return [slot for slot in shape.slots if changing & {*slot.fields}]


def request(change: Change, table: str, old: Row | None) -> Request:
    """Make the request of a change; `old` is the record's row, where `unknown` asked for it."""
    shape = shape_of(change.layout.kind)
    arguments: dict[str, Any] = {"TableName": table}
    names = Names()
    conditions = list(_conditions(change, names))
    assumed = False
    if change.verb == "put":
        arguments["Item"] = shape.item(change.row)
    else:
        arguments["Key"] = shape.key(change.key)
    if change.verb == "update":
        bounds = list(_bounds(change, names))
        places, sums, same = _places(change, shape, old)
        unchanged = (Guard(name, "=", value) for name, value in same.items())
        conditions += [*bounds, *(_test(change, guard, names) for guard in unchanged)]
        assumed = bool(bounds or same)
        arguments["UpdateExpression"] = _expression(change, shape, places, sums, names)
    if conditions:
        arguments["ConditionExpression"] = " AND ".join(conditions)
    if names.names:
        arguments["ExpressionAttributeNames"] = names.names
    if names.values:
        arguments["ExpressionAttributeValues"] = names.values
    verb = {"put": "Put", "update": "Update", "delete": "Delete", "check": "ConditionCheck"}
    return Request(verb[change.verb], arguments, assumed)


def _conditions(change: Change, names: Names) -> Iterator[str]:
    if change.absent:
        yield f"attribute_not_exists({names.name('_p')})"
    if change.guarded:
        yield f"attribute_exists({names.name('_p')})"
    for guard in change.guards:
        yield _test(change, guard, names)


def _test(change: Change, guard: Guard, names: Names) -> str:
    """Compare a field; one that is missing as what it stands for."""
    name = names.name(guard.field)
    missing = f"attribute_not_exists({name})"
    if guard.value is None:
        return missing
    test = f"{name} {guard.test} {names.value(wire(guard.value))}"
    default = change.layout.by_name[guard.field].default
    return f"({missing} OR {test})" if passes(guard, default) else test


def _bounds(change: Change, names: Names) -> Iterator[str]:
    """Keep sums of whole numbers within 64 bits."""
    for name, more in change.add.items():
        if isinstance(more, int) and more and change.layout.by_name[name].type == "BIGINT":
            low, high = (LEAST - more, MOST) if more < 0 else (LEAST, MOST - more)
            attribute = names.name(name)
            between = f"{names.value(wire(low))} AND {names.value(wire(high))}"
            yield f"(attribute_not_exists({attribute}) OR {attribute} BETWEEN {between})"


def _places(
    change: Change, shape: Shape, old: Row | None
) -> tuple[dict[str, bytes | None], dict[str, Primitive], dict[str, Primitive]]:
    """Return the index attributes after the change (None: gone), sums, and what both need.

    That are values of the old row. Attributes of indexes that are not touched are left out.
    """
    columns = shape.layout.by_name
    before = dict(zip(columns, old, strict=True)) if old is not None else {}
    now: dict[str, Primitive] = {**before, **dict(zip(shape.layout.key, change.key, strict=True))}
    now |= change.set
    for name, more in change.add.items():
        if name in before:
            count: Any = before[name] or 0
            now[name] = columns[name].encode(count + more)
    touched = _touched(change, shape)
    needed = {name for slot in touched for name in slot.fields} - {*shape.layout.key, *change.set}
    needed |= _summed(change)
    places = {slot.attribute: slot.value(now) for slot in touched}
    sums = {name: now[name] for name in _summed(change)}
    return places, sums, {name: before[name] for name in needed}


def _expression(
    change: Change,
    shape: Shape,
    places: dict[str, bytes | None],
    sums: dict[str, Primitive],
    names: Names,
) -> str:
    sets, removes = [], []
    fresh = {name: None if v is None else wire(v) for name, v in {**change.set, **sums}.items()}
    fresh |= {name: None if v is None else {"B": v} for name, v in places.items()}
    for attribute, value in fresh.items():
        if value is None:
            removes.append(names.name(attribute))
        else:
            sets.append(f"{names.name(attribute)} = {names.value(value)}")
    for attribute in change.add.keys() - sums.keys():
        name, more = names.name(attribute), change.add[attribute]
        first = change.layout.by_name[attribute].default or 0
        from_, sum_ = names.value(wire(first)), names.value(wire(more))
        sets.append(f"{name} = if_not_exists({name}, {from_}) + {sum_}")
    if not sets and not removes:  # DynamoDB takes no empty update
        key = names.name(shape.layout.key[0])
        sets.append(f"{key} = {names.value(wire(change.key[0]))}")
    clauses = [
        f"SET {', '.join(sets)}" if sets else "",
        f"REMOVE {', '.join(removes)}" if removes else "",
    ]
    return " ".join(filter(None, clauses))


def key_of(change: Change) -> Item:
    """Return the key attributes of what a change is about."""
    return shape_of(change.layout.kind).key(change.key)
