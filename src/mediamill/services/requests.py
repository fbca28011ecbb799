"""Read what a caller asks a job to be, and say all that is wrong with it before anything starts."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mediamill.core.access import Principal, Right
from mediamill.core.errors import InvalidInput
from mediamill.core.ids import new_id
from mediamill.engine.stages import split
from mediamill.operations.base import Operation
from mediamill.operations.catalogue import Catalogue
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job, Step
from mediamill.store.repositories.lookup import FileLookup

MAX_FILES = 10_000
MAX_STEPS = 20
SMALL_ITEMS, SMALL_SECONDS = 20, 120.0
"""A job of at most so many items and so much estimated work is `interactive` by default."""

CLASSES = ("interactive", "bulk")


@dataclass(frozen=True)
class JobRequest:
    """What a caller asks for: steps over input files."""

    files: tuple[str, ...]
    steps: tuple[tuple[str, dict[str, Any]], ...]
    name: str = ""
    klass: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Checked:
    """A request whose steps and inputs are all right."""

    request: JobRequest
    steps: list[Operation]
    files: list[File]

    def draft(self, principal: Principal, cost: float, now: int) -> Job:
        """Make the job, not expanded yet; `cost` is its estimate in seconds."""
        request, items = self.request, len(self.files)
        small = items <= SMALL_ITEMS and cost <= SMALL_SECONDS
        return Job(
            id=new_id("job"),
            owner=principal.user,
            listed=principal.user,
            active=principal.user,
            open="open",
            checked=now,
            name=request.name[:200],
            steps=tuple(
                Step(operation=name, parameters=step.model_dump(mode="json"))
                for (name, _), step in zip(request.steps, self.steps, strict=True)
            ),
            klass=request.klass or ("interactive" if small else "bulk"),
            seed=secrets.randbits(31) if request.seed is None else request.seed,
            stages=len(split(self.steps)),
            items=items,
            created=now,
        )


@dataclass
class Requests:
    """Checks requests against the catalogue and against what the caller may see."""

    lookup: FileLookup
    catalogue: Catalogue

    async def check(self, principal: Principal, request: JobRequest) -> Checked:
        """Return the request with its steps made and its files loaded.

        Raises `InvalidInput` with one entry in `details["errors"]` per wrong file or parameter,
        `NotFound` for an operation that does not exist.
        """
        steps = self._steps(request)
        files = await self._inputs(principal, request)
        _refuse_hopeless(files, steps[0], request.steps[0][0])
        return Checked(request, steps, files)

    def _steps(self, request: JobRequest) -> list[Operation]:
        if not 1 <= len(request.steps) <= MAX_STEPS:
            raise InvalidInput(f"A job has 1 to {MAX_STEPS} steps.", errors=[_at("steps", "count")])
        steps = [
            self.catalogue.build(name, parameters, f"steps.{place}.parameters")
            for place, (name, parameters) in enumerate(request.steps)
        ]
        for place, (before, step) in enumerate(pairwise(steps), start=1):
            if not before.gives or not step.takes(before.gives):
                what = before.gives or "files of several types"
                first, second = request.steps[place - 1][0], request.steps[place][0]
                message = f"{second} cannot follow {first}, which gives {what}."
                raise InvalidInput(message, errors=[_at(f"steps.{place}", message)])
        if request.klass is not None and request.klass not in CLASSES:
            message = f"class is one of {', '.join(CLASSES)}."
            raise InvalidInput(message, errors=[_at("class", message)])
        return steps

    async def _inputs(self, principal: Principal, request: JobRequest) -> list[File]:
        """Load every input for the caller, or say of each what is wrong with it."""
        ids = request.files
        if not 1 <= len(ids) <= MAX_FILES:
            message = f"A job has 1 to {MAX_FILES:,} files."
            raise InvalidInput(message, errors=[_at("files", message)])
        found = await self.lookup.get_many(ids)
        errors, seen, files = [], set[str](), list[File]()
        for place, (file_id, file) in enumerate(zip(ids, found, strict=True)):
            if file is None or file.hidden or not principal.may(file.owner, file.id, Right.VIEW):
                errors.append(_at(f"files.{place}", f"There is no file {file_id[:80]}."))
            elif file_id in seen:
                errors.append(_at(f"files.{place}", f"{file_id} is listed twice."))
            else:
                files.append(file)
                seen.add(file_id)
        if errors:
            raise InvalidInput(errors[0]["message"], errors=errors[:100])
        return files


def _refuse_hopeless(files: Sequence[File], step: Operation, name: str) -> None:
    """Refuse a job none of whose inputs fits; single misfits become failed items instead."""
    if not any(step.takes(file.media_type) for file in files):
        kinds = ", ".join(sorted({file.media_type for file in files})[:3])
        message = f"{name} takes {', '.join(step.accepts)}, not {kinds}."
        raise InvalidInput(message, errors=[_at("files", message)])


def _at(pointer: str, message: str) -> dict[str, str]:
    return {"pointer": pointer, "message": message}
