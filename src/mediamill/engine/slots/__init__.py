"""CPU slots: child processes with limits that run media operations on hostile input.

`pool` is the worker's side (`SlotPool`), `calls` what is asked and answered, `child` the other
process, `sandbox` what it may not do.
"""

from typing import TYPE_CHECKING, Any

from mediamill.engine.slots.calls import (
    Call,
    CallItem,
    Event,
    Failed,
    Kind,
    Progress,
    SlotLimits,
    Started,
    Succeeded,
)

if TYPE_CHECKING:
    from mediamill.engine.slots.pool import Slot, SlotPool

__all__ = [
    "Call", "CallItem", "Event", "Failed", "Kind", "Progress", "Slot", "SlotLimits", "SlotPool",
    "Started", "Succeeded",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the worker's side when it is asked for: a child is ready sooner without it."""
    if name not in {"Slot", "SlotPool"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mediamill.engine.slots import pool

    return getattr(pool, name)
