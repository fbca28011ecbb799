"""What the model calls of a job would come to, before it is made."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.adapters.providers.fallback import REPEATS
from mediamill.adapters.providers.port import Used
from mediamill.adapters.providers.prices import Price
from mediamill.core.errors import MediamillError
from mediamill.engine.asking.models import Models
from mediamill.engine.asking.panel import Named
from mediamill.operations.asking import ModelOperation
from mediamill.operations.base import Operation
from mediamill.operations.work import Expected
from mediamill.services.jobs.forecasts import Number, total
from mediamill.store.repositories.spending import Spent

ENOUGH = 10
"""Calls of a month from which is told what one costs."""


@dataclass(frozen=True)
class StepPrice:
    """What one step asks for; costs in micro-dollars, None where a price is not known."""

    place: int
    operation: str
    providers: tuple[str, ...]
    inputs: Number | None
    """How many inputs it will have; None where that cannot be told, nor what follows from it."""
    calls: int | None
    """For so many inputs, if the first provider answers well at once."""
    input_tokens: int
    output_tokens: int
    expected: int | None
    at_most: int | None
    """If every provider is asked everything and paid for it, repeats included."""
    by_experience: bool = False
    """Whether `expected` comes from what such calls cost the caller this month."""


@dataclass(frozen=True)
class Estimator:
    """Estimates the steps of a job."""

    models: Models
    spent: Sequence[Spent]
    """What the caller spent this month."""

    async def step(
        self,
        place: int,
        name: str,
        step: ModelOperation,
        chain: Sequence[Named],
        inputs: Sequence[Expected] | None,
        share: float,
    ) -> StepPrice:
        """Estimate a step over inputs of which a share (0…1) is to be done anew.

        `inputs` is None where an earlier step makes nobody knows how many.
        """
        names = tuple(one for one, _ in chain)
        if inputs is None:
            return StepPrice(place, name, names, None, None, 0, 0, None, None)
        most = await asyncio.to_thread(step.estimate_all, inputs)
        used = await asyncio.to_thread(step.usual_all, inputs)
        prices = [await self._price(one) for one in names]
        known = [price for price in prices if price is not None]
        whole = len(known) == len(prices) and bool(prices)
        first = prices[0] if prices else None
        expected = None if first is None else round(first.cost(used) * share)
        each = self._each(name, names[:1])
        if first is not None and each is not None:
            expected = round(min(each * used.calls, first.cost(most)) * share)
        return StepPrice(
            place=place,
            operation=name,
            providers=names,
            inputs=total(inputs),
            calls=used.calls,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            expected=expected,
            at_most=_at_most(known, most) if whole else None,
            by_experience=each is not None and first is not None,
        )

    async def _price(self, name: str) -> Price | None:
        try:
            return self.models.panel.prices.of(await self.models.chains.find(name))
        except (MediamillError, ValueError):  # it cannot be asked as it is set up
            return None

    def _each(self, operation: str, providers: Sequence[str]) -> float | None:
        """Return what a call cost on average, where there were enough of them."""
        rows = [
            row for row in self.spent if row.operation == operation and row.provider in providers
        ]
        calls = sum(row.calls for row in rows)
        return sum(row.cost for row in rows) / calls if calls >= ENOUGH else None


def _at_most(prices: Sequence[Price], used: Used) -> int:
    """Return what is paid if every provider answers everything badly, and repeats are lost."""
    return sum(price.cost(used) for price in prices) + REPEATS * max(
        price.cost(used) for price in prices
    )


def asking(steps: Sequence[Operation]) -> list[tuple[int, ModelOperation]]:
    """Return the steps that ask models, with their places."""
    return [(n, step) for n, step in enumerate(steps) if isinstance(step, ModelOperation)]
