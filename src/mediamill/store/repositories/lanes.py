"""Lanes: where owners stand in a class, so that workers are shared fairly (ADR 6)."""

from mediamill.core.records import Index, Key, Record


class Lane(Record, frozen=True, kw_only=True):
    """An owner's place in a class: among active lanes the least virtual time is served next.

    A lane is active while it may have due units, or parked until `wake` while it has later ones.
    `epoch` grows whenever work is added, so parking never overlooks a unit added meanwhile.
    """

    table = "lanes"
    key = Key("klass", "owner")
    indexes = (
        Index("lane_active", partition=("active",), sort=("vtime", "owner"), shards=2),
        Index("lane_wake", partition=("parked",), sort=("wake", "owner")),
    )

    klass: str
    owner: str
    active: str | None = None
    """The class while active, else None."""
    parked: str | None = None
    """The class while parked, else None."""
    wake: int | None = None
    vtime: float = 0.0
    """Seconds of work claimed, in estimated cost."""
    epoch: int = 0


def queue_name(klass: str, owner: str) -> str:
    return f"{klass}|{owner}"
