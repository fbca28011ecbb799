"""Jobs as they change: one look a second at each watched thing, however many listen.

A look is repeated at once when the thing's doorbell rings. What was seen is put into each
listener's box, where a later snapshot of a job takes the place of an earlier one: a slow listener
misses what lies between, never the end, and holds a bounded amount of memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal
from mediamill.core.errors import MediamillError, Unavailable
from mediamill.services.jobs.looks import JobLook, Look, News, OwnerLook, Seen, Snapshot
from mediamill.services.jobs.service import JobService

log = structlog.get_logger(__name__)

LOOK_SECONDS, LEAST_SECONDS = 1.0, 0.1
BOX_NEWS = 2_000
"""News that wait for a slow listener."""


@dataclass(frozen=True)
class Batch:
    """What a listener has not had yet, and the time (ms) up to which that is everything."""

    news: tuple[News, ...]
    time: int


@dataclass(eq=False)
class Box:
    """One listener's unread news, the last of each job."""

    news: Seen = field(default_factory=dict)
    time: int = 0
    error: MediamillError | None = None
    filled: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, news: Seen, time: int) -> None:
        """Add news; a listener for whom even ends alone are too many is cut off."""
        self.news |= news
        self.time = time
        if len(self.news) > BOX_NEWS:
            self.news = {job: one for job, one in self.news.items() if one.lasting}
        if len(self.news) > BOX_NEWS:
            self.fail(Unavailable("This listener is too slow: connect again to go on."))
        self.filled.set()

    def fail(self, error: MediamillError) -> None:
        """End the listening."""
        self.error = error
        self.filled.set()

    async def take(self) -> Batch:
        """Wait for a look; return what is unread, perhaps nothing. Raises what ended the watch."""
        await self.filled.wait()
        self.filled.clear()
        if self.error is not None:
            raise self.error
        batch, self.news = Batch(tuple(self.news.values()), self.time), {}
        return batch


class Watch:
    """One thing and its listeners; looks while there are any."""

    def __init__(self, looker: Look, bell: Doorbell) -> None:
        self.looker, self.bell = looker, bell
        self.boxes = set[Box]()
        self.time = 0
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Look again and again; what cannot be seen any more ends every listener."""
        with self.bell.listen(self.looker.channel) as ear:
            while True:
                ear.clear()
                try:
                    news, self.time = await self.looker.look()
                except Unavailable:
                    log.warning("looks again", action="watch_strained")
                except Exception as error:
                    self._fail(error)
                    return
                else:
                    for box in self.boxes:
                        box.put(news, self.time)
                await asyncio.sleep(LEAST_SECONDS)
                await ear.wait(LOOK_SECONDS - LEAST_SECONDS)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, MediamillError):
            log.error("watch broke", action="watch_failed", exc_info=error)
            error = Unavailable("The watch broke: connect again.")
        self.end(error)

    def end(self, error: MediamillError) -> None:
        """End the listening of all."""
        for box in self.boxes:
            box.fail(error)


@dataclass
class Watching:
    """Follows jobs for listeners."""

    jobs: JobService
    bell: Doorbell
    _watches: dict[str, Watch] = field(default_factory=dict)

    async def job(self, principal: Principal, job_id: str) -> AsyncIterator[Snapshot]:
        """Yield a job now and at each change until it has ended; raises `NotFound`."""
        await self.jobs.get(principal, job_id)
        with self._listening(f"job:{job_id}", lambda: JobLook(self.jobs, job_id)) as box:
            while True:
                for one in (await box.take()).news:
                    if isinstance(one, Snapshot):
                        yield one
                        if one.lasting:
                            return

    async def all(self, principal: Principal, since: int | None) -> AsyncIterator[Batch]:
        """Yield the caller's unfinished jobs, then news of all their jobs, without end.

        With `since` (ms), also what ended or was deleted from then on, or a minute before.
        """
        user = principal.user
        with self._listening(f"jobs:{user}", lambda: OwnerLook(self.jobs, user)) as box:
            if since is not None:
                first = await box.take()
                missed = await OwnerLook(self.jobs, user).since(since)
                box.put({**missed, **{_job_of(one): one for one in first.news}}, first.time)
            while True:
                yield await box.take()

    async def close(self) -> None:
        """Stop every watch; listeners are told to come again."""
        for watch in self._watches.values():
            watch.task.cancel()
            watch.end(Unavailable("The service is stopping: connect again."))
        tasks = [watch.task for watch in self._watches.values()]
        self._watches.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def _listening(self, name: str, make: Callable[[], Look]) -> Iterator[Box]:
        """Put a box beside those of a watch, which ends with its last one."""
        watch, box = self._watches.get(name), Box()
        if watch is None or watch.task.done():
            watch = self._watches[name] = Watch(make(), self.bell)
        elif watch.time:
            box.put(watch.looker.standing(), watch.time)
        watch.boxes.add(box)
        try:
            yield box
        finally:
            watch.boxes.discard(box)
            if not watch.boxes:
                watch.task.cancel()
                if self._watches.get(name) is watch:
                    del self._watches[name]


def _job_of(one: News) -> str:
    return one.job.id if isinstance(one, Snapshot) else one.job
