"""What a chain of providers is watched and held back by: a gate before each, and a ledger.

async with gate.enter(provider.name, deadline) as permit:
    attempt = await ledger.begin(provider, question)
    answer = await provider.ask(question, deadline)
    permit.tell(None)
await attempt.answered(answer)
question.check(answer)
await attempt.ended(Outcome.ANSWERED, None)
"""

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

from mediamill.adapters.providers.port import Answer, Deadline, Provider, Question
from mediamill.core.errors import (
    InvalidAnswer,
    MediamillError,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
    RateLimited,
)


class Outcome(StrEnum):
    """How an attempt ended.

    What it costs follows from it: what `answered` was told where it was told anything; else
    nothing, except for `INVALID` and `LOST`, which may have been paid for to the full.
    """

    ANSWERED = "answered"
    INVALID = "invalid"
    """It answered what will not do."""
    DECLINED = "declined"
    """It will not answer this question (`QuestionRefused`, or the model refused)."""
    LIMITED = "limited"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    """It will not answer in this configuration."""
    LOST = "lost"
    """It was asked, and how that ended is not known: cut off, reset, cancelled."""

    @property
    def may_cost(self) -> bool:
        """Whether it may have been paid for although nothing says how much."""
        return self in (Outcome.INVALID, Outcome.LOST)


def outcome_of(error: MediamillError) -> Outcome:
    """Return how an attempt ended that raised this."""
    if error.details.get("lost"):
        return Outcome.LOST
    kinds = {
        RateLimited: Outcome.LIMITED,
        ProviderUnavailable: Outcome.UNAVAILABLE,
        ProviderRefused: Outcome.REFUSED,
        QuestionRefused: Outcome.DECLINED,
        InvalidAnswer: Outcome.INVALID,
    }
    return next((said for kind, said in kinds.items() if isinstance(error, kind)), Outcome.LOST)


class Permit(Protocol):
    """Leave to ask a provider once, for as long as the block lasts."""

    def tell(self, error: MediamillError | None) -> None:
        """Say how the call ended, None for an answer; left untold, it counts for nothing."""


class Gate(Protocol):
    """Keeps to what a provider bears: calls at a time, calls a minute, a rest while it fails."""

    def enter(self, provider: str, deadline: Deadline) -> AbstractAsyncContextManager[Permit]:
        """Wait for leave to ask the provider of that name.

        Raises `ProviderUnavailable` while it is left alone because it kept failing, and when there
        was no leave before the deadline.
        """
        ...


class Attempt(Protocol):
    """One call of a provider, as it is kept."""

    async def answered(self, answer: Answer) -> None:
        """Keep what it answered and used, before anybody judges it."""

    async def ended(self, outcome: Outcome, error: MediamillError | None) -> None:
        """Say how it ended and why; called once, also when the work is cancelled."""


class Ledger(Protocol):
    """Keeps every attempt, and lets none begin that might cost more than may be spent."""

    async def recall(self, provider: Provider, question: Question) -> Answer | None:
        """Return what this provider answered and was paid for when this was asked before."""

    async def begin(self, provider: Provider, question: Question) -> Attempt:
        """Keep that a call begins; raises `BudgetExceeded`, after which nobody is asked."""
        ...

    async def skipped(self, provider: str, why: str) -> None:
        """Keep that a provider was not asked, and why."""


def counts_against(error: MediamillError | None) -> bool:
    """Tell whether a provider that ends calls so is failing, which a circuit breaker counts.

    One that is asked too often works, and so does one that will not answer a certain question.
    """
    return error is not None and not isinstance(error, RateLimited | QuestionRefused)
