"""The composition root: everything is built here, once, from the settings.

    async with await App.open(Settings()) as app:
        worker = await app.worker()

No other module reads settings, makes a connection at import or keeps a global. What backends there
are is in `parts.py`, which handler runs which kind of unit in `handlers/kinds.py`.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from mediamill.adapters.stream.opening import open_publisher, open_stream
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from mediamill.engine.inspect import Inspector
from mediamill.engine.presence import Presence
from mediamill.engine.rollup import Rollup
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.sheltering import Shelter
from mediamill.engine.tending import Engine, Handler, Timing
from mediamill.engine.worker import Crew, Worker
from mediamill.handlers import back_up, kinds
from mediamill.operations.catalogue import OPERATIONS, Catalogue
from mediamill.parts import SPARE_SLOTS, Parts, cpu_slots
from mediamill.services.access import Access
from mediamill.services.accounts.together import AccountServices
from mediamill.services.annotations.together import AnnotationServices
from mediamill.services.audit.search import AuditService
from mediamill.services.audit.trail import Trail
from mediamill.services.captions.rerunning import Rerunning
from mediamill.services.captions.service import CaptionService
from mediamill.services.cloudwatch import Whole
from mediamill.services.feedback import FeedbackService
from mediamill.services.figures import FigureService
from mediamill.services.files.directories import Directories
from mediamill.services.files.downloads import Downloads
from mediamill.services.files.labels import Labels
from mediamill.services.files.listing import Listing
from mediamill.services.files.members import ArchiveMembers
from mediamill.services.files.service import FileService
from mediamill.services.files.trash import Trash
from mediamill.services.health import Health
from mediamill.services.jobs.backlog import Work
from mediamill.services.jobs.inputs import Inputs
from mediamill.services.jobs.items import ItemService
from mediamill.services.jobs.outputs import Outputs
from mediamill.services.jobs.plans import Planner
from mediamill.services.jobs.queue import Queue
from mediamill.services.jobs.replaying import Replays
from mediamill.services.jobs.requests import Requests
from mediamill.services.jobs.running import Running
from mediamill.services.jobs.service import JobService
from mediamill.services.jobs.trash import JobTrash
from mediamill.services.jobs.watching import Watching
from mediamill.services.links.pictures import Pictures
from mediamill.services.links.service import Links
from mediamill.services.links.signing import Signer, key_of
from mediamill.services.models.together import ModelServices
from mediamill.services.notifications import Notifications
from mediamill.services.previews import Previews
from mediamill.services.privacy.together import PrivacyServices
from mediamill.services.projects.intake import MemberIntake
from mediamill.services.projects.service import ProjectService
from mediamill.services.projects.together import DatasetServices
from mediamill.services.quotas.service import QuotaService
from mediamill.services.repeats.once import Once
from mediamill.services.retention import RetentionService
from mediamill.services.stream.customers import Customers
from mediamill.services.stream.fetching import Places
from mediamill.services.stream.filing import Filing
from mediamill.services.stream.handed import Handed
from mediamill.services.stream.jobs import Arrived
from mediamill.services.stream.rules import SETTING as TOPICS
from mediamill.services.stream.rules import Rules, read_rules
from mediamill.services.stream.service import Ingest
from mediamill.services.stream.wanting import Wanting
from mediamill.services.sums import Sums
from mediamill.services.templates.service import TemplateService
from mediamill.services.templates.sharing import TemplateSharing
from mediamill.services.uploads.arriving import Arrivals
from mediamill.services.uploads.assembling import Assembler
from mediamill.services.uploads.direct import Direct
from mediamill.services.uploads.imports import Imports
from mediamill.services.uploads.intake import Uploads
from mediamill.services.uploads.recording import FileRows
from mediamill.services.uploads.resumable import Resumable
from mediamill.services.uploads.settling import Settler
from mediamill.services.uploads.validating import Validator
from mediamill.services.uploads.waiting import Waiting
from mediamill.services.webhooks.deliveries import DeliveryService
from mediamill.services.webhooks.service import WebhookService
from mediamill.services.workers import WorkerService
from mediamill.store.clock import StoreClock
from mediamill.store.repositories.audit import Audit
from mediamill.store.repositories.backlog import Backlogs
from mediamill.store.repositories.daily import Dailies
from mediamill.store.repositories.feedback import Feedbacks
from mediamill.store.repositories.retention import Aging, Sweeps
from mediamill.store.repositories.stream import StreamBooks
from mediamill.store.repositories.templates import Templates
from mediamill.store.repositories.workers import Workers

FUNCTION_SECONDS = 900
"""The longest that a function may run."""


class App:
    """The program, put together."""

    def __init__(self, parts: Parts, clock: StoreClock) -> None:
        self.parts, self.repositories, self.clock = parts, parts.nouns, clock
        self._following = asyncio.create_task(clock.follow(parts.store))
        self.settings, self.store, self.bell = parts.settings, parts.store, parts.bell
        self.blobs, self.results, self.slots = parts.blobs, parts.results, parts.slots
        self.operations, self.scratch = parts.operations, parts.scratch
        self.retention = parts.retention
        self.access = Access(self.store)
        self.inspector = Inspector(self.slots, self.scratch)
        self.directories = Directories(self.scratch)
        self.trail, self.audit = Trail(self.store, self.clock), AuditService(Audit(self.store))
        self.workers, self.figures = WorkerService(Workers(self.store)), FigureService(self.store)
        self.quotas = QuotaService.over(self.parts, self.clock)
        self.rates = self.quotas.rates
        self._services()

    @classmethod
    async def open(
        cls, settings: Settings, operations: Catalogue = OPERATIONS, spare: int = SPARE_SLOTS
    ) -> "App":
        """Open every backend that the settings name; raises `ConfigurationError`.

        `spare` is how many slots there are beside those for CPU work.
        """
        parts = await Parts.open(settings, operations, spare)
        return cls(parts, StoreClock(await parts.store.now()))

    async def close(self) -> None:
        """End what runs and release every backend."""
        self._following.cancel()
        await self.watching.close()
        await self.trail.close()
        self.directories.close()
        await self.parts.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _services(self) -> None:
        """Make what callers use."""
        nouns = self.repositories
        kept = self.parts.kept
        signer = Signer(
            key_of(self.settings.secret.get_secret_value(), self.settings.home),
            self.clock,
            kept.of("secret"),
            kept.of("secret_previous"),
        )
        self.people = people = AccountServices.over(self.parts, signer, self.clock)
        self.accounts, self.linking = people.accounts, people.linking
        self.federation = people.federation
        rows = FileRows(self.store, nouns.units, nouns.usages, self.bell, self.parts.announcer)
        most = self.settings.max_upload_bytes
        validator = Validator(self.blobs, self.inspector, nouns.usages, most)
        self.uploads, self.arrivals = Uploads(rows, validator), Arrivals(rows, validator)
        self.filing = Filing(rows, validator, Customers(nouns.users), Places())
        self.books = StreamBooks(self.store)
        self.kept = RetentionService(
            Aging(self.store), Sweeps(self.store), Dailies(self.store), self.retention
        )
        self.imports = Imports(self.arrivals, self.parts.fetcher, self.bell)
        self.templates = TemplateService(self.access, Templates(self.store), self.operations)
        self.template_sharing = TemplateSharing(self.access, nouns.users)
        self.projects = ProjectService(
            self.access, nouns.projects, nouns.lookup, nouns.units, self.bell, nouns.annotations
        )
        self.resumable, self.waiting = self._resumable(validator), Waiting(self.repositories.units)
        self.settler = Settler(nouns.uploads, self.blobs, self.projects)
        self.direct = Direct(
            self.access, nouns.uploads, rows, self.blobs, validator, self.projects, self.bell,
            self.settings.direct_transfers,
        )  # fmt: skip
        self.trash = Trash(
            self.store, self.access, nouns.files, nouns.units, self.bell, self.parts.announcer
        )
        self.webhooks = WebhookService(
            nouns.webhooks, nouns.units, self.parts.sealer, self.parts.fetcher, self.bell
        )
        self.deliveries = DeliveryService(
            nouns.webhooks, nouns.units, self.bell, self.parts.settings.address
        )
        self.labels = Labels(self.store, self.access)
        self.files = FileService(
            self.store, self.access, nouns.files, nouns.lookup, Listing(nouns.files, self.trash,
            self.projects, nouns.lookup), self.trash, self.blobs, self.results, self.parts.cutting,
            self.settings.direct_transfers,
        )  # fmt: skip
        self.models = ModelServices.over(self.parts, self.access, self.files)
        inputs = Inputs(self.access, self.parts.sources)
        requests = Requests(inputs, self.templates, self.operations, self.parts.models)
        self.planner = Planner(requests, nouns.spending, self.quotas)
        rung = self.settings.broker_url.startswith("sqs:")  # so functions may work: longer leases
        queue = Queue(nouns.jobs, nouns.units, self.workers.workers, functions=rung)
        self.jobs = JobService(
            self.access, nouns.jobs, nouns.units, nouns.manifests, nouns.results, nouns.usages,
            requests, self.bell, queue, self.parts.announcer,
        )  # fmt: skip
        self.datasets = DatasetServices.over(self.parts, self.projects, self.jobs, self.files)
        self.annotations = AnnotationServices.over(self.parts, self.access, self.datasets.tasks)
        self.arrived = Arrived(nouns.files, self.jobs, self.templates)
        self.captions = CaptionService(self.access)
        self.rerunning = Rerunning(self.captions, self.jobs)
        lease = max(self.settings.lease_seconds, FUNCTION_SECONDS if rung else 0)
        self.work = Work(Backlogs(self.store, int(lease * 1000)))
        self.running = Running(self.work, nouns.jobs, nouns.results)
        self.watching = Watching(self.jobs, self.bell)
        self.job_trash = JobTrash(self.access, self.jobs, nouns.units, self.bell)
        self.privacy = PrivacyServices.over(
            self.parts, signer, people, self.job_trash, self.projects, self.templates, self.webhooks
        )
        self.once = Once(nouns.keys, self.results)
        self.items = ItemService(self.access, nouns.manifests, nouns.results, self.work.backlogs)
        self.downloads = Downloads(
            self.access, self.files, self.results, self.directories, nouns.units, self.bell,
            self.settings.direct_transfers,
        )  # fmt: skip
        self.outputs = Outputs(self.access, nouns.manifests, nouns.results, self.results)
        self.notifications = Notifications(
            self.access, nouns.users, nouns.mails, nouns.identities, nouns.units, signer,
            self.settings.address,
        )  # fmt: skip
        self._reading(signer)

    def _reading(self, signer: Signer) -> None:
        """Make what shows what is there, and what users say of it."""
        nouns = self.repositories
        self.sums = Sums(self.store, self.models.spending)
        topics = self.settings.stream_topics
        self.whole = Whole(
            self.work, self.workers, self.kept, self.books, self.sums, topics,
            exports=bool(self.settings.analytics_url),
        )  # fmt: skip
        self.condition = Health(self.parts, self.work, self.models.providers)
        told = Feedbacks(self.store, nouns.units)
        self.feedback = FeedbackService(told, nouns.users, self.files, self.blobs, self.bell)
        self.replays = Replays.over(self.parts, self.access)
        self.previews = Previews(
            self.access, self.blobs, self.results, self.slots, self.operations, self.scratch
        )
        self.links = Links(
            signer, self.clock, self.accounts, self.files, self.downloads, self.outputs
        )
        self.pictures = Pictures(signer, self.clock, self.access, self.blobs)
        self.members = ArchiveMembers(
            self.access, self.files, nouns.units, nouns.usages, self.blobs, self.inspector,
            self.directories, self.bell,
        )  # fmt: skip

    def _resumable(self, validator: Validator) -> Resumable:
        rows = self.repositories.uploads
        assembler = Assembler(rows, self.blobs, self.uploads, self.projects)
        return Resumable(
            self.access, rows, self.blobs, validator, assembler, self.projects, self.bell
        )

    async def worker(self, *, stays: bool = False) -> Worker:
        """Make a worker with a handler for every kind of unit; drained, it ends unless it stays."""
        presence = Presence(Workers(self.store), self.settings.lease_seconds, stays=stays)
        shelter = Shelter(self.parts.protection, self.parts.numbers)
        return Worker(await self.engine(), Crew.of(cpu_slots(self.settings)), presence, shelter)

    async def engine(self) -> Engine:
        """Make what runs units; see to it that the housekeeping that recurs has begun."""
        settings, nouns = self.settings, self.repositories
        await kinds.begin_recurring(nouns.units)
        if settings.backup_url:
            await back_up.begin(nouns.units, kinds.SYSTEM)
        return Engine(
            scheduler=Scheduler(self.store, int(settings.lease_seconds * 1000)),
            units=nouns.units,
            jobs=nouns.jobs,
            rollup=Rollup(self.store, nouns.jobs, nouns.units),
            bell=self.bell,
            handlers=self.handlers(),
            timing=Timing(lease=settings.lease_seconds, poll=settings.poll_seconds),
            numbers=self.parts.numbers,
            tracer=self.parts.tracer,
        )

    def handlers(self) -> Mapping[str, Handler]:
        """Make a handler for every kind of unit."""
        common = kinds.handlers(
            self.parts,
            self.arrivals,
            self.resumable.assembler,
            self.settler,
            self.notifications.unsubscribe_url,
            self.people.mailed.secret,
            self.people.inviting.secret,
            self.arrived,
            MemberIntake(self.uploads.rows, self.uploads.validator),
        )
        return {**common, **self.privacy.handlers()}

    def ingest(self, rules: Rules | None = None) -> Ingest:
        """Make what takes files from the stream, by the settings' rules if by no others.

        Raises `ConfigurationError` when there is no stream, or nothing to take from it.
        """
        rules = self._rules() if rules is None else rules
        stream = open_stream(
            self.settings.stream_url, list(rules), self.parts.kept.of("stream_url")
        )
        publisher = self.parts.publisher
        assert publisher is not None  # noqa: S101 - there is one where a stream could be opened
        wanting = Wanting(self.repositories.users, self.templates.templates)
        return Ingest(rules, stream, publisher, self.filing, self.books, wanting)

    def handed(self) -> Handed:
        """Make what takes messages of the stream that come in events, by the settings' rules.

        Raises `ConfigurationError` when there is no stream, or nothing to take from it.
        """
        rules = self._rules()
        publisher = self.parts.publisher or open_publisher(self.settings.stream_url)
        return Handed(rules, publisher, self.filing, self.books)

    def _rules(self) -> Rules:
        rules = read_rules(self.settings.stream_topics)
        if not rules:
            message = f"{TOPICS} says of no topic whose files it brings: topic=customer:NAME."
            raise ConfigurationError(message, setting=TOPICS)
        return rules

    async def health(self) -> dict[str, Any]:
        """Ask every backend whether it works; see `Health.report`."""
        return await self.condition.report()
