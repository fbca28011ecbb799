"""Ask once about all inputs: the stage before has kept what is sent of each."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mediamill.core.errors import LimitExceeded
from mediamill.engine.asking.panel import Opened
from mediamill.engine.flush import Flush
from mediamill.handlers.asks.claim import Claim, with_answers
from mediamill.handlers.items.settling import Done
from mediamill.operations.asking import Prepared, PreparedFile
from mediamill.operations.work import Context, SourceFacts
from mediamill.store.repositories.results import ItemOutcome, Result

MOST_FILES, MOST_BYTES = 2_000, 64_000_000
"""What is sent of a set, at most; models take far less."""


@dataclass
class Together:
    """One item of one claim: a question about a whole set."""

    claim: Claim
    flush: Flush
    folder: Path

    async def run(self, chain: Sequence[Opened]) -> None:
        """Ask, unless it has an outcome."""
        for item in self.claim.lease.unit.pending():
            await self._one(item, chain)

    async def _one(self, item: int, chain: Sequence[Opened]) -> None:
        claim, parts = self.claim, self.claim.parts
        works, _ = await claim.loading.load([item])
        asking, start = claim.asking(chain), time.monotonic()
        ask = asking.item(item, (await claim.attempts_of(works)).get(item, ()))
        context = Context(Path(tempfile.mkdtemp(dir=self.folder)), seed=claim.job.seed)
        try:
            inputs = await self._prepared()
            outcome = await claim.operation.answer_all(inputs, ask, context)
        except Exception as raised:
            error = claim.of_item(item, raised)
            await asking.journal.settle()
            if claim.may_pass(error):
                raise error from None
            entry = (await parts.manifests.at(claim.job.id, claim.stage, [item]))[item]
            await self.flush.add(await claim.settling.failed(item, entry, error))
            return
        await asking.journal.settle()
        done = Done(works[0], with_answers(outcome, ask.answered), time.monotonic() - start)
        (result,) = await claim.settling.succeeded([done])
        await self.flush.add(result)

    async def _prepared(self) -> list[Prepared]:
        """Fetch what the stage before made of each input that went well."""
        claim, found, count, size = self.claim, list[Prepared](), 0, 0
        async for row in claim.parts.rows.walk_stage(claim.job.id, claim.stage - 1):
            if row.outcome is ItemOutcome.FAILED or row.expired:
                continue
            count, size = count + len(row.files), size + sum(file.size for file in row.files)
            if count > MOST_FILES or size > MOST_BYTES:
                raise LimitExceeded("This is more than models can be asked about at once.")
            found.append(await self._fetched(row))
        return found

    async def _fetched(self, row: Result) -> Prepared:
        files = []
        for n, file in enumerate(row.files):
            path = self.folder / f"{row.item}-{n}"
            path.write_bytes(await self.claim.parts.results.get(file.blob))
            files.append(PreparedFile(path, file.name, file.media_type, file.info))
        seen = row.report.get("input", {})
        facts = SourceFacts(
            seen.get("media_type", ""), seen.get("size", 0), seen.get("width", 0),
            seen.get("height", 0),
        )  # fmt: skip
        return Prepared(row.name, facts, tuple(files), row.data or {})
