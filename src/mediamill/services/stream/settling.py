"""Settle messages that were prepared: files with the step past them, or dead letters.

A message is settled by the transaction that moves its partition's row past it
(`store/repositories/stream.py`). Before each it is asked whether the topic is still the one whose
messages these are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import structlog

from mediamill.adapters.stream.port import Origin, Part
from mediamill.core.errors import ConditionFailed, Conflict, LimitExceeded, QuotaExceeded
from mediamill.services.stream.filing import SOURCE, Filing, Kept, Prepared, about, letter
from mediamill.services.stream.jobs import OnArrival
from mediamill.services.stream.rules import TopicRule
from mediamill.services.uploads.recording import UNKNOWN_TYPE, drawing
from mediamill.store.port import Action
from mediamill.store.repositories.daily import Dailies, Fact, Fate, day_of
from mediamill.store.repositories.figures import About
from mediamill.store.repositories.figures import Fact as Counted
from mediamill.store.repositories.files import File
from mediamill.store.repositories.stream import StreamBooks, StreamPartition, step, stepped

log = structlog.get_logger(__name__)

MOST_ACTIONS, COMMON_ACTIONS = 96, 6
"""Of one transaction, which the store lets have a hundred; those that are there once in each."""


KEPT = (Kept.ALL, Kept.HEADERS, Kept.NOTHING)
"""Of a message in its letter, as long as that is too large."""


class Stale(Exception):
    """The partition is another's by now, or its topic is gone: nothing more is to be done here."""


@dataclass
class Settling:
    """A partition's place in the books, and what moves it."""

    part: Part
    rule: TopicRule
    row: StreamPartition
    origin: Origin
    filing: Filing
    books: StreamBooks
    arriving: OnArrival = field(default_factory=OnArrival)
    _buried: int = 0
    """Dead letters before this offset are written."""

    @property
    def settled(self) -> int:
        """The first offset that is not settled; where only a letter's step lacks it is behind it.

        For what is written with a letter is the offset, which must not be set back.
        """
        return max(self.row.next, self._buried)

    async def settle(self, batch: Sequence[Prepared]) -> None:
        """Settle messages that stand behind each other; what was settled before is passed over.

        Raises `Stale`, and what keeps it from being done now: trying again is harmless.
        """
        new = [one for one in batch if one.message.offset >= self.row.next]
        if new and not await self.origin.confirm(self.part):
            raise Stale
        new = [await self.filing.owned(one, self.rule) for one in new]
        for (_, owner), some in groupby(new, self._lot):
            if not owner:
                await self._bury([*some])
                continue
            for run in await self._portions(owner, [*some]):
                await self._keep(run)

    def _lot(self, one: Prepared) -> tuple[bool, str]:
        """Tell what is settled alike: whether its letter is written, and whose file it becomes."""
        written = one.message.offset < self._buried
        return written, "" if written or one.error or not one.file else one.file.owner

    async def _portions(self, owner: str, run: Sequence[Prepared]) -> Sequence[Sequence[Prepared]]:
        """Cut a run so that the rows of each part fit in a transaction.

        Files of one day and type add to one row of figures.
        """
        told = await self.filing.rows.announcer.hears(owner)
        portions: list[list[Prepared]] = [[]]
        actions, figures = COMMON_ACTIONS, set[tuple[str, str]]()
        for one in run:
            more = _actions(one.file, told=told) if one.file else 0
            row = {(day_of(one.file.created), one.file.media_type)} if one.file else set()
            figures |= row
            if portions[-1] and actions + more + len(figures) > MOST_ACTIONS:
                portions.append([])
                actions, figures = COMMON_ACTIONS, row
            portions[-1].append(one)
            actions += more
        return portions

    async def _keep(self, run: Sequence[Prepared]) -> None:
        """Write files and the step past them; those that a quota forbids become letters."""
        files = [one.file for one in run if one.file is not None]
        until = run[-1].message.offset + 1
        units, also = await self.arriving.units(files, self.rule, self.part.topic)
        units = [*units, *(unit for file in files for unit in drawing(file))]
        guard = step(self.row, until, files=len(files))
        try:
            await self.filing.rows.insert_all(files, units, guard, *also)
        except QuotaExceeded as error:
            await self._keep_some(run, error)
            return
        except ConditionFailed:
            await self._look_again(run)
            return
        self.row = stepped(self.row, until, files=len(files))
        log.info("files arrived", action="files_arrived", count=len(files),
                 **about(run[-1].message), owner=files[0].owner)  # fmt: skip

    async def _keep_some(self, run: Sequence[Prepared], error: QuotaExceeded) -> None:
        """Take one by one what does not fit together."""
        if len(run) > 1:
            for one in run:
                await self._keep([one])
            return
        await self._bury([replace(run[0], error=error)])

    async def _look_again(self, run: Sequence[Prepared]) -> None:
        """Read how far others have come, or we ourselves, if an answer was lost.

        Only where the run ends just there is nothing left of it; else raises `Conflict`, so that
        the rest is tried again. Bytes go of those messages that became somebody else's files.
        """
        self.row = await self.books.open(self.part.source, self.part.number, self.part.topic)
        for one in run:
            if one.message.offset < self.row.next and not await self._has_row(one):
                await self.filing.discard(one)
        if self.row.next != run[-1].message.offset + 1:
            raise Conflict("These messages are settled otherwise, in part at least.")

    async def _has_row(self, one: Prepared) -> bool:
        return one.file is not None and await self.books.store.get(File, one.file.id) is not None

    async def _bury(self, run: Sequence[Prepared]) -> None:
        """Write dead letters with the offset past them, then the step; bytes of theirs go."""
        until = run[-1].message.offset + 1
        run = await self.filing.named(run, self.rule)
        if until > self._buried:  # else only the step failed when this was tried before
            try:
                await self._write_letters(run, until)
            except Conflict as error:
                raise Stale from error
            except LimitExceeded:
                if len(run) == 1:
                    raise
                for one in run:  # only what is too large itself goes without its value
                    await self._bury([one])
                return
            self._buried = until
            for one in run:
                code = one.error.code if one.error else ""
                log.info("dead letter", action="dead_letter", code=code, **about(one.message))
        guard = step(self.row, until, letters=len(run))
        try:
            await self.books.store.transact(guard, *await self._counting(run))
        except ConditionFailed as error:
            if error.action:
                raise
            await self._look_again(run)
            return
        self.row = stepped(self.row, until, letters=len(run))
        for one in run:
            await self.filing.discard(one)

    async def _counting(self, run: Sequence[Prepared]) -> Sequence[Action]:
        """Make the actions that count what each customer's messages came to."""
        now = await self.books.store.now()
        figures = await self.filing.rows.figures.counting_all(
            (one.owner, _refused(one, now)) for one in run
        )
        counted = await Dailies(self.books.store).counting(
            Fact(
                one.owner,
                now,
                SOURCE,
                UNKNOWN_TYPE,
                Fate.REFUSED,
                bytes=len(one.message.value or b""),
            )
            for one in run
            if one.owner
        )
        return [*counted, *figures]

    async def _write_letters(self, run: Sequence[Prepared], until: int) -> None:
        topic = self.rule.dead_letters
        for kept in KEPT if len(run) == 1 else KEPT[:1]:
            letters = [letter(self.part, one, topic, kept) for one in run]
            try:
                await self.origin.bury(self.part, letters, until)
            except LimitExceeded:
                if kept is KEPT[-1] or len(run) > 1:
                    raise
            else:
                return


def _refused(one: Prepared, now: int) -> Counted:
    """Return a message that became a dead letter as figures have it."""
    size = len(one.message.value or b"")
    return Counted(
        about=About.FILES, day=day_of(now), status=Fate.REFUSED, source=SOURCE,
        media_type=UNKNOWN_TYPE, counts={"count": 1, "bytes": size},
    )  # fmt: skip


def _actions(file: File, *, told: bool) -> int:
    """Return how many rows a file brings: its own, its tags', a drawing, a notice."""
    return 1 + len(file.tags) + len(drawing(file)) + told
