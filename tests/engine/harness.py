"""An engine with real parts but for the slot: items are settled by a function of the test."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from mediamill.adapters.mail.port import Post
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.access import Principal
from mediamill.core.ids import new_id
from mediamill.core.numbers import Numbers
from mediamill.core.settings import Settings
from mediamill.engine.announcing import Announcer
from mediamill.engine.asking.models import Models
from mediamill.engine.flush import Flush
from mediamill.engine.gathering import Sources
from mediamill.engine.lease import Lease
from mediamill.engine.pausing import Pause
from mediamill.engine.retry import RetryPolicy
from mediamill.engine.rollup import Rollup
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.tending import Engine, Timing
from mediamill.engine.worker import Crew, Worker
from mediamill.handlers.removing.purge import PurgeFile, PurgeJob
from mediamill.handlers.stages.cancel import Cancel
from mediamill.handlers.stages.expand import Expand
from mediamill.handlers.stages.gather import Gather
from mediamill.handlers.stages.next_stage import NextStage
from mediamill.handlers.stages.seal import Seal
from mediamill.handlers.telling.mail import Mail, MailChannel
from mediamill.handlers.telling.notify import Notify
from mediamill.letters.job import JobLetters
from mediamill.operations.catalogue import OPERATIONS
from mediamill.services.access import Access
from mediamill.services.jobs.inputs import Inputs
from mediamill.services.jobs.items import ItemService
from mediamill.services.jobs.queue import Queue
from mediamill.services.jobs.requests import JobRequest, Requests
from mediamill.services.jobs.service import JobService
from mediamill.services.jobs.trash import JobTrash
from mediamill.services.templates.service import TemplateService
from mediamill.store.port import Put, Store
from mediamill.store.repositories.backlog import Backlogs
from mediamill.store.repositories.files import File, Files
from mediamill.store.repositories.jobs import Job, Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.projects import Projects
from mediamill.store.repositories.results import ItemOutcome, Result, Results
from mediamill.store.repositories.templates import Templates
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.users import User, Users
from mediamill.store.repositories.workers import Workers

Settle = Callable[[Lease, int], Awaitable[ItemOutcome]]


async def succeed(lease: Lease, item: int) -> ItemOutcome:
    return ItemOutcome.SUCCEEDED


@dataclass
class PlainItems:
    """Settles each item as the test says, through the real flush."""

    jobs: Jobs
    manifests: Manifests
    settle: Settle = succeed
    runs: list[tuple[str, int]] = field(default_factory=list)

    async def run(self, lease: Lease) -> None:
        unit = lease.unit
        job, stage = unit.payload["job"], unit.payload["stage"]
        entries = await self.manifests.at(job, stage, unit.pending())
        async with Flush(lease) as flush:
            for item in unit.pending():
                self.runs.append((job, item))
                outcome = await self.settle(lease, item)
                await flush.add(
                    Result(
                        job=job,
                        stage=stage,
                        item=item,
                        generation=unit.payload["generation"],
                        outcome=outcome,
                        input=entries[item].file,
                        name=entries[item].name,
                        created=1,
                        error="it failed" if outcome is ItemOutcome.FAILED else "",
                    )
                )

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        raise error


class Harness:
    """One store with services and any number of workers.

    Leases outlast that the tests get no processor for a few seconds; a third of one is also how
    long work in hand takes to notice that its job is cancelled.
    """

    def __init__(self, store: Store, lease: float = 6.0) -> None:
        self.store, self.blobs, self.bell = store, MemoryBlobs(), InProcessDoorbell()
        self.jobs, self.units, self.results = Jobs(store), Units(store), Results(store)
        self.files, self.lookup = Files(store), FileLookup(store)
        self.manifests = Manifests(store, self.blobs)
        self.timing = Timing(lease=lease, poll=0.05, drain=5)
        self.items = PlainItems(self.jobs, self.manifests)
        access, self.announcer = Access(store), Announcer(store)
        scratch = Path(tempfile.gettempdir())
        self.usages, self.numbers = Usages(store), Numbers()
        self.sources = Sources(self.lookup, Projects(store), self.blobs, self.blobs, scratch)
        self.service = JobService(
            access,
            self.jobs,
            self.units,
            self.manifests,
            self.results,
            self.usages,
            Requests(
                Inputs(access, self.sources),
                TemplateService(access, Templates(store), OPERATIONS),
                OPERATIONS,
                Models.of(Settings(home=scratch), store, sealer=None),  # there are no keys
            ),
            self.bell,
            Queue(self.jobs, self.units, Workers(store)),
            self.announcer,
        )
        self.trash = JobTrash(access, self.service, self.units, self.bell)
        backlogs = Backlogs(store, int(lease * 1000))
        self.listing = ItemService(access, self.manifests, self.results, backlogs)
        self.users, self.mailed = Users(store), Mails(store)
        self.mail: Mail | None = None
        """Given a post, outcomes are mailed; without, as in most tests, they are not."""

    def engine(self) -> Engine:
        scratch = Path("/nonexistent")
        handlers = {
            "items": self.items,
            "gather": Gather(
                self.jobs, self.manifests, self.sources, self.bell, OPERATIONS, self.usages
            ),
            "expand": Expand(
                self.jobs, self.manifests, self.results, self.lookup, self.bell, OPERATIONS
            ),
            "next_stage": NextStage(
                self.jobs,
                self.manifests,
                self.results,
                self.bell,
                scratch,
                OPERATIONS,
                self.usages,
            ),
            "seal": Seal(self.jobs, self.results, self.blobs, scratch),
            "cancel": Cancel(self.jobs, self.units),
            "notify": Notify(self.jobs, self.bell, self._channels()),
            **({"mail": self.mail} if self.mail else {}),
            "purge_file": PurgeFile(self.store, self.files, self.jobs, self.blobs, self.announcer),
            "purge_job": PurgeJob(self.store, self.jobs, self.results, self.units, self.blobs),
        }
        return Engine(
            scheduler=Scheduler(self.store, int(self.timing.lease * 1000)),
            units=self.units,
            jobs=self.jobs,
            rollup=Rollup(self.store, self.jobs, self.units),
            bell=self.bell,
            handlers=handlers,
            timing=self.timing,
            policy=RetryPolicy(base_ms=10, cap_ms=50),
            numbers=self.numbers,
        )

    def mails(self, post: Post, pause: Pause) -> Mail:
        """Let outcomes be mailed."""

        async def unsubscribe(user: str) -> str:
            return f"https://mill.example.org/unsubscribe/{user}"

        letters = JobLetters(
            self.manifests, self.results, Projects(self.store), "https://mill.example.org",
            unsubscribe,
        )  # fmt: skip
        self.mail = Mail(self.jobs, self.users, self.mailed, letters, post, pause=pause)
        return self.mail

    async def add_user(self, name: str, **details: object) -> None:
        user = User(id=f"user_{name}", email=f"{name}@example.org", created=1, **details)
        await self.users.add(user)

    def _channels(self) -> list[MailChannel]:
        if self.mail is None:
            return []
        return [MailChannel(self.jobs, self.units, self.users, self.mailed, self.mail.post)]

    @asynccontextmanager
    async def worker(self, slots: int = 2):
        worker = Worker(self.engine(), Crew.of(slots))
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await task

    async def add_files(self, owner: str, count: int, media_type: str = "image/jpeg") -> list[str]:
        ids = [new_id("file") for _ in range(count)]
        for start in range(0, count, 100):
            await self.store.transact(
                *(
                    Put(
                        File(
                            id=file_id,
                            owner=owner,
                            listed=owner,
                            name=f"photo-{start + place}.jpg",
                            media_type=media_type,
                            size=10,
                            sha256="0" * 64,
                            crc32=0,
                            width=1000,
                            height=1000,
                            duration=60.0 if media_type.startswith("video/") else 0.0,
                            blob=f"files/{file_id}",
                            created=1,
                        )
                    )
                    for place, file_id in enumerate(ids[start : start + 100])
                )
            )
        return ids

    async def submit(self, owner: str, files: list[str], **more: object) -> Job:
        request = JobRequest(tuple(files), (("thumbnail", {}),), **more)
        return await self.service.submit(Principal(owner), request)

    async def finished(self, owner: str, job: Job, seconds: float = 60) -> Job:
        ended = await self.service.wait(Principal(owner), job.id, seconds)
        assert ended.state.terminal, ended
        return ended

    async def outcomes(self, job: Job) -> list[Result]:
        return [result async for result in self.results.walk_stage(job.id, job.stage)]
