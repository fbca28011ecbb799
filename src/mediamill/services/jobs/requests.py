"""Read what a caller asks a job to be, and say all that is wrong with it before anything starts."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import msgspec

from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, NotFound, ProviderRefused
from mediamill.core.ids import new_id
from mediamill.core.kinds import many
from mediamill.engine.asking.models import Models
from mediamill.engine.asking.panel import Named as Provided
from mediamill.engine.expand import pieces
from mediamill.engine.gathering import Found
from mediamill.engine.reuse import identity
from mediamill.engine.stages import Piece, references_of, split, to_come
from mediamill.operations.asking import ModelOperation
from mediamill.operations.base import Operation
from mediamill.operations.catalogue import Catalogue
from mediamill.services.jobs.inputs import SAMPLE, Inputs, Look, Named
from mediamill.services.prompts import shorthand
from mediamill.services.templates.service import TemplateService, pointed
from mediamill.store.repositories.jobs import Job, Step
from mediamill.store.repositories.spending import MICRO
from mediamill.store.repositories.templates import Template

MAX_STEPS = 20
MAX_STEPS_BYTES = 256_000
"""Of all parameters as JSON; far more than 10,000 times of frames take."""
MOST_BUDGET = 1_000_000
"""Dollars."""
SMALL_ITEMS, SMALL_SECONDS = 20, 120.0
"""A job of at most so many items and so much estimated work is `interactive` by default."""

CLASSES = ("interactive", "bulk")
MIXES = (
    "This step mixes several images of the set, but frames of a video come one after the other. "
    "Extract the frames first, import them into a project, and run this step over that."
)


@dataclass(frozen=True)
class JobRequest:
    """What a caller asks for over inputs: steps, a template with its variables, or a prompt."""

    files: tuple[str, ...] = ()
    steps: tuple[tuple[str, dict[str, Any]], ...] = ()
    name: str = ""
    klass: str | None = None
    seed: int | None = None
    budget: float | None = None
    """The most that its model calls may cost, in US dollars; None for no limit."""
    batch: bool = False
    """Whether its questions may be answered within hours, for less."""
    reuse: bool = True
    mail: bool | None = None
    """Whether its owner gets a mail at its end; None: as they want it for all jobs."""
    template: str | None = None
    """Id or name; the steps are then made from it."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    prompt: shorthand.Prompt | None = None
    """What is asked about the inputs; the one step is then made of it."""
    group: bool | None = None
    """Whether that is asked once about all of them; None: as the prompt says."""
    named: Named | None = None
    """Where the inputs come from, if not from `files`."""
    output_project: str | None = None
    """The project that the result files join."""

    @property
    def inputs(self) -> Named:
        """What names the inputs."""
        return self.named or Named(files=self.files)


@dataclass(frozen=True)
class Checked:
    """A request whose steps are all right, and whose inputs are as far as they were looked at."""

    request: JobRequest
    steps: list[Operation]
    look: Look
    template: Template | None = None
    references: Sequence[Found] = ()
    """Files that are measured with the inputs."""
    chains: Mapping[str, tuple[Provided, ...]] = field(default_factory=dict)
    """Whom steps ask (`Job.chains`)."""

    @property
    def listed(self) -> bool:
        """Whether all inputs are known now; else they are gathered in the background."""
        return self.request.inputs.source == "files"

    def made(self) -> tuple[Step, ...]:
        """Return the steps as a job keeps them: with every parameter resolved."""
        return tuple(
            Step(operation=name, parameters=step.model_dump(mode="json"))
            for (name, _), step in zip(self.request.steps, self.steps, strict=True)
        )

    def inputs(self) -> list[Found]:
        """Return the inputs of the first stage, as far as they were looked at."""
        if not any(step.partners for step in self.steps):
            return [*self.look.found, *self.references]
        return [*map(_told_apart, self.look.found), *self.references]

    def pieces(self) -> list[Piece]:
        """Estimate the inputs that were looked at."""
        found = self.inputs()
        entries, files = [one.entry for one in found], [one.file for one in found]
        return pieces(0, entries, files, split(self.steps)[0].steps)

    def klass(self, cost: float) -> str:
        """Return the class that was asked for, else the one that fits the size of the work."""
        small = len(self.look.found) <= SMALL_ITEMS and cost <= SMALL_SECONDS
        return self.request.klass or ("interactive" if small and not self.look.more else "bulk")

    def draft(self, principal: Principal, cost: float, now: int, job_id: str = "") -> Job:
        """Make the job, not expanded yet; `cost` is its estimate in seconds.

        `now` (ms) lies before the look at its inputs: what is removed later waits for it.
        """
        request = self.request
        return Job(
            id=job_id or new_id("job"),
            owner=principal.user,
            listed=principal.user,
            active=principal.user,
            open="open",
            checked=now,
            name=request.name[:200],
            steps=self.made(),
            klass=self.klass(cost),
            seed=secrets.randbits(31) if request.seed is None else request.seed,
            stages=len(split(self.steps)),
            items=len(self.inputs()) if self.listed else 0,
            planned=to_come(split(self.steps), 0, cost, len(self.look.found)),
            output_project=request.output_project or "",
            inputs=request.inputs.noted(),
            template=self.template.id if self.template else "",
            template_version=self.template.version if self.template else 0,
            reuse=request.reuse,
            mail=request.mail,
            budget=None if request.budget is None else round(request.budget * MICRO),
            batch=request.batch,
            chains=dict(self.chains),
            created=now,
        )


@dataclass
class Requests:
    """Checks requests against the catalogue and against what the caller may see."""

    inputs: Inputs
    templates: TemplateService
    catalogue: Catalogue
    models: Models

    async def check(self, principal: Principal, request: JobRequest, most: int = SAMPLE) -> Checked:
        """Return the request with its steps made and its files, or some of its inputs, loaded.

        `most` bounds how many inputs of a source are looked at. Raises `InvalidInput` with one
        entry in `details["errors"]` per wrong file, operation, variable or parameter.
        """
        if request.prompt is None and request.group is None:
            return await self._check(principal, request, most)
        asking = _asking(request)
        try:
            return await self._check(principal, asking, most)
        except InvalidInput as error:
            raise shorthand.pointed(error, request.prompt or "") from error

    async def _check(self, principal: Principal, request: JobRequest, most: int) -> Checked:
        request, template, steps = await self._made(principal, request)
        name = request.steps[0][0]
        look = await self.inputs.look(principal, request.inputs, steps[0], name, most)
        if request.output_project is not None:
            await self.inputs.check_target(principal, request.output_project)
        beside = await self._references(principal, steps)
        chains = await self._chains(request, steps)
        return Checked(request, steps, look, template, beside, chains)

    async def _chains(
        self, request: JobRequest, steps: Sequence[Operation]
    ) -> dict[str, tuple[Provided, ...]]:
        """Return whom steps ask; raises `InvalidInput` where nobody is set up for one."""
        if request.budget is not None and not 0 <= request.budget <= MOST_BUDGET:
            message = f"is from 0 to {MOST_BUDGET:,} dollars."
            raise InvalidInput.at("budget", message)
        found = dict[str, tuple[Provided, ...]]()
        for place, step in enumerate(steps):
            if not isinstance(step, ModelOperation):
                continue
            try:
                chain = tuple(await self.models.chains.resolve(step.chain, step.asked))
            except ProviderRefused as error:
                where = f"steps.{place}.parameters.providers"
                raise InvalidInput.at(where, error.message) from None
            if not chain:
                raise InvalidInput.at(f"steps.{place}.operation", nobody(step.chain))
            if lacking := await self.models.lacking(chain):
                raise InvalidInput.at(f"steps.{place}.operation", lacking)
            found[str(place)] = chain
        return found

    async def _references(self, principal: Principal, steps: list[Operation]) -> Sequence[Found]:
        """Return the files that the steps name beside the inputs."""
        early = references_of(steps)
        for place, step in enumerate(steps):
            where = f"steps.{place}.parameters.reference"
            if any(one not in early for one in step.references):
                message = "A file can be the reference of steps that begin the job."
                raise InvalidInput.at(where, message)
            if step.references:
                await self.inputs.references(principal, step.references, where)
        return await self.inputs.references(principal, early, "steps")

    async def _made(
        self, principal: Principal, request: JobRequest
    ) -> tuple[JobRequest, Template | None, list[Operation]]:
        """Make the steps, from a template if one is named."""
        if request.template is None:
            if request.variables:
                message = "variables belong to a template."
                raise InvalidInput.at("variables", message)
            return request, None, self._steps(request)
        if request.steps:
            message = "Give steps, a template or a prompt."
            raise InvalidInput.at("template", message)
        template, made = await self.templates.apply(principal, request.template, request.variables)
        request = replace(request, steps=made)
        try:
            return request, template, self._steps(request)
        except InvalidInput as error:
            raise pointed(error, template) from error

    def _steps(self, request: JobRequest) -> list[Operation]:
        if not request.steps:
            message = "Give steps, a template or a prompt."
            raise InvalidInput.at("steps", message)
        if len(request.steps) > MAX_STEPS:
            message = f"A job has at most {MAX_STEPS} steps."
            raise InvalidInput.at("steps", message)
        steps = [
            self._step(place, name, parameters)
            for place, (name, parameters) in enumerate(request.steps)
        ]
        if sum(len(step.model_dump_json()) for step in steps) > MAX_STEPS_BYTES:
            message = f"A job's steps have at most {MAX_STEPS_BYTES:,} bytes as JSON."
            raise InvalidInput.at("steps", message)
        for place, (before, step) in enumerate(pairwise(steps), start=1):
            if not step.may_follow(before):
                message = self._misfit(request.steps[place - 1][0], before, request.steps[place][0])
                raise InvalidInput.at(f"steps.{place}.operation", message)
        _check_mixing(steps)
        if request.klass is not None and request.klass not in CLASSES:
            message = f"class is one of {', '.join(CLASSES)}."
            raise InvalidInput.at("class", message)
        return steps

    def _step(self, place: int, name: str, parameters: dict[str, Any]) -> Operation:
        """Make a step; an operation that does not exist is a wrong one like any other field."""
        try:
            return self.catalogue.build(name, parameters, f"steps.{place}.parameters")
        except NotFound as error:
            raise InvalidInput.at(f"steps.{place}.operation", error.message) from None

    def _misfit(self, first: str, before: Operation, second: str) -> str:
        """Say why one step cannot follow another, and which could."""
        if not before.gives:
            return f"{second} cannot follow {first}, which can only be the last step."
        takes = many(self.catalogue.get(second).accepts)
        names = self.catalogue.names()
        fitting = [name for name in names if self.catalogue.get(name).may_follow(before)]
        could = f" What could: {', '.join(fitting)}." if fitting else ""
        return f"{second} takes {takes}; {first} gives {many([before.gives])}.{could}"


def _asking(request: JobRequest) -> JobRequest:
    """Return a request with the step that its prompt says."""
    if request.prompt is None:
        raise InvalidInput.at("group", "group belongs to a prompt.")
    if request.steps or request.template is not None:
        raise InvalidInput.at("prompt", "Give steps, a template or a prompt.")
    parameters = shorthand.parameters_of(request.prompt, request.group)
    return replace(request, steps=((shorthand.OPERATION, parameters),))


def nobody(chain: str) -> str:
    """Say that an operation has no providers, and what to do."""
    return (
        f"No model is set up for {chain}s here. An administrator adds a provider on the page "
        f"“Models”, or sets MEDIAMILL_{chain.upper()}_CHAIN; docs/how-to/providers.md says how."
    )


def _told_apart(found: Found) -> Found:
    """Return an input with the digest by which it may become a partner of others."""
    if found.file is None:
        return found
    entry = msgspec.structs.replace(found.entry, digest=identity(found.file, found.entry))
    return msgspec.structs.replace(found, entry=entry)


def _check_mixing(steps: Sequence[Operation]) -> None:
    """Raise `InvalidInput` where images are to be mixed that never lie beside each other."""
    for stage in split(steps):
        fans = False
        for place, step in enumerate(stage.steps, stage.first):
            if step.partners and fans:
                raise InvalidInput.at(f"steps.{place}", MIXES)
            fans = fans or step.fans_out
