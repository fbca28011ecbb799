"""CPU slots: child processes with limits that run media operations on hostile input.

`pool` is the worker's side (`SlotPool`), `calls` what is asked and answered, `child` the other
process, `sandbox` what it may not do.
"""

from mediamill.engine.slots.calls import (
    Call,
    CallItem,
    Event,
    Failed,
    Progress,
    SlotLimits,
    Started,
    Succeeded,
)
from mediamill.engine.slots.pool import Slot, SlotPool

__all__ = [
    "Call", "CallItem", "Event", "Failed", "Progress", "Slot", "SlotLimits", "SlotPool",
    "Started", "Succeeded",
]  # fmt: skip
