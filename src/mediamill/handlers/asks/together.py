"""Ask once about all inputs: the stage before has kept what is sent of each."""

import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mediamill.core.errors import LimitExceeded
from mediamill.engine.asking.panel import Opened
from mediamill.engine.flush import Flush
from mediamill.handlers.asks.claim import Claim, with_answers
from mediamill.handlers.items.reusing import Takeover, reuse_of
from mediamill.handlers.items.settling import Done
from mediamill.handlers.items.steps import Work
from mediamill.operations.asking import Prepared, PreparedFile
from mediamill.operations.work import Context, SourceFacts
from mediamill.store.repositories.results import ItemOutcome, Result
from mediamill.store.repositories.reuse import Reuses

MOST_FILES, MOST_BYTES = 2_000, 64_000_000
"""What is sent of a set, at most; models take far less."""
LOADED = 500
"""Members of a set that are looked up at a time."""


@dataclass
class Together:
    """One item of one claim: a question about a whole set."""

    claim: Claim
    flush: Flush
    folder: Path

    async def run(self, chain: Sequence[Opened]) -> None:
        """Ask, unless it has an outcome, or had one in an earlier job."""
        for item in self.claim.lease.unit.pending():
            (work,), _ = await self.claim.loading(chain).load([item])
            self.claim.tallying.know([work])
            for left in await self._anew(work, chain):
                await self._one(left, chain)

    async def _anew(self, work: Work, chain: Sequence[Opened]) -> Sequence[Work]:
        """Return the work with its digest; none if it was taken over from an earlier job."""
        claim, parts, loading = self.claim, self.claim.parts, self.claim.loading_members(chain)
        items = [row.item async for row in self._members()]
        members = list[tuple[str, str]]()
        for start in range(0, len(items), LOADED):
            some, gone = await loading.load(items[start : start + LOADED])
            members += [(one.digest, one.entry.name or one.file.name) for one in some]
            members += [("", one.entry.name) for one in gone]
        work = replace(work, digest=claim.loading(chain).digests.of_set(members))
        if not claim.job.reuse:
            return [work]
        takeover = Takeover(parts.results, Reuses(parts.jobs.store))
        return await takeover.all(claim.job.owner, [work], claim.settling, self.flush)

    async def _one(self, work: Work, chain: Sequence[Opened]) -> None:
        claim, parts, item = self.claim, self.claim.parts, work.item
        asking, start = claim.asking(chain), time.monotonic()
        ask = asking.item(item, (await claim.attempts_of([work])).get(item, ()))
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
            seconds = time.monotonic() - start
            await self.flush.add(await claim.settling.failed(item, entry, error, seconds))
            return
        await asking.journal.settle()
        done = Done(work, with_answers(outcome, ask.answered), time.monotonic() - start)
        (result,) = await claim.settling.succeeded([done])
        await self.flush.add(result, reuse_of(claim.job.owner, done, result))

    async def _prepared(self) -> list[Prepared]:
        """Fetch what the stage before made of each input that went well."""
        found, count, size = list[Prepared](), 0, 0
        async for row in self._members():
            count, size = count + len(row.files), size + sum(file.size for file in row.files)
            if count > MOST_FILES or size > MOST_BYTES:
                raise LimitExceeded("This is more than models can be asked about at once.")
            found.append(await self._fetched(row))
        return found

    async def _members(self) -> AsyncIterator[Result]:
        """Visit what the stage before made, as far as it went well."""
        claim = self.claim
        async for row in claim.parts.rows.walk_stage(claim.job.id, claim.stage - 1):
            if row.outcome is not ItemOutcome.FAILED and not row.expired:
                yield row

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
