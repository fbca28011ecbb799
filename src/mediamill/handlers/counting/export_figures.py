"""`export_figures`: write what has changed in figures to where they are exported."""

from dataclasses import dataclass
from typing import ClassVar

from mediamill.analytics.exporting import Exporter
from mediamill.analytics.noting import noted
from mediamill.core.clock import HOUR
from mediamill.engine.lease import Lease

EVERY_MS = HOUR


@dataclass
class ExportFigures:
    """Looks once an hour, and its unit knows of the last time; without a place it does nothing."""

    recurs: ClassVar = True

    exporter: Exporter | None

    async def run(self, lease: Lease) -> None:
        if self.exporter is not None:
            began = await self.exporter.store.now()
            await self.exporter.run()
            await lease.write(payload=noted(lease.unit.payload, began))
        await lease.release(EVERY_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Look again in an hour."""
        await lease.release(EVERY_MS, str(error))
