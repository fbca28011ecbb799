"""A chain of providers, which is a provider: the first that answers well is the one that answers.

    Fallback([bedrock, sagemaker, local], gate=gate, ledger=ledger)

The order is kept. One deadline and one budget of repeats hold for the whole chain, so a question
is never asked more often than there are providers and repeats. A provider is

- left out where its traits object to the question, or the gate says that it keeps failing
- asked again, after a while, for what may pass, as long as repeats and time are left; not after
  it took too long
- followed by the next for everything else, also for an answer that `question.check` refuses and
  for one in which the model refuses

If none is left, the error is that of the most hopeful kind and tells all reasons in order; and in
how many seconds it is of use to ask again (`retry_after`), where all said so who may yet answer.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from mediamill.adapters.providers.faults import away, declined, invalid
from mediamill.adapters.providers.hooks import Attempt, Gate, Ledger, Outcome, Permit, outcome_of
from mediamill.adapters.providers.port import (
    Answer,
    Deadline,
    Finish,
    Kind,
    Provider,
    Question,
    Traits,
)
from mediamill.core import tracing
from mediamill.core.errors import (
    InvalidAnswer,
    MediamillError,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
    RateLimited,
)
from mediamill.core.metrics import provider_label

REPEATS = 2
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds before the first repeat, at most; twice that before each further one."""
GRACE = 0.25
"""So much longer than the deadline a provider may take that keeps it by itself."""
FALLS = (ProviderUnavailable, ProviderRefused, QuestionRefused, InvalidAnswer)
"""What a provider raises that another may do better."""
HOPES = (ProviderUnavailable, InvalidAnswer, ProviderRefused, QuestionRefused)
"""Which kind of error the chain raises: the first of these that a provider did."""


@dataclass(frozen=True)
class Tried:
    """A provider that did not answer, and why."""

    provider: str
    outcome: str
    """An `Outcome`, or `skipped`."""
    error: MediamillError

    def told(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "outcome": self.outcome,
            "code": self.error.code,
            "message": self.error.message,
        }


@dataclass
class Course:
    """What happened to one question so far."""

    deadline: Deadline
    repeats: int
    tried: list[Tried] = field(default_factory=list)
    repeated: int = 0


class SkippedError(Exception):
    """A provider is not asked; `error` says why."""

    def __init__(self, error: MediamillError) -> None:
        super().__init__(error.message)
        self.error = error


class Fallback:
    """Asks providers in order until one answers well."""

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        gate: Gate,
        ledger: Ledger,
        repeats: int = REPEATS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.providers = tuple(providers)
        self.name = " → ".join(provider.name for provider in providers)
        self.model = providers[0].model if providers else ""
        self.traits = agreed([provider.traits for provider in providers])
        self._gate, self._ledger = gate, ledger
        self._repeats, self._sleep = repeats, sleep

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        """Return the first good answer, which names who gave it.

        Raises what the port says, and `BudgetExceeded` as soon as the ledger does.
        """
        course = Course(deadline, self._repeats)
        for provider in self.providers:
            answer = await self._asked(provider, question, course)
            if answer is not None:
                return answer
        raise ended(course.tried)

    async def close(self) -> None:
        """Close every provider."""
        for provider in self.providers:
            await provider.close()

    async def _asked(self, provider: Provider, question: Question, course: Course) -> Answer | None:
        """Ask one provider, again if need be; return None if it is the next one's turn."""
        while True:
            try:
                return await self._attempted(provider, question, course.deadline)
            except SkippedError as skipped:
                why = skipped.error
                await self._ledger.skipped(provider.name, why.message)
                course.tried.append(Tried(provider.name, "skipped", why))
                return None
            except FALLS as error:
                course.tried.append(Tried(provider.name, outcome_of(error), error))
                wait = wait_before_repeat(error, course)
                if wait is None:
                    return None
            course.repeated += 1
            await self._sleep(wait)

    async def _attempted(
        self, provider: Provider, question: Question, deadline: Deadline
    ) -> Answer:
        """Ask once, if it may be asked, and keep how that went."""
        if why := provider.traits.objection(question):
            raise SkippedError(declined(provider.name, f"is not asked: {why}"))
        earlier = await self._ledger.recall(provider, question)
        if earlier is not None:
            judge(provider.name, question, earlier)
            return earlier
        if deadline.left <= 0:
            raise SkippedError(away(provider.name, "is not asked: no time is left", slow=True))
        attempt, answer = await self._called(provider, question, deadline)
        await attempt.answered(answer)
        try:
            judge(provider.name, question, answer)
        except (InvalidAnswer, QuestionRefused) as error:
            await attempt.ended(outcome_of(error), error)
            raise
        except BaseException:  # a fault of who judges: what was answered is still paid for
            await attempt.ended(Outcome.INVALID, None)
            raise
        await attempt.ended(Outcome.ANSWERED, None)
        return answer

    async def _called(
        self, provider: Provider, question: Question, deadline: Deadline
    ) -> tuple[Attempt, Answer]:
        """Have a provider answer while there is leave to ask it."""
        async with AsyncExitStack() as stack:
            try:
                entering = self._gate.enter(provider.name, deadline)
                permit = await stack.enter_async_context(entering)
            except ProviderUnavailable as error:
                raise SkippedError(error) from None
            attempt = await self._ledger.begin(provider, question)
            return attempt, await answered(provider, question, deadline, permit, attempt)
        raise AssertionError("a gate keeps no error to itself")


async def answered(
    provider: Provider, question: Question, deadline: Deadline, permit: Permit, attempt: Attempt
) -> Answer:
    """Return a provider's answer; whatever else becomes of it, the attempt is ended."""
    error: MediamillError | None = None
    try:
        async with asyncio.timeout(deadline.left + GRACE):
            called = provider_label(provider.name)
            with tracing.span("model call", tracing.Kind.CLIENT, provider=called):
                answer = await provider.ask(question, deadline)
    except TimeoutError:
        error = away(provider.name, "does not keep the deadline", lost=True, slow=True)
    except FALLS as raised:
        error = raised
    except BaseException:  # cancelled, or a fault of ours: it may have been asked
        await asyncio.shield(attempt.ended(Outcome.LOST, None))
        raise
    permit.tell(error)
    if error is not None:
        await attempt.ended(outcome_of(error), error)
        raise error
    return replace(answer, plain=not provider.traits.instructed)


def judge(provider: str, question: Question, answer: Answer) -> None:
    """Raise `QuestionRefused` where the model refused, `InvalidAnswer` for what will not do."""
    if answer.finish is Finish.REFUSED:
        raise declined(provider, "refuses to answer")
    silent = question.kind is not Kind.LABELS and not answer.text.strip()
    if silent and not question.begun:  # what was begun may have been all
        raise invalid(provider, "answers nothing")
    if question.check is not None:
        question.check(answer)


def wait_before_repeat(error: MediamillError, course: Course) -> float | None:
    """Return how long to wait before the same provider is asked again, None where it is not."""
    if not isinstance(error, ProviderUnavailable) or error.details.get("slow"):
        return None
    if course.repeated >= course.repeats:
        return None
    wait = error.details.get("retry_after") if isinstance(error, RateLimited) else None
    if wait is None:
        most = min(FIRST_WAIT * 2**course.repeated, LONGEST_WAIT)
        wait = random.uniform(most / 2, most)  # noqa: S311 - keeps clients apart, no secret
    return wait if wait < course.deadline.left else None


def ended(tried: Sequence[Tried]) -> MediamillError:
    """Return the error of a chain in which nobody answered."""
    if not tried:
        return ProviderRefused("No provider is set up.", tried=[])
    first = next(entry.error for kind in HOPES for entry in tried if isinstance(entry.error, kind))
    last = {entry.provider: entry.error for entry in tried}.values()
    passing = [error.details for error in last if isinstance(error, ProviderUnavailable)]
    waits = [details["retry_after"] for details in passing if "retry_after" in details]
    more = {"retry_after": min(waits)} if waits and len(waits) == len(passing) else {}
    message = " ".join(entry.error.message for entry in tried)
    return type(first)(message, tried=[entry.told() for entry in tried], **more)


def agreed(traits: Sequence[Traits]) -> Traits:
    """Return what a chain can be asked, whose providers each are left out that cannot be.

    Kinds, how many pictures and how much text are what one of them takes, so that one who takes
    less stands in where it can. A picture is sent to all alike, so it is as small as all take that
    look at pictures; all else is what each of them can.
    """
    if not traits:
        return Traits(frozenset())
    looking = [each for each in traits if each.images] or traits
    return Traits(
        kinds=frozenset().union(*(each.kinds for each in traits)),
        images=max(each.images for each in traits),
        long_side=min(each.long_side for each in looking),
        image_bytes=min(each.image_bytes for each in looking),
        input_bytes=max(each.input_bytes for each in traits),
        output_tokens=min(each.output_tokens for each in traits),
        schema=all(each.schema for each in traits),
        continues=all(each.continues for each in traits),
        multilingual=all(each.multilingual for each in traits),
        instructed=all(each.instructed for each in traits),
    )
