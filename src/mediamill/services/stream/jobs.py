"""Jobs of files as they arrive: one for those that were settled together, each once.

The unit that makes a job is written with the files, and carries the number of the job's id; made
again, it meets its own job.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput
from mediamill.core.ids import Reservation, is_id, new_value, reserving
from mediamill.services.jobs.requests import JobRequest
from mediamill.services.jobs.service import JobService
from mediamill.services.stream.rules import TopicRule
from mediamill.services.templates.service import TemplateService
from mediamill.store.port import Action, Put
from mediamill.store.repositories.files import File, Files
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.stream import StreamJob
from mediamill.store.repositories.templates import Template
from mediamill.store.repositories.units import Unit

log = structlog.get_logger(__name__)

KIND = "arrived"


class OnArrival:
    """Makes the unit that makes the job."""

    async def units(
        self, files: Sequence[File], rule: TopicRule, topic: str
    ) -> tuple[Sequence[Unit], Sequence[Action]]:
        """Return what is written with the files of one owner; nothing without a template."""
        if not rule.template:
            return (), ()
        first = new_value()
        job = job_of(first)
        now, owner = files[-1].created, files[0].owner
        unit = Unit.chore(
            KIND, f"arrived:{job}", 0, owner, cost=0.2, now=now, due=now,
            first=str(first), files=[file.id for file in files],
            template=rule.template, topic=topic,
        )  # fmt: skip
        also = (Put(StreamJob(job=job, results=rule.results)),) if rule.results else ()
        return (unit,), also


def job_of(first: int) -> str:
    """Return the id of the job that a unit with this number makes."""
    return Reservation(first, 1).take("job")


@dataclass
class Arrived:
    """Makes the jobs."""

    files: Files
    jobs: JobService
    templates: TemplateService

    async def submit(self, unit: Unit, attempt: int) -> Job | None:
        """Make the job of a unit, once however often this is tried; None when no file is left.

        Raises `InvalidInput` when the template is not there or takes none of them.
        """
        payload, first = unit.payload, int(unit.payload["first"])
        found = await self.files.get_many(payload["files"])
        ready = tuple(file.id for file in found if file and not file.hidden and not file.obstacle)
        if not ready:
            return None
        principal = Principal(user=unit.owner)
        request = await self._request(principal, payload["template"], ready, payload["topic"])
        with reserving(Reservation(first, attempt + 1)):
            return await self.jobs.submit(principal, request)

    async def _request(
        self, principal: Principal, template: str, files: tuple[str, ...], topic: str
    ) -> JobRequest:
        """Write the request: in the customer's name, whoever the template is of."""
        name = f"{topic} on arrival"
        if not is_id(template, "tmpl"):
            return JobRequest(files=files, template=template, name=name)
        owned = await self.jobs.jobs.store.get(Template, template)
        if owned is None:
            raise InvalidInput(f"There is no template {template}.")
        _, steps = await self.templates.apply(Principal(user=owned.owner), template, {})
        return JobRequest(files=files, steps=tuple(steps), name=name)
