"""Ask many questions at once, to be answered within hours for less (`Batches`).

What an operation would ask is found by letting it ask: each question that was not answered before
is noted, and the item is left. Rows and money are as for other calls: a row is there before the
batch is handed in, and the purse stays open until the answers are in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mediamill.adapters.providers.hooks import outcome_of
from mediamill.adapters.providers.port import Answer, Question, Traits
from mediamill.adapters.providers.prices import worst
from mediamill.core.errors import MediamillError
from mediamill.engine.asking.answers import kept
from mediamill.engine.asking.asking import Asking, ItemAsk
from mediamill.engine.asking.ledger import STATES, counted
from mediamill.engine.asking.panel import Opened
from mediamill.store.repositories.attempts import Attempt, AttemptState


class AskedLaterError(Exception):
    """A question waits for a batch; the item is asked about again when that is answered."""


@dataclass
class Wanted:
    """A question of an item, and the row that its call will have."""

    id: str
    question: Question
    row: Attempt


@dataclass
class BatchAsk:
    """Answers what was answered before, and notes the rest (`operations/asking.py`)."""

    asked: ItemAsk
    wanted: list[Wanted] = field(default_factory=list)

    @property
    def traits(self) -> Traits:
        """What every provider of the chain can be asked."""
        return self.asked.traits

    async def __call__(self, name: str, question: Question) -> Answer:
        """Return what was answered before; raises `AskedLaterError` where nothing was."""
        past = self.asked.of_question(name)
        known = self.asked.known(past, question)
        if known is not None:
            return known
        number = max((row.number for row in past), default=-1) + 1
        row = self.asked.blank.evolve(name=name, number=number)
        self.wanted.append(Wanted(f"{row.item}/{name}", question, row))
        raise AskedLaterError(name)


async def pay(asking: Asking, opened: Opened, wanted: Sequence[Wanted]) -> list[Attempt]:
    """Reserve money for questions, and keep that they are asked; return the rows that say so.

    Raises `BudgetExceeded` where they may cost more than may be spent.
    """
    provider, price = opened.provider, opened.price
    rows, now = list[Attempt](), await asking.store.now()
    for one in wanted:
        used = worst(one.question, provider.traits, price)
        reserved = price.cost(used, batch=True) if price else 0
        rows.append(
            one.row.evolve(
                provider=provider.name, model=provider.model, reserved=reserved, began=now
            )
        )
    await asking.money.reserve(sum(row.reserved for row in rows))
    for row in rows:
        asking.journal.later(row)
    await asking.journal.settle()
    return rows


def refused(row: Attempt, error: MediamillError) -> Attempt:
    """Return a row of a batch that nobody took: it cost nothing."""
    return row.evolve(
        state=STATES[outcome_of(error)], code=error.code, error=error.message[:500], ended=row.began
    )


def collected(row: Attempt, found: Mapping[str, Answer | str], opened: Opened, now: int) -> Attempt:
    """Return a row of a batch with what became of its question."""
    answer = found.get(f"{row.item}/{row.name}")
    ended = row.evolve(ended=now, milliseconds=max(0, now - row.began))
    if isinstance(answer, Answer):
        price = opened.price
        return counted(ended, answer.used).evolve(
            state=AttemptState.JOURNALED,
            model=answer.model or row.model,
            cost=price.cost(answer.used, batch=True) if price else 0,
            request=answer.request[:200],
            answer=kept(answer),
        )
    if answer is None:
        why = "The batch came back without it."
        return ended.evolve(state=AttemptState.UNKNOWN, cost=row.reserved, error=why)
    return ended.evolve(state=AttemptState.UNAVAILABLE, error=answer[:500])
