"""What all workers share of a provider: how often and how many at once it is asked, and its rest.

A worker takes permits some at a time and keeps them while it uses them; they are counted in the
provider's row, under the worker's name with a time until which it holds them, so those of one that
vanished come back. A rate is kept by one number, the time at which the next call is due (the
generic cell rate algorithm, ITU-T I.371, also called the virtual scheduling algorithm). A provider
that keeps failing rests until a time; then one call is let through, and tells for all. One that
says that it is asked too often, and until when, is paused for all, which counts against nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Absent, AtMost, Delete, Equals, Put, Store, Update

MINUTE_MS = 60_000
_WORKS: Mapping[str, Any] = {"rests_until": 0, "trial_until": 0, "rests": 0, "error": ""}


class Circuit(Record, frozen=True, kw_only=True):
    """What is shared of one provider."""

    table = "circuits"
    key = Key("provider")

    provider: str
    granted: int = 0
    """Permits that workers hold."""
    due: int = 0
    """When the next call would be due at an even rate (ms)."""
    rests_until: int = 0
    """Until when it is not called (ms); 0 while it works."""
    trial_until: int = 0
    """Until when somebody tries it after its rest (ms)."""
    paused_until: int = 0
    """Until when it asked not to be called (ms), which is no failure."""
    rests: int = 0
    """How often in a row it went to rest."""
    error: str = ""
    """What went wrong last."""


class Permit(Record, frozen=True, kw_only=True):
    """Calls that a worker may make at a time."""

    table = "permits"
    key = Key("provider", "holder")
    indexes = (Index("permit_until", ("provider",), ("until", "holder")),)

    provider: str
    holder: str
    held: int
    until: int
    """When they come back by themselves (ms)."""


class Circuits:
    """Reads and changes what is shared of providers; each change is one transaction."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, provider: str) -> Circuit:
        """Return what is shared of a provider; begins it."""
        found = await self.store.get(Circuit, provider)
        if found is None:
            found = Circuit(provider=provider)
            with suppress(ConditionFailed):  # another was first
                await self.store.transact(Put(found, when=(Absent(),)))
        return found

    # -- permits ------------------------------------------------------------------------------

    async def take(self, provider: str, holder: str, more: int, most: int, until: int) -> bool:
        """Take permits for a holder who has none yet or some, if so many are left of `most`."""
        permit = await self.store.get(Permit, provider, holder)
        counted = Update(
            Circuit, (provider,), add={"granted": more}, when=(AtMost("granted", most - more),)
        )
        held = _held(Permit(provider=provider, holder=holder, held=more, until=until), permit)
        try:
            await self.store.transact(counted, held)
        except ConditionFailed:
            return False
        return True

    async def give(self, provider: str, holder: str, back: int) -> None:
        """Give permits back; nothing for a holder whose permits were taken away meanwhile."""
        permit = await self.store.get(Permit, provider, holder)
        if permit is None:
            return
        back = min(back, permit.held)
        kept = (Equals("held", permit.held),)
        left: Update | Delete = Update(
            Permit, permit.key_values(), set={"held": permit.held - back}, when=kept
        )
        if back == permit.held:
            left = Delete(Permit, permit.key_values(), when=kept)
        with suppress(ConditionFailed):
            await self.store.transact(left, Update(Circuit, (provider,), add={"granted": -back}))

    async def keep(self, provider: str, holder: str, until: int) -> bool:
        """Hold permits longer; False where they were taken away."""
        try:
            await self.store.transact(Update(Permit, (provider, holder), set={"until": until}))
        except ConditionFailed:
            return False
        return True

    async def reclaim(self, provider: str, now: int) -> None:
        """Take back what holders that vanished had."""
        index = Permit.index("permit_until")
        page = await self.store.query(Permit, index, provider, at_most=now)
        for permit in page.rows:
            same = Equals("until", permit.until), Equals("held", permit.held)
            with suppress(ConditionFailed):  # it was kept, or another did it
                await self.store.transact(
                    Delete(Permit, permit.key_values(), when=same),
                    Update(Circuit, (provider,), add={"granted": -permit.held}),
                )

    # -- rate ---------------------------------------------------------------------------------

    async def pace(self, circuit: Circuit, calls: int, per_minute: float, now: int) -> int | None:
        """Take the next calls of a rate; return when (ms) they are due, None if another did."""
        begins = max(now, circuit.due)
        due = begins + round(calls * MINUTE_MS / per_minute)
        change = Update(
            Circuit, (circuit.provider,), set={"due": due}, when=(Equals("due", circuit.due),)
        )
        try:
            await self.store.transact(change)
        except ConditionFailed:
            return None
        return begins

    # -- rest ---------------------------------------------------------------------------------

    async def rest(self, circuit: Circuit, until: int, error: str) -> None:
        """Let a provider rest, unless somebody else said so already."""
        change = Update(
            Circuit,
            (circuit.provider,),
            set={"rests_until": until, "trial_until": 0, "error": error[:500]},
            add={"rests": 1},
            when=(Equals("rests_until", circuit.rests_until),),
        )
        with suppress(ConditionFailed):
            await self.store.transact(change)

    async def try_it(self, circuit: Circuit, until: int) -> bool:
        """Become the one who tries a provider after its rest; False where another does."""
        same = (
            Equals("rests_until", circuit.rests_until),
            Equals("trial_until", circuit.trial_until),
        )
        try:
            change = Update(Circuit, (circuit.provider,), set={"trial_until": until}, when=same)
            await self.store.transact(change)
        except ConditionFailed:
            return False
        return True

    async def works(self, provider: str) -> None:
        """Note that a provider works again."""
        await self._set(provider, _WORKS)

    async def wake(self, provider: str) -> None:
        """End a provider's rest and its pause."""
        await self._set(provider, {**_WORKS, "paused_until": 0})

    async def pause(self, provider: str, until: int) -> None:
        """Keep that a provider asked to be left alone until a time, unless it is for longer yet."""
        shorter = AtMost("paused_until", until)
        with suppress(ConditionFailed):
            change = Update(Circuit, (provider,), set={"paused_until": until}, when=(shorter,))
            await self.store.transact(change)

    async def _set(self, provider: str, fields: Mapping[str, Any]) -> None:
        with suppress(ConditionFailed):
            await self.store.transact(Update(Circuit, (provider,), set=dict(fields)))


def _held(new: Permit, old: Permit | None) -> Put:
    if old is None:
        return Put(new, when=(Absent(),))
    return Put(new.evolve(held=old.held + new.held), when=(Equals("held", old.held),))
