"""Ask a chain of providers for the items of one claim of a unit.

    asking = Asking(…)
    answer = await asking.item(7)("caption", question)

An item's question is known by its name. What was answered to it before, in an earlier claim or an
earlier try of the item, is given again and not paid again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mediamill.adapters.providers.fallback import Fallback
from mediamill.adapters.providers.hooks import Gate
from mediamill.adapters.providers.port import Answer, Deadline, Finish, Question, Traits
from mediamill.core.errors import ConditionFailed, InvalidAnswer, InvalidInput
from mediamill.engine.asking.answers import Answers
from mediamill.engine.asking.booking import Booking
from mediamill.engine.asking.journal import Journal
from mediamill.engine.asking.ledger import QuestionLedger
from mediamill.engine.asking.money import Money, Sums
from mediamill.engine.asking.panel import Opened, traits_of
from mediamill.store.port import Equals, Put, Store
from mediamill.store.repositories.attempts import Attempt, Attempts, AttemptState, of_item
from mediamill.store.repositories.spending import Purse

MOST_QUESTIONS = 200
"""Different questions of one item."""
NAME = 100
"""Characters of a question's name."""


@dataclass
class Asking:
    """Whom a claim asks, and on whose account; `blank` is a row that says whose calls they are."""

    chain: Sequence[Opened]
    gate: Gate
    journal: Journal
    money: Money
    store: Store
    blank: Attempt
    answers: Answers
    seconds: float
    """Until when a question must be answered."""

    def item(self, item: int, past: Sequence[Attempt] = ()) -> "ItemAsk":
        """Return what asks for an item; `past` are its attempts so far."""
        blank = self.blank
        of = of_item(blank.job, blank.stage, item)
        return ItemAsk(self, blank.evolve(of=of, item=item), past)


@dataclass
class ItemAsk:
    """Asks for one item (`operations/asking.py`)."""

    asking: Asking
    blank: Attempt
    past: Sequence[Attempt] = ()
    answered: list[dict[str, str]] = field(default_factory=list)
    """Which question was answered by whom."""
    _asked: set[str] = field(default_factory=set)

    @property
    def traits(self) -> Traits:
        """What every provider of the chain can be asked."""
        return traits_of(self.asking.chain)

    async def __call__(self, name: str, question: Question) -> Answer:
        """Return the answer to a question, which is asked once under its name."""
        if name in self._asked or len(name) > NAME or len(self._asked) >= MOST_QUESTIONS:
            raise InvalidInput(f"“{name[:NAME]}” cannot be asked: each question has its own name.")
        self._asked.add(name)
        past = self.of_question(name)
        known = await self.known(past, question)
        if known is not None:
            return self._noted(name, known)
        asking = self.asking
        ledger = QuestionLedger(
            asking.journal, asking.money, asking.store, self.blank.evolve(name=name),
            {opened.provider.name: opened for opened in asking.chain}, asking.answers, past,
        )  # fmt: skip
        providers = [opened.provider for opened in asking.chain]
        chain = Fallback(providers, gate=asking.gate, ledger=ledger)
        return self._noted(name, await chain.ask(question, Deadline(asking.seconds)))

    def _noted(self, name: str, answer: Answer) -> Answer:
        self.answered.append({"question": name, "provider": answer.provider, "model": answer.model})
        return answer

    def of_question(self, name: str) -> list[Attempt]:
        """Return the attempts so far at a question."""
        return [row for row in self.past if row.name == name]

    async def known(self, past: Sequence[Attempt], question: Question) -> Answer | None:
        """Return the latest answer that will do; those that were not judged yet are now."""
        for row in reversed(past):
            answer = await self.asking.answers.of(row)
            if answer is None:
                continue
            state = AttemptState.ANSWERED if _will_do(answer, question) else AttemptState.INVALID
            if state is not row.state:
                self.asking.journal.later(row.evolve(state=state))
            if state is AttemptState.ANSWERED:
                return answer
        return None


def _will_do(answer: Answer, question: Question) -> bool:
    if answer.finish is Finish.REFUSED:
        return False
    try:
        if question.check is not None:
            question.check(answer)
    except InvalidAnswer:
        return False
    return True


async def settle_dead(
    attempts: Attempts, booking: Booking, purse: Purse, stage: int, items: Sequence[int]
) -> None:
    """Close the purse of a claim that is over, by what the rows of its calls say.

    A call without an end is `unknown` from now on, and counts as the most that it could cost.
    """
    sums = Sums()
    async for rows in attempts.of_items(purse.job, stage, items):
        for row in rows:
            if row.claim == (purse.unit, purse.fence):
                sums.add(await _ended(attempts.store, row))
    await booking.close(purse, sums.spent, sums.facts)


async def _ended(store: Store, row: Attempt) -> Attempt:
    if row.state is not AttemptState.ASKED:
        return row
    ended = row.evolve(
        state=AttemptState.UNKNOWN,
        cost=row.reserved,
        code="unknown",
        error="Its worker ended before the answer came.",
        ended=await store.now(),
    )
    try:
        await store.transact(Put(ended, when=(Equals("state", AttemptState.ASKED),)))
    except ConditionFailed:  # its end was written after all
        return await store.get(Attempt, *row.key_values()) or row
    return ended
