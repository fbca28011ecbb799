"""What came of one input of a job: its one output, or several as their archive."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NoReturn

from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.errors import Conflict, NotFound
from mediamill.media.archive import layout
from mediamill.media.archive.names import Names, safe_name
from mediamill.services.access import Access
from mediamill.services.content import Content
from mediamill.store.port import unsettled
from mediamill.store.repositories.jobs import PAGE_ENTRIES, Job, Manifests
from mediamill.store.repositories.results import (
    ItemOutcome,
    Result,
    ResultFile,
    Results,
    parse_result_file,
)

MOST_OUTPUTS = 1_000
"""So many outputs of one input are put together; the job's own download has no such limit."""

Output = tuple[str, ResultFile]
"""A result file with its id."""


@dataclass
class Outputs:
    """Finds outputs by input, for whoever may see the job."""

    access: Access
    manifests: Manifests
    results: Results
    blobs: Blobs

    async def find(self, principal: Principal, job_id: str, file_id: str) -> list[Output]:
        """Return the result that an id names, or the outputs of the input that it names.

        Raises `NotFound` for an id that is not of this job, `Conflict` with the state while there
        is no outcome, with the reason when it failed.
        """
        job = await self.access.load(principal, Job, job_id)
        if (made := await self._result(job, file_id)) is not None:
            return [made]
        return (await self._outcome(job, file_id))[1]

    async def archive(self, principal: Principal, job_id: str, file_id: str) -> Content:
        """Return the outputs of an input as one stored zip; raises as `find` does."""
        job = await self.access.load(principal, Job, job_id)
        named, outputs = await self._outcome(job, file_id)
        names = Names()
        members = [
            layout.Member(names.claim(safe_name(f.name)), f.size, f.crc32, f.blob)
            for _, f in outputs
        ]
        summary = layout.Summary()
        for member in members:
            summary.add(member)

        async def lines() -> AsyncIterator[layout.Member]:
            for member in members:
                yield member

        def read(start: int, stop: int) -> AsyncIterator[bytes]:
            return layout.stream(lines, self.blobs.read, start, stop)

        stem = PurePosixPath(safe_name(named)).stem or "item"
        return Content(f"{stem}.zip", "application/zip", summary.size, summary.etag, read)

    async def _outcome(self, job: Job, file_id: str) -> tuple[str, list[Output]]:
        """Return an input's name and its outputs; raises as `find` does."""
        rows = [row for row in await self._rows(job, file_id) if _standing(job, row)]
        if not rows and job.state.terminal:
            rows = await self._of_the_set(job, file_id)
        if not rows or (not job.state.terminal and (_gathers(job) or len(rows) > 1)):
            await self._explain(job, file_id)
        found = [(row.file_id(n), file) for row in rows for n, file in row.outputs]
        failed = next((row for row in rows if row.outcome is ItemOutcome.FAILED), None)
        if failed is not None and not found:
            raise Conflict(
                f"{failed.name} failed: {failed.error}", state="failed", code=failed.code
            )
        if not found:
            raise NotFound(f"{rows[0].name} succeeded without a file: see the job’s results.")
        return rows[0].name, found

    async def _of_the_set(self, job: Job, file_id: str) -> list[Result]:
        """Return what a job made of all its inputs at once, if an id is one of these."""
        row = await self.results.get(job.id, job.stage, 0)
        whole = row is not None and row.name and not (row.input or row.root)
        if row is None or not whole or await self._name_of(job, file_id) is None:
            return []
        return [row]

    async def _result(self, job: Job, file_id: str) -> Output | None:
        """Return the result of this job that an id names, unless it is an input of a stage."""
        place = parse_result_file(file_id)
        if place is None or place[0] != job.id:
            return None
        row = await self.results.get(*place[:3])
        if row is None or place[3] >= len(row.files) or row.file_id(place[3]) != file_id:
            return None
        return file_id, row.files[place[3]]

    async def _rows(self, job: Job, file_id: str) -> list[Result]:
        """Return the last outcomes of an input, through the stages."""
        if job.finished is not None and await unsettled(self.results.store, job.finished):
            return await self._rows_by_key(job, file_id)
        waiting, ended = [file_id], list[Result]()
        while waiting and len(ended) + len(waiting) <= MOST_OUTPUTS:
            rows = (await self.results.of_input(job.id, waiting.pop(0), limit=MOST_OUTPUTS)).rows
            for row in rows:
                last = row.stage >= job.stage or row.outcome is ItemOutcome.FAILED
                if last:
                    ended.append(row)
                else:
                    waiting += [row.file_id(n) for n in range(len(row.files))]
        if waiting or len(ended) > MOST_OUTPUTS:
            raise _too_many(job)
        return ended

    async def _rows_by_key(self, job: Job, file_id: str) -> list[Result]:
        """Do as `_rows`, by the lists of inputs: of a job that ended a moment ago."""
        wanted, ended = {file_id}, list[Result]()
        for stage in range(job.stage + 1):
            rows = [row async for row in self._of_inputs(job, stage, wanted)]
            last = [row for row in rows if stage == job.stage or row.outcome is ItemOutcome.FAILED]
            ended += last
            wanted = {
                row.file_id(n) for row in rows if row not in last for n in range(len(row.files))
            }
            if len(ended) + len(wanted) > MOST_OUTPUTS:
                raise _too_many(job)
        return ended

    async def _of_inputs(self, job: Job, stage: int, wanted: set[str]) -> AsyncIterator[Result]:
        """Visit the results of a stage's inputs that are some files."""
        page = 0
        with suppress(NotFound):  # behind the last page
            while wanted:
                entries = await self.manifests.entries(job.id, stage, page)
                items = [n for n, entry in enumerate(entries, page * PAGE_ENTRIES)
                         if entry.file in wanted]  # fmt: skip
                for start in range(0, len(items), 100):
                    keys = [(job.id, stage, item) for item in items[start : start + 100]]
                    for row in await self.results.store.get_many(Result, keys):
                        if row is not None:
                            yield row
                page += 1

    async def _explain(self, job: Job, file_id: str) -> NoReturn:
        """Raise why an input has no outcome."""
        name = await self._name_of(job, file_id)
        if name is None:
            raise NotFound(f"{file_id} is neither an input nor a result of {job.id}.")
        if job.state.terminal:
            raise Conflict(f"{name} was not run: the job is {job.state}.", state="cancelled")
        message = f"{name} is not ready: the job is {job.state}. Ask again when it has ended."
        raise Conflict(message, state=job.state)

    async def _name_of(self, job: Job, file_id: str) -> str | None:
        """Find an input of the first stage by its file, page by page; None for what is none."""
        page = 0
        with suppress(NotFound):  # behind the last page
            while True:
                for entry in await self.manifests.entries(job.id, 0, page):
                    if entry.file == file_id:
                        return entry.name
                page += 1
        return None


def _too_many(job: Job) -> Conflict:
    message = f"This input became more than {MOST_OUTPUTS:,} files: download the job."
    return Conflict(message, state=job.state)


def _standing(job: Job, row: Result) -> bool:
    """Tell whether an outcome counts: a failed one does not while its retry is under way."""
    retried = row.outcome is ItemOutcome.FAILED and row.generation < job.generation
    return not retried or job.state.terminal


def _gathers(job: Job) -> bool:
    """Tell whether an input may become several items, of which not all may have ended."""
    return job.stages > 1 or job.inputs.get("source") == "archive"
