"""Answers as rows of the ledger keep them: short ones in the row, long ones in a blob beside.

    results/{job}/answer-{digest of the row's key}

The blob is there before the row that names it, and goes with the job.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from mediamill.adapters.providers.port import Answer
from mediamill.blobs.port import Blobs
from mediamill.core.errors import NotFound
from mediamill.store.repositories.attempts import Attempt, AttemptState

INLINE_BYTES = 8_000
"""Of an answer as JSON that is kept in its row."""
BLOB = "blob"
"""In place of an answer, what names the blob with it."""
GOOD = (AttemptState.JOURNALED, AttemptState.ANSWERED)


@dataclass(frozen=True)
class Answers:
    """Keeps answers of calls with their rows."""

    blobs: Blobs

    async def kept(self, row: Attempt, answer: Answer) -> Attempt:
        """Return the row with an answer, whatever its length."""
        data = msgspec.json.encode(answer)
        if len(data) <= INLINE_BYTES:
            return row.evolve(answer=msgspec.to_builtins(answer))
        key = _key(row)
        await self.blobs.put(key, data)
        return row.evolve(answer={BLOB: key})

    async def of(self, row: Attempt) -> Answer | None:
        """Return what a call answered, if that was kept and nobody refused it."""
        if row.answer is None or row.state not in GOOD:
            return None
        if BLOB not in row.answer:
            return msgspec.convert(row.answer, Answer)
        try:
            return msgspec.json.decode(await self.blobs.get(row.answer[BLOB]), type=Answer)
        except NotFound:
            return None


def _key(row: Attempt) -> str:
    named = hashlib.sha256(f"{row.of}/{row.number}/{row.name}".encode()).hexdigest()
    return f"results/{row.job}/answer-{named[:40]}"
