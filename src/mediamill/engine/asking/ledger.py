"""The ledger of one question of an item: a row for each call, and money for it (`hooks.Ledger`)."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mediamill.adapters.providers.hooks import Outcome
from mediamill.adapters.providers.port import Answer, Provider, Question, Used
from mediamill.adapters.providers.prices import worst
from mediamill.core.errors import BudgetExceeded, MediamillError
from mediamill.engine.asking.answers import Answers
from mediamill.engine.asking.booking import Budgets
from mediamill.engine.asking.journal import Journal
from mediamill.engine.asking.money import Money
from mediamill.engine.asking.panel import Opened
from mediamill.store.port import Store
from mediamill.store.repositories.attempts import Attempt, AttemptState

STATES: Mapping[Outcome, AttemptState] = {
    Outcome.ANSWERED: AttemptState.ANSWERED,
    Outcome.INVALID: AttemptState.INVALID,
    Outcome.DECLINED: AttemptState.DECLINED,
    Outcome.LIMITED: AttemptState.LIMITED,
    Outcome.UNAVAILABLE: AttemptState.UNAVAILABLE,
    Outcome.REFUSED: AttemptState.REFUSED,
    Outcome.LOST: AttemptState.UNKNOWN,
}
MOST_WHY = 500


@dataclass
class QuestionLedger:
    """Keeps the calls for one question; `blank` is a row that says whose they are."""

    journal: Journal
    money: Money
    store: Store
    blank: Attempt
    chain: Mapping[str, Opened]
    answers: Answers
    past: Sequence[Attempt] = ()
    _number: int = field(init=False)

    def __post_init__(self) -> None:
        self._number = max((row.number for row in self.past), default=-1) + 1

    async def recall(self, provider: Provider, question: Question) -> Answer | None:
        """Return nothing: what was answered before is met by `Asking`, whoever answered it."""
        return None

    async def begin(self, provider: Provider, question: Question) -> "KeptAttempt":
        """Reserve the most that a call can cost, and keep that it begins."""
        opened = self.chain[provider.name]
        reserved = worst_cost(opened, question, self.money.budgets)
        await self.money.reserve_call(reserved)
        row = self._row(provider.name).evolve(
            model=provider.model, reserved=reserved, began=await self.store.now()
        )
        attempt = KeptAttempt(self, row, opened)
        with self.durably():
            await self.journal.write(row, new=True)
        return attempt

    @contextmanager
    def durably(self) -> Iterator[None]:
        """Write a row of a call that is under way, which is over here if that fails.

        It may be durable all the same, also when who waits for it is cancelled.
        """
        try:
            yield
        except BaseException:
            self.money.doubt()
            raise

    async def skipped(self, provider: str, why: str) -> None:
        """Keep that a provider was not asked, and why."""
        now = await self.store.now()
        row = self._row(provider).evolve(
            state=AttemptState.SKIPPED, error=why[:MOST_WHY], began=now, ended=now
        )
        self.journal.later(row)

    def _row(self, provider: str) -> Attempt:
        number = self._number
        self._number += 1
        return self.blank.evolve(provider=provider, number=number)


@dataclass
class KeptAttempt:
    """One call, as its row says (`hooks.Attempt`)."""

    ledger: QuestionLedger
    row: Attempt
    opened: Opened
    _since: float = field(default_factory=time.monotonic)

    async def answered(self, answer: Answer) -> None:
        """Make an answer durable with what it cost."""
        price, used = self.opened.price, answer.used
        self.row = counted(self._over(), used).evolve(
            state=AttemptState.JOURNALED,
            cost=price.cost(used) if price else 0,
            model=answer.model or self.row.model,
            request=answer.request[:200],
        )
        with self.ledger.durably():
            self.row = await self.ledger.answers.kept(self.row, answer)
            await self.ledger.journal.write(self.row)

    async def ended(self, outcome: Outcome, error: MediamillError | None) -> None:
        """Keep how it ended; what may have been paid for counts as the most that it could cost."""
        row = self.row
        if row.state is not AttemptState.JOURNALED:
            row = self._over().evolve(cost=row.reserved if outcome.may_cost else 0)
        self.row = row.evolve(
            state=STATES[outcome],
            code=error.code if error else "",
            error=error.message[:MOST_WHY] if error else "",
        )
        self.ledger.money.settle(self.row)
        self.ledger.journal.later(self.row)

    def _over(self) -> Attempt:
        """Return the row with when the call was over; nobody is asked, so nothing comes between."""
        took = round((time.monotonic() - self._since) * 1000)
        return self.row.evolve(ended=self.row.began + took, milliseconds=took)


def counted(row: Attempt, used: Used) -> Attempt:
    """Return a row with what its call used."""
    return row.evolve(
        input_tokens=used.input_tokens, output_tokens=used.output_tokens, images=used.images
    )


def worst_cost(opened: Opened, question: Question, budgets: Budgets, *, batch: bool = False) -> int:
    """Return the most that a call can cost, in micro-dollars.

    Raises `BudgetExceeded` where there is a budget and nobody knows a price.
    """
    provider, price = opened.provider, opened.price
    if price is not None:
        used = worst(question, provider.traits, price, opened.configured.timeout)
        return price.cost(used, batch=batch)
    if budgets.bounded:
        raise BudgetExceeded(
            f"Nobody knows what {provider.name} costs, and there is a budget: set its price.",
            budget="price",
        )
    return 0
