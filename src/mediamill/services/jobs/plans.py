"""What a job would be, told without making it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.errors import MediamillError, wrong
from mediamill.engine.costing import seconds_each
from mediamill.engine.expand import facts_of
from mediamill.engine.reuse import Digests
from mediamill.engine.stages import StageKind, pack, split, to_come
from mediamill.operations.base import Operation
from mediamill.operations.work import SourceFacts
from mediamill.services.jobs.forecasts import Forecast, Number, forecast
from mediamill.services.jobs.inputs import misfits
from mediamill.services.jobs.prices import Estimator, StepPrice, asking
from mediamill.services.jobs.requests import Checked, JobRequest, Requests
from mediamill.services.quotas.service import QuotaService, Used
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.reuse import Reuses
from mediamill.store.repositories.spending import Spending, month_of

LOOKED_AT = 10_000
"""Inputs of a project, an archive or a manifest that are counted."""

DIGESTS = 1_000
"""Inputs for which is looked up whether they were done before."""


@dataclass(frozen=True)
class Plan:
    """The size of a job, in inputs, bytes, seconds of one core, and units of its first stage."""

    job: Job
    """As it would be accepted; nothing of it is stored."""
    items: int
    at_least: bool
    """Whether there may be more inputs than were looked at, and more of everything with them."""
    bytes: int
    seconds: float
    units: int
    reused: int | None
    """Inputs whose outcome could be taken over from earlier jobs; None where that is not told."""
    kinds: Sequence[str]
    """What each stage does: `run`, or `measure` and `reduce` of what looks at the set first."""
    misfits: Sequence[dict[str, str]]
    """Why inputs would fail for what they are, the first hundred."""
    outputs: Number | None
    """What comes of those that would not; None where that cannot be told."""
    asks: Sequence[StepPrice] = ()
    """What the steps that ask models would come to."""
    exceeded: Sequence[Used] = ()
    """Limits of the caller that it would meet; by its first stage, of items."""


@dataclass
class Planner:
    """Plans jobs."""

    requests: Requests
    spending: Spending
    quotas: QuotaService

    async def plan(self, principal: Principal, request: JobRequest) -> Plan:
        """Check a request as if it were submitted and measure it; raises what that would raise."""
        checked = await self.requests.check(principal, request, LOOKED_AT)
        packed = pack(checked.pieces())
        seconds = sum(piece.cost for unit in packed for piece in unit)
        now = await self.requests.templates.templates.store.now()
        first = checked.steps[0]
        job = checked.draft(principal, seconds, now)
        reused = await self._reused(principal, checked)
        failing = misfits(checked.look, first, checked.request.steps[0][0])
        foreseen = await asyncio.to_thread(forecast, checked.steps, _facts(checked, failing))
        later = await asyncio.to_thread(_later, checked.steps, [*_facts(checked, failing).values()])
        for place, why in foreseen.refused.items():
            failing[place] = f"{checked.look.found[place].entry.name}: {why}"
        return Plan(
            job=job,
            items=len(checked.look.found),
            at_least=checked.look.more,
            bytes=sum(
                one.entry.place.size if one.entry.place else one.file.size
                for one in checked.look.found
                if one.file is not None
            ),
            seconds=round(seconds + job.planned + later, 3),
            units=len(packed),
            kinds=[stage.kind.value for stage in split(checked.steps)],
            reused=reused,
            asks=await self._asks(principal, checked, foreseen, reused or 0, month_of(now)),
            misfits=[wrong(f"inputs.{n}", failing[n]) for n in sorted(failing)[:100]],
            outputs=foreseen.outputs,
            exceeded=await self.quotas.met_by(principal.user, len(checked.look.found)),
        )

    async def _asks(
        self, principal: Principal, checked: Checked, foreseen: Forecast, reused: int, month: str
    ) -> list[StepPrice]:
        """Estimate the steps that ask models."""
        asks = asking(checked.steps)
        if not asks:
            return []
        estimator = Estimator(
            self.requests.models, await self.spending.all_of(principal.user, month)
        )
        fit = len(foreseen.before[0] or ())
        share = 1 - reused / fit if fit and len(split(checked.steps)) == 1 else 1.0
        found = []
        for place, step in asks:
            name, chain = checked.request.steps[place][0], checked.chains.get(str(place), ())
            inputs = foreseen.before[place]
            found.append(await estimator.step(place, name, step, chain, inputs, share))
        return found

    async def _reused(self, principal: Principal, checked: Checked) -> int | None:
        """Count inputs that were done before, where few enough are looked at to tell."""
        look, stage = checked.look, split(checked.steps)[0]
        drawn = any(step.draws for step in stage.steps) and checked.request.seed is None
        if look.more or len(look.found) > DIGESTS or drawn:
            return None
        if not checked.request.reuse:
            return 0
        steps = checked.made()[: len(stage.steps)]
        asked = await self._asked(checked)
        digests = Digests(steps, stage, checked.request.seed or 0, asked=asked)
        known = [digests.of(one.file, one.entry) for one in look.found if one.file is not None]
        wanted = [digest for digest in known if digest]
        reuses = Reuses(self.requests.templates.templates.store)
        found = await reuses.find(principal.user, [*dict.fromkeys(wanted)])
        return sum(1 for digest in wanted if digest in found)

    async def _asked(self, checked: Checked) -> list[tuple[object, ...]]:
        """Return which models the first step asks, as far as they can be opened."""
        models, found = self.requests.models, list[tuple[object, ...]]()
        for configured in await models.chains.of_job(checked.chains.get("0", ())):
            with suppress(MediamillError):
                found.append((await models.panel.seat(configured)).identity)
        return found


def _facts(checked: Checked, failing: Mapping[int, str]) -> dict[int, SourceFacts]:
    """Return what is known of the inputs that will not fail for what they are, by their places."""
    return {
        place: facts_of(one.entry, one.file)
        for place, one in enumerate(checked.look.found)
        if one.file is not None and place not in failing
    }


def _later(steps: Sequence[Operation], inputs: Sequence[SourceFacts]) -> float:
    """Estimate the seconds of the stages whose inputs are what those before them make."""
    stages, seconds = split(steps), 0.0
    begun = [
        place for place, stage in enumerate(stages)
        if place and not stage.again and stage.kind is not StageKind.REDUCE
    ]  # fmt: skip
    each = [[*seconds_each(steps, facts)] for facts in inputs] if begun else []
    for place in begun:
        own = slice(stages[place].first, stages[place].first + len(stages[place].steps))
        cost = sum(sum(one[own]) for one in each)
        seconds += cost + to_come(stages, place, cost, len(inputs))
    return seconds
