"""The ledger of one question of an item: a row for each call, and money for it (`hooks.Ledger`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mediamill.adapters.providers.hooks import Outcome
from mediamill.adapters.providers.port import Answer, Provider, Question, Used
from mediamill.adapters.providers.prices import worst
from mediamill.core.errors import BudgetExceeded, InvalidAnswer, MediamillError
from mediamill.engine.asking.answers import kept, read
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
        used = worst(question, provider.traits, opened.price, opened.configured.timeout)
        if opened.price is None and self.money.budgets.bounded:
            raise BudgetExceeded(
                f"Nobody knows what {provider.name} costs, and there is a budget: set its price.",
                budget="price",
            )
        reserved = opened.price.cost(used) if opened.price else 0
        await self.money.reserve(reserved)
        row = self._row(provider.name).evolve(
            model=provider.model, reserved=reserved, began=await self.store.now()
        )
        attempt = KeptAttempt(self, row, opened)
        try:
            await self.journal.write(row, new=True)
        except BaseException:
            self.money.release(reserved)  # it was not made
            raise
        return attempt

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

    async def answered(self, answer: Answer) -> None:
        """Make an answer durable with what it cost; raises `InvalidAnswer` for one too long."""
        price, used = self.opened.price, answer.used
        now = await self.ledger.store.now()
        self.row = counted(self.row, used).evolve(
            state=AttemptState.JOURNALED,
            cost=price.cost(used) if price else 0,
            model=answer.model or self.row.model,
            request=answer.request[:200],
            ended=now,
            milliseconds=max(0, now - self.row.began),
        )
        try:
            self.row = self.row.evolve(answer=kept(answer))
        except InvalidAnswer as error:
            await self.ended(Outcome.INVALID, error)
            raise
        await self.ledger.journal.write(self.row)

    async def ended(self, outcome: Outcome, error: MediamillError | None) -> None:
        """Keep how it ended; what may have been paid for counts as the most that it could cost."""
        now = await self.ledger.store.now()
        answered = self.row.state is AttemptState.JOURNALED
        cost = self.row.cost
        if not answered and outcome.may_cost:
            cost = self.row.reserved
        self.row = self.row.evolve(
            state=STATES[outcome],
            cost=cost,
            code=error.code if error else "",
            error=error.message[:MOST_WHY] if error else "",
            ended=self.row.ended or now,
            milliseconds=self.row.milliseconds or max(0, now - self.row.began),
        )
        self.ledger.money.settle(self.row)
        self.ledger.journal.later(self.row)


def counted(row: Attempt, used: Used) -> Attempt:
    """Return a row with what its call used."""
    return row.evolve(
        input_tokens=used.input_tokens, output_tokens=used.output_tokens, images=used.images
    )


def answer_of(row: Attempt) -> Answer | None:
    """Return what a call answered, if that was kept and nobody refused it."""
    good = (AttemptState.JOURNALED, AttemptState.ANSWERED)
    return read(row.answer) if row.answer is not None and row.state in good else None
