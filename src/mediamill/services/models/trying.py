"""Try a provider on one picture: what it answers, how long that takes, and what it costs.

The call is paid for as others are: the most that it can cost is taken out of the accounts first, of
which the administrator's month and everybody's are bounded. What a server leaves behind that ends
meanwhile is booked as the most that it could cost, by who tries a provider later.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.adapters.providers.hooks import outcome_of
from mediamill.adapters.providers.port import Answer, Deadline, Image, Kind, Question, Traits
from mediamill.adapters.providers.prices import worst
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import HOUR
from mediamill.core.errors import (
    BudgetExceeded,
    InvalidInput,
    MediamillError,
    ProviderUnavailable,
)
from mediamill.core.ids import new_id
from mediamill.engine.asking.models import Models
from mediamill.engine.asking.panel import Opened
from mediamill.services.content import Content
from mediamill.services.files.service import FileService
from mediamill.services.models.sample import jpeg_size, sample
from mediamill.services.roles import require_admin
from mediamill.store.port import Store
from mediamill.store.repositories.figures import About, Fact, took
from mediamill.store.repositories.spending import EVERYBODY, Purse, Spending, Spent, day_of

log = structlog.get_logger(__name__)

SECONDS = 30.0
"""A trial takes no longer, whatever the provider bears."""
GRACE = 1.0
OPERATION = "test"
"""Under which trials are booked."""
OPEN = "trial"
"""Marks purses of trials, which no unit has."""
INSTRUCTION = "Describe this picture in one short sentence."
MOST_TOKENS = 200


@dataclass(frozen=True)
class Trial:
    """What came of it; `cost` in micro-dollars, None where no price is known."""

    kind: str
    milliseconds: int
    answer: Answer | None = None
    error: MediamillError | None = None
    cost: int | None = None


@dataclass
class Trials:
    """Asks providers once, for administrators."""

    store: Store
    models: Models
    spending: Spending
    files: FileService

    async def run(self, principal: Principal, name: str, file: str | None = None) -> Trial:
        """Ask a provider about a file's thumbnail, or about the sample.

        Raises `Forbidden`, `NotFound` for a file, and what opening the provider does. What it
        answers wrongly, or not at all, is what came of it.
        """
        require_admin(principal)
        await self._settle_old()
        picture = await self._picture(principal, file)
        async with self.models.panel.using(await self.models.chains.find(name)) as opened:
            question = _question(opened.provider.traits, picture)
            if why := opened.provider.traits.objection(question):
                raise InvalidInput(f"{name} cannot be tried with a picture: {why}.")
            trial = await self._paid(principal, opened, question)
        code = trial.error.code if trial.error else ""
        note("provider_tried", name, code=code, cost=trial.cost)
        return trial

    async def _paid(self, principal: Principal, opened: Opened, question: Question) -> Trial:
        """Ask with the money taken out before, and book what it came to."""
        seconds = min(SECONDS, opened.configured.timeout)
        budgets = await self.models.budgets_of(principal.user)
        if opened.price is None and budgets.bounded:
            raise BudgetExceeded(
                f"Nobody knows what {opened.provider.name} costs, and there is a budget: set its "
                "price.",
                budget="price",
            )
        most = worst(question, opened.provider.traits, opened.price, seconds)
        reserved = opened.price.cost(most) if opened.price else 0
        now = await self.store.now()
        purse = Purse(
            job=new_id("trial"), unit=0, fence=0, owner=principal.user, day=day_of(now),
            bounded=(principal.user, EVERYBODY), created=now, open=OPEN,
        )  # fmt: skip
        purse = await self.spending.allot(purse, reserved, budgets.limits(purse), new=True)
        trial = await _asked(opened, question, seconds)
        spent = _spent(purse, opened, trial, reserved)
        await self.models.booking.close(purse, [spent], [_fact(purse, spent, trial)])
        return trial

    async def _picture(self, principal: Principal, file: str | None) -> Image:
        if file is None:
            data = sample()
        else:
            data = await _whole(await self.files.thumbnail(principal, file))
        width, height = jpeg_size(data)
        return Image(data, "image/jpeg", width, height)

    async def _settle_old(self) -> None:
        """Book trials that nobody ended."""
        index = Purse.index("purse_open")
        before = await self.store.now() - HOUR
        for purse in (await self.store.query(Purse, index, OPEN, at_most=before)).rows:
            lost = Spent(
                owner=purse.owner, month=purse.month, operation=OPERATION, provider="unknown",
                model="", calls=1, failed=1, cost=purse.allotted,
            )  # fmt: skip
            await self.models.booking.close(purse, [lost], [_fact(purse, lost)])


async def _asked(opened: Opened, question: Question, seconds: float) -> Trial:
    """Ask once, past the gate: an administrator waits, and is one call more."""
    start, kind = time.monotonic(), question.kind.value
    facts: dict[str, Any]
    try:
        async with asyncio.timeout(seconds + GRACE):
            answer = await opened.provider.ask(question, Deadline(seconds))
        facts = {"answer": answer, "cost": opened.price and opened.price.cost(answer.used)}
    except TimeoutError:
        message = f"{opened.provider.name} did not answer within {seconds:.0f} s."
        facts = {"error": ProviderUnavailable(message, lost=True)}
    except MediamillError as error:
        facts = {"error": error}
    return Trial(kind, round((time.monotonic() - start) * 1000), **facts)


def _question(traits: Traits, picture: Image) -> Question:
    """Ask for what the provider gives: a caption, labels, or text."""
    kind = next(one for one in (Kind.CAPTION, Kind.TEXT, Kind.LABELS) if one in traits.kinds)
    return Question(kind, (picture,), INSTRUCTION, max_tokens=MOST_TOKENS, min_confidence=0.3)


def _spent(purse: Purse, opened: Opened, trial: Trial, reserved: int) -> Spent:
    answer = trial.answer
    used = answer.used if answer else None
    unsure = trial.error is not None and outcome_of(trial.error).may_cost
    return Spent(
        owner=purse.owner, month=purse.month, operation=OPERATION, provider=opened.provider.name,
        model=answer.model if answer else opened.provider.model, calls=1,
        failed=0 if answer else 1, input_tokens=used.input_tokens if used else 0,
        output_tokens=used.output_tokens if used else 0, images=used.images if used else 0,
        cost=reserved if unsure else trial.cost or 0,
    )  # fmt: skip


def _fact(purse: Purse, spent: Spent, trial: Trial | None = None) -> Fact:
    """Return one call as figures have it."""
    counts = {"count": 1, "cost": spent.cost, "images": spent.images}
    counts |= {"input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens}
    return Fact(
        about=About.CALLS, day=purse.day, status="failed" if spent.failed else "answered",
        operation=OPERATION, provider=spent.provider, model=spent.model,
        counts=counts | (took(trial.milliseconds) if trial else {}),
    )  # fmt: skip


async def _whole(content: Content) -> bytes:
    return b"".join([piece async for piece in content.read(0, content.size)])
