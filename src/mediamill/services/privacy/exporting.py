"""Handing over everything that is kept about somebody: asked for, looked after, fetched."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import ConditionFailed, Conflict, Forbidden, NotFound
from mediamill.core.ids import new_id
from mediamill.handlers.files.export_account import KLASS, export_unit
from mediamill.handlers.stages.pack import lines
from mediamill.media.archive import layout
from mediamill.services.content import Content
from mediamill.services.privacy.packing import Packing
from mediamill.store.port import Absent, Equals, Put
from mediamill.store.repositories.exports import Export, Exports, ExportState
from mediamill.store.repositories.units import Units

NONE = "You have asked for no export, or its week is over: ask for one."
NOT_LIMITED = "This takes a session, or a token without scopes: everything is in an export."


@dataclass
class Exporting:
    """What a caller may do with the export of everything about them."""

    exports: Exports
    units: Units
    packing: Packing
    bell: Doorbell

    async def request(self, principal: Principal) -> Export:
        """Have an export made; while one is being made it is that one.

        It takes the place of an earlier one. Raises `Forbidden` for a token with scopes.
        """
        _refuse_limited(principal)
        before = await self.exports.get(principal.user)
        if before is not None and before.state is ExportState.WAITING:
            return before
        asked = await self.units.store.now()
        export = Export(owner=principal.user, id=new_id("export"), asked=asked)
        same = Absent() if before is None else Equals("id", before.id)
        try:
            await self.units.insert([export_unit(export)], Put(export, when=(same,)))
        except ConditionFailed:  # it was asked for twice at this moment
            return await self.get(principal)
        note("export_asked", principal.user, export=export.id)
        await self.bell.ring(f"work:{KLASS}")
        return export

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


def _refuse_limited(principal: Principal) -> None:
    if principal.scopes is not None:
        raise Forbidden(NOT_LIMITED)
