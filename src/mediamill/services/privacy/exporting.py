"""Handing over everything that is kept about somebody: asked for, looked after, fetched."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import HOUR
from mediamill.core.errors import ConditionFailed, Conflict, Forbidden, NotFound
from mediamill.core.ids import new_id
from mediamill.handlers.files.export_account import KLASS, export_unit
from mediamill.handlers.stages.pack import lines
from mediamill.media.archive import layout
from mediamill.services.content import Content
from mediamill.services.privacy.packing import Packing
from mediamill.store.port import Absent, Equals, Put, Update
from mediamill.store.repositories.exports import Export, Exports, ExportState
from mediamill.store.repositories.units import Unit, Units, UnitState

NONE = "You have asked for no export, or its week is over: ask for one."
FRESH_MS = HOUR
"""For how long one that was made is what another request gets: each costs a walk over all rows."""
NOT_LIMITED = "This takes a session, or a token without scopes: everything is in an export."


@dataclass
class Exporting:
    """What a caller may do with the export of everything about them."""

    exports: Exports
    units: Units
    packing: Packing
    bell: Doorbell

    async def request(self, principal: Principal) -> Export:
        """Have an export made; while one is being made, or is fresh, it is that one.

        It takes the place of an earlier one, which is removed at once: somebody who asks again and
        again has one on the disk, and one an hour made. Raises `Forbidden` for a token with scopes.
        """
        _refuse_limited(principal)
        while True:
            before = await self.exports.get(principal.user)
            now = await self.units.store.now()
            if before is not None and _serves(before, now):
                return before
            export = Export(owner=principal.user, id=new_id("export"), asked=now)
            same = Absent() if before is None else Equals("id", before.id)
            sooner = await self._sooner(before, now)
            with suppress(ConditionFailed):  # it was asked for twice at this moment, or has ended
                await self.units.insert([export_unit(export)], Put(export, when=(same,)), *sooner)
                break
        note("export_asked", principal.user, export=export.id)
        await self.bell.ring(f"work:{KLASS}")
        return export

    async def _sooner(self, before: Export | None, now: int) -> list[Update]:
        """Make what has an earlier export removed now: its unit finds that another is wanted."""
        unit = None if before is None else await self.units.get(*export_unit(before).key_values())
        if unit is None or unit.state is not UnitState.READY:  # it is gone, or is being removed
            return []
        same = (Equals("state", unit.state), Equals("fence", unit.fence))
        return [Update(Unit, unit.key_values(), set={"due": now}, when=same)]

    async def get(self, principal: Principal) -> Export:
        """Return what became of the last one; raises `NotFound` where there is none."""
        _refuse_limited(principal)
        export = await self.exports.get(principal.user)
        if export is None:
            raise NotFound(NONE)
        return export

    async def content(self, principal: Principal) -> Content:
        """Return the archive; raises `NotFound`, and `Conflict` until it is ready."""
        export = await self.get(principal)
        if export.state is not ExportState.READY:
            why = export.error or "It is being put together: ask again in a while."
            raise Conflict(why, state=export.state)
        if (export.expires or 0) <= await self.units.store.now():
            raise NotFound(NONE)
        blobs, packing, key = self.packing.blobs, self.packing, export.layout

        def read(start: int, stop: int) -> AsyncIterator[bytes]:
            return layout.stream(lambda: lines(blobs, key), packing.read, start, stop)

        return Content("everything.zip", "application/zip", export.size, export.etag, read)


def _serves(export: Export, now: int) -> bool:
    """Tell whether an export is what somebody gets who asks for one now."""
    made = export.made or 0
    return export.state is ExportState.WAITING or (
        export.state is ExportState.READY and now < made + FRESH_MS
    )


def _refuse_limited(principal: Principal) -> None:
    if principal.scopes is not None:
        raise Forbidden(NOT_LIMITED)
