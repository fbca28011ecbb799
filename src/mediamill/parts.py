"""What the program is made of: every backend that the settings name, opened once.

Services and handlers are built of these parts; `app.py` does that.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from mediamill.adapters.brokers.opening import open_bell
from mediamill.adapters.brokers.port import Doorbell, Follows
from mediamill.adapters.events.opening import open_events
from mediamill.adapters.events.port import Events
from mediamill.adapters.fetch.client import Fetcher
from mediamill.adapters.fetch.opening import open_fetcher
from mediamill.adapters.identity.opening import open_identity
from mediamill.adapters.identity.port import Identity
from mediamill.adapters.mail.opening import open_post
from mediamill.adapters.mail.port import Post
from mediamill.adapters.protection.opening import open_protection
from mediamill.adapters.protection.port import Protection
from mediamill.adapters.sealing.opening import open_sealer
from mediamill.adapters.secrets.opening import SettingSources
from mediamill.adapters.stream.opening import NONE, open_publisher
from mediamill.adapters.stream.port import Publisher
from mediamill.adapters.tracing.opening import open_tracer
from mediamill.blobs.claims import refuse_claimed
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import Blobs
from mediamill.core.backups import refuse_unrestored
from mediamill.core.errors import ConfigurationError, MediamillError
from mediamill.core.hanging import Hanging
from mediamill.core.load import allowed_cpus
from mediamill.core.machine import Scratch
from mediamill.core.numbers import Numbers
from mediamill.core.retention import FOR_EVER, Retention, read_retention
from mediamill.core.sealing import Sealer
from mediamill.core.settings import Settings
from mediamill.core.sourced import Sourced
from mediamill.core.tracing import Tracer
from mediamill.engine.announcing import Announcer
from mediamill.engine.asking.models import Models
from mediamill.engine.cutting import Cutting
from mediamill.engine.gathering import Sources
from mediamill.engine.slots import SlotLimits, SlotPool
from mediamill.operations.catalogue import Catalogue
from mediamill.store.opening import open_store
from mediamill.store.port import Absent, Check, Store, Versioned
from mediamill.store.repositories.allowances import UNLIMITED, Limits
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.attempts import Attempts
from mediamill.store.repositories.factors import Factors
from mediamill.store.repositories.files import Files
from mediamill.store.repositories.idempotency import KeyedRequests
from mediamill.store.repositories.identities import Identities
from mediamill.store.repositories.jobs import Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.mails import Mails
from mediamill.store.repositories.moves import refuse_unfinished
from mediamill.store.repositories.projects import Projects
from mediamill.store.repositories.results import Results
from mediamill.store.repositories.sealing import NotingSealer
from mediamill.store.repositories.spending import Spending
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.uploads import UploadRows
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.users import User, Users
from mediamill.store.repositories.webhooks import Webhooks
from mediamill.store.watching import Counting, Watched

log = structlog.get_logger(__name__)

SPARE_SLOTS = 3
"""Beside the general ones: for `interactive` alone, for housekeeping, for uploads."""

ANSWER_SECONDS = 4.0
"""How long a backend may take to say that it works."""


@dataclass(frozen=True)
class Repositories:
    """Every noun's reads and guarded writes."""

    users: Users
    factors: Factors
    files: Files
    jobs: Jobs
    units: Units
    results: Results
    manifests: Manifests
    lookup: FileLookup
    projects: Projects
    annotations: Annotations
    keys: KeyedRequests
    uploads: UploadRows
    usages: Usages
    webhooks: Webhooks
    identities: Identities
    mails: Mails
    attempts: Attempts
    spending: Spending

    @classmethod
    def over(
        cls,
        store: Store,
        results: Blobs,
        limits: Limits = UNLIMITED,
        retention: Retention = FOR_EVER,
        blobs: Blobs | None = None,
    ) -> "Repositories":
        """Make all of them over one store; large lists of inputs lie among the results.

        `limits` are those of owners without an allowance, `retention` tells what goes when, large
        annotations lie among `blobs`.
        """
        usages = Usages(store, limits)
        return cls(
            users=Users(store),
            factors=Factors(store),
            files=Files(store),
            jobs=Jobs(store),
            units=Units(store),
            results=Results(store),
            manifests=Manifests(store, results),
            lookup=FileLookup(store, retention),
            projects=Projects(store),
            annotations=Annotations(store, blobs or results, usages),
            keys=KeyedRequests(store),
            uploads=UploadRows(store, usages),
            usages=usages,
            webhooks=Webhooks(store),
            identities=Identities(store),
            mails=Mails(store),
            attempts=Attempts(store),
            spending=Spending(store),
        )


@dataclass
class Parts:
    """What services and handlers share."""

    settings: Settings
    store: Store
    blobs: Blobs
    results: Blobs
    bell: Doorbell
    slots: SlotPool
    operations: Catalogue
    own: Scratch
    fetcher: Fetcher
    sealer: Sealer
    events: Events
    kept: SettingSources
    """Settings that may change while the service runs: ask these where something connects."""
    identity: Identity
    post: Post
    protection: Protection
    publisher: Publisher | None = None
    """Writes to the stream, where there is one."""
    tracer: Tracer | None = None
    """Sends traces, where somebody collects them."""

    def __post_init__(self) -> None:
        self.scratch = self.own.path
        self.cutting = Cutting(self.scratch)
        self.hanging = Hanging()
        self.numbers = Numbers()
        """What this process counts of itself, for `/metrics`."""
        if isinstance(self.store, Watched):
            self.store.watch = Counting(self.numbers)
        self.models = Models.of(self.settings, self.store, self.sealer, self.numbers)
        self.told = Counter[tuple[str, str]]()
        """How many events went out by each channel, and what came of it."""
        self.announcer = Announcer(self.store, everything=self.events.takes)
        limits = limits_of(self.settings)
        self.retention = read_retention(self.settings.retention)
        self.nouns = Repositories.over(self.store, self.results, limits, self.retention, self.blobs)
        self.sources = Sources(
            self.nouns.lookup, self.nouns.projects, self.blobs, self.results, self.scratch,
            self.nouns.annotations.of, self.nouns.manifests,
        )  # fmt: skip

    @classmethod
    async def open(
        cls, settings: Settings, operations: Catalogue, spare: int = SPARE_SLOTS
    ) -> "Parts":
        """Open every backend that the settings name; raises `ConfigurationError`."""
        read_retention(settings.retention)  # what is wrong with it is told before anything opens
        tracer = open_tracer(settings.otlp_url, settings.trace_share)
        fetcher = open_fetcher(settings.fetch_allow)
        events = open_events(settings.events_url)
        protection = open_protection(settings.protection_url)
        refuse_unrestored(settings.home)
        make_home(settings.home)
        room = settings.min_free_bytes
        blobs = await _open_blobs(settings.blobs_url, "MEDIAMILL_BLOBS_URL", room)
        results = blobs
        if settings.results_url != settings.blobs_url:
            results = await _open_blobs(settings.results_url, "MEDIAMILL_RESULTS_URL", room)
        kept = SettingSources(settings)
        identity = await open_identity(kept.of("identity_url"))
        post = await open_post(kept.of("mail_url"))
        store = await _open_store(kept.of("store_url"))
        version = getattr(store, "version", "")
        log.info("store opened", action="store_opened", kind=type(store).__name__, version=version)
        own = await asyncio.to_thread(Scratch.make, settings.home / "scratch")
        limits = SlotLimits(
            memory_bytes=settings.slot_memory_mb << 20,
            timeout_seconds=settings.slot_timeout_seconds,
        )
        slots = SlotPool(
            cpu_slots(settings) + spare,
            limits,
            scratch=own.path,
            catalogue=operations.builder,
            spare=spare,
        )
        bell = open_bell(settings.broker_url, settings.store_url)
        url = settings.stream_url
        publisher = None if url == NONE else open_publisher(url, kept.of("stream_url"))
        if isinstance(bell, Follows):
            bell.follow(kept.of("broker_url"), kept.of("store_url"))
        sealer = NotingSealer(open_sealer(kept.of("sealing_url"), settings.home), store)
        return cls(
            settings, store, blobs, results, bell, slots, operations, own, fetcher, sealer, events,
            kept, identity, post, protection, publisher, tracer,
        )  # fmt: skip

    async def close(self) -> None:
        """End the slots and release every backend."""
        self.hanging.close()
        await self.slots.close()
        await self.models.close()
        self.cutting.close()
        await self.bell.close()
        if self.publisher is not None:
            await self.publisher.close()
        for blobs in self.blob_stores():
            await blobs.close()
        await self.store.close()
        await self.sealer.close()
        await self.events.close()
        await self.protection.close()
        await self.post.close()
        self.fetcher.close()
        await self.kept.close()
        if self.tracer is not None:
            await self.tracer.close()
        await asyncio.to_thread(self.own.remove)

    def blob_stores(self) -> tuple[Blobs, ...]:
        """Return the stores of originals and of results, which may be one."""
        return (self.blobs,) if self.blobs is self.results else (self.blobs, self.results)

    async def examine(self) -> dict[str, str]:
        """Ask every backend whether it works: `ok`, or what is wrong; within four seconds."""
        checks = {
            "store": self._ask_store,
            "blobs": lambda: _reach(self.blobs),
        }
        if self.results is not self.blobs:
            checks["results"] = lambda: _reach(self.results)
        answers = await asyncio.gather(*(self._answer(*check) for check in checks.items()))
        return dict(zip(checks, answers, strict=True))

    async def _answer(self, name: str, check: Callable[[], Awaitable[object]]) -> str:
        try:
            await self.hanging.ask(name, check, ANSWER_SECONDS)
        except (MediamillError, TimeoutError) as error:
            return str(error) or f"no answer within {ANSWER_SECONDS:g} s"
        return "ok"

    async def _ask_store(self) -> None:
        """Begin a write, of nothing; raises `ConfigurationError` where a newer program is wanted.

        A store that can be read may take no writes: a file that is locked, a replica.
        """
        await self.store.transact(Check(User, ("user_health",), (Absent(),)))
        if isinstance(self.store, Versioned):
            await self.store.require_current()


async def _open_blobs(url: str, setting: str, room: int) -> Blobs:
    """Open a place for bytes; raises `ConfigurationError` when they are not all there yet."""
    blobs = await open_blobs(url, setting=setting, min_free_bytes=room)
    try:
        await refuse_claimed(blobs, setting)
    except BaseException:
        await blobs.close()
        raise
    return blobs


async def _open_store(url: Sourced) -> Store:
    """Open the store; raises `ConfigurationError` when it is not all there yet."""
    store = await open_store(url)
    try:
        await refuse_unfinished(store)
    except BaseException:
        await store.close()
        raise
    return store


async def _reach(blobs: Blobs) -> None:
    """Ask for the room that is left, and for what is in a folder, since a bucket has any room."""
    await blobs.free_bytes()
    async for _ in blobs.list("health/"):  # nothing lies there
        break


def make_home(home: Path) -> None:
    """Make the folder of all state; raises `ConfigurationError` when that is not allowed."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        message = f"MEDIAMILL_HOME: {home} cannot be made: {error.strerror}. Choose another folder."
        raise ConfigurationError(message, setting="MEDIAMILL_HOME") from error


def limits_of(settings: Settings) -> Limits:
    """Return what each user may have and do, who has no allowance."""
    return Limits(
        bytes=settings.quota_bytes or None,
        files=settings.quota_files or None,
        jobs=settings.quota_jobs or None,
        items=settings.quota_items or None,
        requests=settings.rate_requests or None,
    )


def cpu_slots(settings: Settings) -> int:
    """Return how many units of CPU work run at a time."""
    return settings.slots or allowed_cpus()
