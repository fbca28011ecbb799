"""Ask many questions at once, to be answered within hours for less (`Batches`).

What an operation would ask is found by letting it ask: what was answered before is given to it, and
the first question that goes as a batch is noted, its pictures in files, and ends that. Rows and
money are as for other calls: a row is there before the batch is handed in, and the purse stays open
until the answers are in.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

from mediamill.adapters.providers.hooks import outcome_of
from mediamill.adapters.providers.port import Answer, Image, Question, Traits
from mediamill.core.errors import MediamillError, StorageFull
from mediamill.engine.asking.answers import Answers
from mediamill.engine.asking.asking import Asking, ItemAsk
from mediamill.engine.asking.journal import Journal
from mediamill.engine.asking.ledger import MOST_WHY, STATES, counted, worst_cost
from mediamill.engine.asking.panel import Opened
from mediamill.store.repositories.attempts import Attempt, AttemptState


class AskedLaterError(Exception):
    """A question waits for a batch; the item is asked about again when that is answered."""


@dataclass(frozen=True)
class Wanted:
    """A question of an item, without the bytes of its pictures, and the row of its call."""

    question: Question
    row: Attempt
    pictures: tuple[Path, ...]

    @property
    def id(self) -> str:
        return id_of(self.row)

    def whole(self) -> tuple[str, Question]:
        """Return its id, and the question with its pictures, which are read."""
        paths = iter(self.pictures)
        parts = tuple(
            replace(part, data=next(paths).read_bytes()) if isinstance(part, Image) else part
            for part in self.question.parts
        )
        return self.id, replace(self.question, parts=parts)


class Questions(Sequence[tuple[str, Question]]):
    """Questions by their id, as a batch is handed in: the pictures of one are in memory."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._wanted = wanted

    def __len__(self) -> int:
        return len(self._wanted)

    @overload
    def __getitem__(self, place: int) -> tuple[str, Question]: ...

    @overload
    def __getitem__(self, place: slice) -> "Questions": ...

    def __getitem__(self, place: int | slice) -> "tuple[str, Question] | Questions":
        if isinstance(place, slice):
            return Questions(self._wanted[place])
        return self._wanted[place].whole()


@dataclass
class Gathering:
    """Gathers the questions of a claim that go as a batch; their pictures lie in `folder`."""

    asking: Asking
    opened: Opened
    folder: Path
    over: Collection[tuple[int, int]] = ()
    """Claims of the unit whose batches are over (`Attempt.claim`)."""
    wanted: list[Wanted] = field(default_factory=list)

    def item(self, item: int, past: Sequence[Attempt] = ()) -> "BatchAsk":
        """Return what asks for an item; `past` are its attempts so far."""
        return BatchAsk(self.asking.item(item, past), self)

    def takes(self, question: Question, past: Sequence[Attempt]) -> bool:
        """Tell whether a question goes as a batch; it does so once.

        It must not go on with an answer, and be one that the provider can be asked.
        """
        before = any(row.claim in self.over for row in past)
        return not (before or question.begun or self.opened.provider.traits.objection(question))

    def add(self, question: Question, row: Attempt) -> None:
        """Note a question; raises `StorageFull`."""
        pictures = list[Path]()
        for image in question.images:
            pictures.append(self.folder / f"asked-{len(self.wanted)}-{len(pictures)}")
            try:
                pictures[-1].write_bytes(image.data)
            except OSError as error:
                raise StorageFull(f"No room to keep what is asked: {error.strerror}.") from error
        bare = tuple(
            replace(part, data=b"") if isinstance(part, Image) else part for part in question.parts
        )
        self.wanted.append(Wanted(replace(question, parts=bare), row, tuple(pictures)))


@dataclass
class BatchAsk:
    """Answers what was answered before, and what goes as no batch; notes the rest."""

    asked: ItemAsk
    gathering: Gathering

    @property
    def traits(self) -> Traits:
        """What every provider of the chain can be asked."""
        return self.asked.traits

    @property
    def answered(self) -> Sequence[dict[str, str]]:
        """Which question was answered by whom."""
        return self.asked.answered

    async def __call__(self, name: str, question: Question) -> Answer:
        """Return the answer to a question; raises `AskedLaterError` for one that is noted."""
        past = self.asked.of_question(name)
        later = self.gathering.takes(question, past)
        if not later or await self.asked.known(past, question) is not None:
            return await self.asked(name, question)
        number = max((row.number for row in past), default=-1) + 1
        self.gathering.add(question, self.asked.blank.evolve(name=name, number=number))
        raise AskedLaterError(name)


def id_of(row: Attempt) -> str:
    """Return by which id a question is handed in and answered."""
    return f"{row.item}/{row.name}"


async def pay(asking: Asking, opened: Opened, wanted: Sequence[Wanted]) -> list[Attempt]:
    """Reserve money for questions, and keep that they are asked; return the rows that say so.

    Raises `BudgetExceeded` where they may cost more than may be spent, or nobody knows.
    """
    provider, now = opened.provider, await asking.store.now()
    budgets = asking.money.budgets
    rows = [
        one.row.evolve(
            provider=provider.name,
            model=provider.model,
            reserved=worst_cost(opened, one.question, budgets, batch=True),
            began=now,
        )
        for one in wanted
    ]
    await asking.money.reserve(sum(row.reserved for row in rows))
    await keep(asking.journal, rows, new=True)
    return rows


async def keep(journal: Journal, rows: Sequence[Attempt], *, new: bool = False) -> None:
    """Make rows durable, many in a transaction; raises what writing one raises."""
    await asyncio.gather(*(journal.write(row, new=new) for row in rows))


def refused(row: Attempt, error: MediamillError, now: int) -> Attempt:
    """Return a row of a batch that came to nothing; it cost nothing, unless it may have."""
    outcome = outcome_of(error)
    return row.evolve(
        state=STATES[outcome],
        cost=row.reserved if outcome.may_cost else 0,
        code=error.code,
        error=error.message[:MOST_WHY],
        ended=now,
    )


async def collected(
    row: Attempt, found: Mapping[str, Answer | str], opened: Opened, answers: Answers, now: int
) -> Attempt:
    """Return a row of a batch with what became of its question."""
    answer = found.get(id_of(row))
    ended = row.evolve(ended=now, milliseconds=max(0, now - row.began))
    if isinstance(answer, Answer):
        price = opened.price
        good = counted(ended, answer.used).evolve(
            state=AttemptState.JOURNALED,
            model=answer.model or row.model,
            cost=price.cost(answer.used, batch=True) if price else 0,
            request=answer.request[:200],
        )
        plain = not opened.provider.traits.instructed
        return await answers.kept(good, replace(answer, plain=plain))
    if answer is None:
        why = "The batch came back without it."
        return ended.evolve(state=AttemptState.UNKNOWN, cost=row.reserved, error=why)
    return ended.evolve(state=AttemptState.UNAVAILABLE, error=answer[:MOST_WHY])
