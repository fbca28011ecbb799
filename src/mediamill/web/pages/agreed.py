"""What steps of a job agreed on over the set: the reference, and the images far from it."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import NotFound
from mediamill.services.jobs.outliers import METHOD, PREPROCESS, outlying
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import parse_result_file
from mediamill.web.serving import INLINE
from mediamill.web.texts import load
from mediamill.web.views.jobs import JobView
from mediamill.web.views.results import result_view

t = load()
LOOKED_AT, AT_ONCE = 5_000, 1_000
"""Results that are looked at for a page, and in one question."""


@dataclass(frozen=True)
class Reference:
    """What the images of a step were compared with."""

    name: str
    why: str
    picture: str
    """Address of a small picture of it; empty for one in an archive or a video."""
    numbers: list[tuple[str, float, float | None]]
    """Name, of the reference, and the set's median."""


@dataclass(frozen=True)
class Marked:
    """An image that was marked as far from the set."""

    name: str
    why: str
    picture: str


@dataclass(frozen=True)
class Outliers:
    """The images that were marked, as far as results were looked at."""

    images: list[Marked]
    after: str | None = None
    frames: bool = False
    """Whether they are frames, of which their archive tells and no row here."""


def references(job: Job) -> list[Reference]:
    """Return the reference of each step that has agreed on one."""
    return [
        _reference(job.agreed[str(place)])
        for place, step in enumerate(job.steps)
        if step.operation == PREPROCESS and str(place) in job.agreed
    ]


def _reference(agreed: dict[str, Any]) -> Reference:
    which, medians = agreed["reference"], agreed["median"]
    why = t("job.reference_named")
    if which["chosen"] == "auto":
        why = t("job.reference_chosen", count=agreed["images"])
    numbers = [
        (name.replace("_", " "), value, medians.get(name))
        for name, value in which["numbers"].items()
    ]
    return Reference(which.get("path") or which["name"], why, _picture(which), numbers)


async def chosen_before(app: App, principal: Principal, jobs: Iterable[JobView]) -> File | None:
    """Return the image that `auto` chose in the latest of jobs, if it is a file that is there."""
    for agreed in (step.agreed for job in jobs for step in job.steps if step.agreed):
        which = agreed.get("reference")
        if which and which["chosen"] == "auto" and _picture(which):
            with suppress(NotFound):
                return await app.files.get(principal, which["file"])
    return None


def _picture(which: dict[str, Any]) -> str:
    if "path" in which or "time" in which:
        return ""
    part = "content?direct=false" if parse_result_file(which["file"]) else "thumbnail"
    return f"/v1/files/{which['file']}/{part}"


async def outliers(
    app: App, principal: Principal, job: Job, after: str | None = None
) -> Outliers | None:
    """List images that were marked, on from a cursor; None for a job that marks none."""
    if not any(METHOD in step.parameters.get("methods", ()) for step in job.steps):
        return None
    if any(app.operations.get(step.operation).fans_out for step in job.steps):
        return Outliers([], frames=True)
    found: list[Marked] = []
    for _ in range(LOOKED_AT // AT_ONCE):
        page = await app.jobs.outliers(principal, job.id, after, AT_ONCE, rounds=1)
        for row in page.rows:
            first = result_view(row).files[0]
            picture = first.url if first.media_type in INLINE else ""
            found.append(Marked(row.path or row.name, ", ".join(outlying(row)), picture))
        after = page.after
        if after is None:
            break
    return Outliers(found, after)
