"""Lanes: where owners stand in a class, so that workers are shared fairly (ADR 6)."""

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, Action, Equals, Put, Store, Update


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


async def waking_of(store: Store, klass: str, owner: str, credit: float) -> Action:
    """Make the action that activates a lane.

    A lane that was idle starts at the least virtual time of the active ones: it neither
    saves up turns while idle nor pays again for what it had when nobody else wanted it.
    """
    lane = await store.get(Lane, klass, owner)
    if lane is not None and lane.active:
        guard = Equals("active", klass)
        growth: dict[str, int | float] = {"epoch": 1, "vtime": -credit}
        return Update(Lane, (klass, owner), add=growth, when=(guard,))
    first = await store.query(Lane, Lane.index("lane_active"), klass, limit=1)
    floor = first.rows[0].vtime if first.rows else 0.0
    if lane is None:
        fresh = Lane(klass=klass, owner=owner, active=klass, vtime=floor, epoch=1)
        return Put(fresh, when=(Absent(),))
    return Update(
        Lane,
        (klass, owner),
        set={"active": klass, "parked": None, "wake": None, "vtime": floor},
        add={"epoch": 1},
        when=(Equals("epoch", lane.epoch), Equals("active", None)),
    )
