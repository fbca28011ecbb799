"""What a change finds and leaves, for stores that read a row before they write it."""

from typing import Any

from mediamill.store.calls import Change, Guard
from mediamill.store.codec import Primitive

Row = tuple[Primitive, ...]


def holds(change: Change, old: Row | None) -> bool:
    """Tell whether a change's conditions hold on the row that is there."""
    if old is None:
        return not change.guarded
    values = dict(zip(change.layout.by_name, old, strict=True))
    return not change.absent and all(passes(guard, values[guard.field]) for guard in change.guards)


def passes(guard: Guard, value: Any) -> bool:
    """Compare one field; an order comparison with `None` is false."""
    wanted: Any = guard.value
    if guard.test == "=":
        return bool(value == wanted)
    if value is None:
        return False
    return bool(value <= wanted) if guard.test == "<=" else bool(value >= wanted)


def changed(change: Change, old: Row | None) -> Row | None:
    """Return the row that a change leaves; `None` for no row."""
    if change.verb == "put":
        return change.row
    if change.verb == "delete":
        return None
    if change.verb == "check" or old is None:
        return old
    values = dict(zip(change.layout.by_name, old, strict=True)) | change.set
    for name, more in change.add.items():
        count: Any = values[name] or 0
        values[name] = change.layout.by_name[name].encode(count + more)
    return tuple(values.values())
