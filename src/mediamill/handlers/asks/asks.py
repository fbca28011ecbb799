"""`asks`: ask models for the items of a unit.

What goes wrong with an item is its outcome. Where nobody can be asked just now the items are left
for another attempt of the unit, after a while; where they went as a batch, until that is done.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from mediamill.engine.flush import Flush
from mediamill.engine.lease import Lease
from mediamill.engine.stages import StageKind
from mediamill.handlers.asks import index_captions
from mediamill.handlers.asks.apart import Apart
from mediamill.handlers.asks.batching import LOOK_AGAIN_MS, WaitingError
from mediamill.handlers.asks.claim import Claim, Parts
from mediamill.handlers.asks.enlisting import CAPTIONED, enlisting
from mediamill.handlers.asks.together import Together
from mediamill.handlers.items.steps import public


@dataclass(frozen=True)
class Asks:
    """Runs operations that ask models.

    Of a step that asks once about all inputs, one stage keeps what is sent of each, and the next
    asks.
    """

    parts: Parts

    async def run(self, lease: Lease) -> None:
        claim = await self._claim(lease)
        beside = enlisting(claim.job, claim.step.operation)
        with tempfile.TemporaryDirectory(dir=self.parts.scratch, prefix="asks-") as folder:
            try:
                async with claim.paying(), Flush(lease, beside, claim.tallying) as flush:
                    await self._all(claim, flush, Path(folder))
            except WaitingError:
                await lease.write(attempts=0)  # those of a day would add up
                await lease.release(LOOK_AGAIN_MS, counted=False)
        if claim.step.operation in CAPTIONED:
            await index_captions.wanted(lease, claim.job.owner)

    async def _all(self, claim: Claim, flush: Flush, folder: Path) -> None:
        async with claim.chain() as chain:
            if claim.cut.kind is StageKind.REDUCE:
                await Together(claim, flush, folder).run(chain)
            else:
                await Apart(claim, chain, flush, folder).run()

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Fail what has no outcome yet, with the error of the surroundings."""
        claim = await self._claim(lease)
        async with Flush(lease, tallying=claim.tallying) as flush:
            pending = lease.unit.pending()
            entries = await self.parts.manifests.at(claim.job.id, claim.stage, pending)
            for item, entry in entries.items():
                await flush.add(await claim.settling.failed(item, entry, public(error)))

    async def _claim(self, lease: Lease) -> Claim:
        return Claim(self.parts, lease, await self.parts.jobs.need(lease.unit.payload["job"]))
