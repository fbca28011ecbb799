"""What a job would be, told without making it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.engine.expand import facts_of
from mediamill.engine.reuse import Digests
from mediamill.engine.stages import pack, split
from mediamill.services.jobs.inputs import misfits
from mediamill.services.jobs.prices import Estimator, StepPrice, asking
from mediamill.services.jobs.requests import Checked, JobRequest, Requests
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
    asks: Sequence[StepPrice] = ()
    """What the steps that ask models would come to."""


@dataclass
class Planner:
    """Plans jobs."""

    requests: Requests
    spending: Spending

    async def plan(self, principal: Principal, request: JobRequest) -> Plan:
        """Check a request as if it were submitted and measure it; raises what that would raise."""
        checked = await self.requests.check(principal, request, LOOKED_AT)
        packed = pack(checked.pieces())
        seconds = sum(piece.cost for unit in packed for piece in unit)
        now = await self.requests.templates.templates.store.now()
        first = checked.steps[0]
        job = checked.draft(principal, seconds, now)
        reused = await self._reused(principal, checked)
        return Plan(
            job=job,
            items=len(checked.look.found),
            at_least=checked.look.more,
            bytes=sum(
                one.entry.place.size if one.entry.place else one.file.size
                for one in checked.look.found
                if one.file is not None
            ),
            seconds=round(seconds + job.planned, 3),
            units=len(packed),
            kinds=[stage.kind.value for stage in split(checked.steps)],
            reused=reused,
            asks=await self._asks(principal, checked, reused or 0, month_of(now)),
            misfits=misfits(checked.look, first, checked.request.steps[0][0])[:100],
        )

    async def _asks(
        self, principal: Principal, checked: Checked, reused: int, month: str
    ) -> list[StepPrice]:
        """Estimate the steps that ask models; of inputs of an earlier step nothing is known."""
        asks = asking(checked.steps)
        if not asks:
            return []
        estimator = Estimator(
            self.requests.models, await self.spending.all_of(principal.user, month)
        )
        fit = [one for one in checked.look.found if one.file is not None]
        facts = [facts_of(one.entry, one.file) for one in fit if one.file is not None]
        share = 1 - reused / len(fit) if fit and len(split(checked.steps)) == 1 else 1.0
        found = []
        for place, step in asks:
            known = place == 0  # a step that asks begins a stage, with all that the former made
            name, chain = checked.request.steps[place][0], checked.chains.get(str(place), ())
            found.append(
                await estimator.step(place, name, step, chain, facts if known else None, share)
            )
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
        asked = checked.chains.get("0", ())
        digests = Digests(steps, stage, checked.request.seed or 0, asked=asked)
        known = [digests.of(one.file, one.entry) for one in look.found if one.file is not None]
        wanted = [digest for digest in known if digest]
        reuses = Reuses(self.requests.templates.templates.store)
        found = await reuses.find(principal.user, [*dict.fromkeys(wanted)])
        return sum(1 for digest in wanted if digest in found)
