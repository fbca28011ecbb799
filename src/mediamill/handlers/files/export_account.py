"""`export_account`: put together everything that is kept about somebody, keep it for a week.

The archive is a list of members (`media/archive/layout.py`): files and results are where they lie,
what rows say is written beside it. Who is killed leaves nothing that is named; who follows begins
again. When its week is over the same unit removes it.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.clock import DAY, MINUTE
from mediamill.core.errors import ConditionFailed
from mediamill.engine.lease import Lease
from mediamill.letters.account import AccountNews
from mediamill.media.archive.layout import Summary
from mediamill.store.port import Absent, Delete, Equals, Put, Store, Update
from mediamill.store.repositories.exports import Export, Exports, ExportState
from mediamill.store.repositories.units import Unit, lane_of

log = structlog.get_logger(__name__)

KIND, KLASS = "export_account", "transfer"
KEPT_MS = 7 * DAY
LATER_MS = MINUTE
FAILED = "It could not be put together; the log of the service says why. Ask for it again."


class Packs(Protocol):
    """What knows all that is kept about somebody (`services/privacy/packing.py`)."""

    async def pack(self, owner: str, root: str) -> Summary:
        """Write the layout `{root}-layout` and what it lists of its own; return what it sums to."""


def export_unit(export: Export) -> Unit:
    """Make the one unit of an export, due now."""
    unit = Unit.chore(
        KIND, f"export:{export.id}", 0, export.owner, cost=5.0, now=export.asked, due=export.asked
    )
    return unit.evolve(klass=KLASS, payload={"export": export.id}).opened(export.asked)


@dataclass
class ExportAccount:
    """Makes exports, and removes them."""

    store: Store
    packs: Packs
    blobs: Blobs

    async def run(self, lease: Lease) -> None:
        export = await self._export(lease)
        now = await self.store.now()
        if export is None or (export.expires or now + 1) <= now:
            await self._remove(lease, export)
        elif export.state is ExportState.WAITING:
            await self._make(lease, export)
        else:
            await lease.release((export.expires or now) - now)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Say that there is none."""
        log.error(
            "account not exported",
            action="account_export_failed",
            unit=lease.unit.name,
            exc_info=error,
        )
        export = await self._export(lease)
        if export is None or export.state is not ExportState.WAITING:
            await lease.release(LATER_MS, str(error))
            return
        told = {"state": ExportState.FAILED, "error": FAILED}
        await self._clear(export, kept="")
        await lease.vanish(Update(Export, (export.owner,), set=told, when=_same(export)))

    async def _export(self, lease: Lease) -> Export | None:
        """Return the export, None when another was asked for since, or the user is gone."""
        export = await Exports(self.store).get(lease.unit.owner)
        named = lease.unit.payload["export"]
        return export if export is not None and export.id == named else None

    async def _make(self, lease: Lease, export: Export) -> None:
        root = f"{export.root}/{lease.unit.fence}"
        summary = await self.packs.pack(export.owner, root)
        await self._clear(export, kept=f"{root}-")
        now = await self.store.now()
        made: dict[str, Any] = {
            "state": ExportState.READY, "made": now, "expires": now + KEPT_MS,
            "layout": f"{root}-layout", "size": summary.size, "etag": summary.etag,
            "members": summary.count,
        }  # fmt: skip
        mail = AccountNews(letter="export_ready", to=export.owner).unit(now)
        try:
            await lease.write(
                Update(Export, (export.owner,), set=made, when=_same(export)),
                Put(mail, when=(Absent(),)),
                wake=lane_of(mail),
            )
        except ConditionFailed:  # another was asked for, or the user is gone
            await self._remove(lease, None)
            return
        await lease.release(KEPT_MS)
        log.info("account exported", action="account_exported", owner=export.owner,
                 size=summary.size)  # fmt: skip

    async def _remove(self, lease: Lease, export: Export | None) -> None:
        """Remove the bytes, then the row."""
        named = lease.unit.payload["export"]
        await self._clear(Export(owner=lease.unit.owner, id=named, asked=0), kept="")
        if export is None:
            await lease.vanish()
        else:
            await lease.vanish(Delete(Export, (export.owner,), when=_same(export)))

    async def _clear(self, export: Export, kept: str) -> None:
        """Remove what there is of an export, but for what begins as said."""
        async for blob in self.blobs.list(f"{export.root}/"):
            if not kept or not blob.key.startswith(kept):
                await self.blobs.delete(blob.key)


def _same(export: Export) -> tuple[Equals, ...]:
    return (Equals("id", export.id),)
