"""The composition root: everything is built here, once, from the settings.

    async with await App.open(Settings()) as app:
        worker = await app.worker()

No other module reads settings, makes a connection at import or keeps a global.
"""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog

from mediamill.adapters.brokers.opening import open_bell
from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import Blobs
from mediamill.core.clock import SystemClock
from mediamill.core.errors import ConfigurationError, MediamillError
from mediamill.core.settings import Settings
from mediamill.engine.inspect import Inspector
from mediamill.engine.rollup import Rollup
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.slots import SlotLimits, SlotPool, sandbox
from mediamill.engine.worker import Crew, Engine, Handler, Timing, Worker
from mediamill.handlers.cancel import Cancel
from mediamill.handlers.collect import Collect, schedule
from mediamill.handlers.expand import Expand
from mediamill.handlers.items import Items
from mediamill.handlers.next_stage import NextStage
from mediamill.handlers.notify import Notify
from mediamill.handlers.purge import PurgeFile, PurgeJob
from mediamill.handlers.seal import Seal
from mediamill.handlers.thumbnail import Thumbnail
from mediamill.operations.catalogue import OPERATIONS, Catalogue
from mediamill.services.access import Access
from mediamill.services.accounts import Accounts
from mediamill.services.directories import Directories
from mediamill.services.downloads import Downloads
from mediamill.services.files import FileService
from mediamill.services.items import ItemService
from mediamill.services.jobs import JobService
from mediamill.services.requests import Requests
from mediamill.services.uploads import Uploads
from mediamill.store.opening import open_store
from mediamill.store.port import Store
from mediamill.store.repositories.files import Files
from mediamill.store.repositories.jobs import Jobs, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import Results
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.users import User, Users

log = structlog.get_logger(__name__)

SPARE_SLOTS = 3
"""Beside the general ones: for `interactive` alone, for housekeeping, for uploads."""


@dataclass
class Parts:
    """What is shared by the services and by the worker."""

    settings: Settings
    store: Store
    blobs: Blobs
    results: Blobs
    bell: Doorbell
    slots: SlotPool
    operations: Catalogue
    scratch: Path


@dataclass(frozen=True)
class Repositories:
    """Every noun's reads and guarded writes."""

    users: Users
    files: Files
    jobs: Jobs
    units: Units
    results: Results
    manifests: Manifests
    lookup: FileLookup


class App:
    """The program, put together."""

    def __init__(self, parts: Parts) -> None:
        self.settings, self.store, self.bell = parts.settings, parts.store, parts.bell
        self.blobs, self.results, self.slots = parts.blobs, parts.results, parts.slots
        self.scratch, self.clock, self.operations = parts.scratch, SystemClock(), parts.operations
        self._protections: dict[str, bool | str] = {}
        self._nouns()
        self._services()

    @classmethod
    async def open(cls, settings: Settings, operations: Catalogue = OPERATIONS) -> "App":
        """Open every backend that the settings name; raises `ConfigurationError`."""
        make_home(settings.home)
        room = settings.min_free_bytes
        blobs = await open_blobs(settings.blobs_url, min_free_bytes=room)
        results = blobs
        if settings.results_url != settings.blobs_url:
            results = await open_blobs(
                settings.results_url, setting="MEDIAMILL_RESULTS_URL", min_free_bytes=room
            )
        store = await open_store(settings.store_url)
        version = getattr(store, "version", "")
        log.info("store opened", action="store_opened", kind=type(store).__name__, version=version)
        scratch = await asyncio.to_thread(own_scratch, settings.home / "scratch")
        limits = SlotLimits(
            memory_bytes=settings.slot_memory_mb << 20,
            timeout_seconds=settings.slot_timeout_seconds,
        )
        slots = SlotPool(
            cpu_slots(settings) + SPARE_SLOTS, limits, scratch=scratch, catalogue=operations.builder
        )
        bell = open_bell(settings.broker_url)
        return cls(Parts(settings, store, blobs, results, bell, slots, operations, scratch))

    async def close(self) -> None:
        """End the slots and release every backend."""
        await self.slots.close()
        self.directories.close()
        await self.bell.close()
        for blobs in {id(b): b for b in (self.blobs, self.results)}.values():
            await blobs.close()
        await self.store.close()
        await asyncio.to_thread(shutil.rmtree, self.scratch, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _nouns(self) -> None:
        """Make the repositories and what decides access."""
        self.repositories = Repositories(
            users=Users(self.store),
            files=Files(self.store),
            jobs=Jobs(self.store),
            units=Units(self.store),
            results=Results(self.store),
            manifests=Manifests(self.store, self.results),
            lookup=FileLookup(self.store),
        )
        self.access = Access(self.store)
        self.inspector = Inspector(self.slots, self.scratch)
        self.directories = Directories(self.scratch)

    def _services(self) -> None:
        """Make what callers use."""
        nouns = self.repositories
        self.accounts = Accounts(nouns.users, self.clock, self.settings.registration)
        self.uploads = Uploads(
            self.store,
            nouns.units,
            self.blobs,
            self.inspector,
            self.bell,
            self.settings.max_upload_bytes,
        )
        self.files = FileService(
            self.store,
            self.access,
            nouns.files,
            nouns.lookup,
            nouns.units,
            self.blobs,
            self.results,
            self.bell,
        )
        self.jobs = JobService(
            self.access,
            nouns.jobs,
            nouns.units,
            nouns.manifests,
            nouns.results,
            Requests(nouns.lookup, self.operations),
            self.bell,
        )
        self.items = ItemService(self.access, nouns.manifests, nouns.results)
        self.downloads = Downloads(self.access, self.files, self.results, self.directories)

    # -- the worker -----------------------------------------------------------------------------

    async def worker(self) -> Worker:
        """Make a worker with a handler for every kind of unit."""
        await schedule(self.store, self.repositories.units)
        settings, nouns = self.settings, self.repositories
        engine = Engine(
            scheduler=Scheduler(self.store, int(settings.lease_seconds * 1000)),
            units=nouns.units,
            jobs=nouns.jobs,
            rollup=Rollup(self.store, nouns.jobs, nouns.units),
            bell=self.bell,
            handlers=self.handlers(),
            timing=Timing(lease=settings.lease_seconds, poll=settings.poll_seconds),
        )
        return Worker(engine, Crew.of(cpu_slots(settings)))

    def handlers(self) -> Mapping[str, Handler]:
        """Register the handlers by the kind of unit they run."""
        nouns, store = self.repositories, self.store
        items = Items(
            nouns.jobs,
            nouns.manifests,
            nouns.lookup,
            self.blobs,
            self.results,
            self.slots,
            self.operations,
            self.scratch,
            self.settings.crash_limit,
            threads=min(2, cpu_slots(self.settings)),
        )
        return {
            "items": items,
            "expand": Expand(
                nouns.jobs, nouns.manifests, nouns.results, nouns.lookup, self.bell, self.operations
            ),
            "next_stage": NextStage(nouns.jobs, nouns.manifests, nouns.results, self.bell),
            "seal": Seal(nouns.jobs, nouns.results, self.results, self.scratch),
            "cancel": Cancel(nouns.jobs, nouns.units),
            "notify": Notify(nouns.jobs, self.bell),
            "thumbnail": Thumbnail(nouns.files, self.blobs, self.slots, self.scratch),
            "purge_file": PurgeFile(store, nouns.files, nouns.jobs, self.blobs),
            "purge_job": PurgeJob(store, nouns.jobs, nouns.results, nouns.units, self.results),
            "collect": Collect(store, self._blob_stores(), self.clock),
        }

    def _blob_stores(self) -> tuple[Blobs, ...]:
        return (self.blobs,) if self.blobs is self.results else (self.blobs, self.results)

    # -- health ---------------------------------------------------------------------------------

    async def health(self) -> dict[str, Any]:
        """Ask every backend whether it works; `ok` is False when one does not."""
        checks: dict[str, str] = {}
        for name, check in (("store", self._store_answers), ("blobs", self._blobs_answer)):
            try:
                async with asyncio.timeout(4):
                    await check()
                checks[name] = "ok"
            except (MediamillError, TimeoutError) as error:
                checks[name] = str(error) or "no answer within 4 s"
        ok = all(state == "ok" for state in checks.values())
        if not self._protections:
            self._protections = self.slots.protections() or await asyncio.to_thread(sandbox.report)
        return {"ok": ok, "checks": checks, "sandbox": self._protections}

    async def _store_answers(self) -> None:
        await self.store.get(User, "user_health")

    async def _blobs_answer(self) -> None:
        await self.blobs.free_bytes()


def make_home(home: Path) -> None:
    """Make the folder of all state; raises `ConfigurationError` when that is not allowed."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        message = f"MEDIAMILL_HOME: {home} cannot be made: {error.strerror}. Choose another folder."
        raise ConfigurationError(message, setting="MEDIAMILL_HOME") from error


def own_scratch(folder: Path) -> Path:
    """Make this process's scratch folder, and remove those of processes that are no more."""
    folder.mkdir(exist_ok=True, mode=0o700)
    here = f"{socket.gethostname()}-"
    for left in folder.glob(f"{here}*"):
        process = left.name.removeprefix(here).split("-")[0]
        if process.isdigit() and not Path(f"/proc/{process}").exists():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{here}{os.getpid()}-", dir=folder))


def cpu_slots(settings: Settings) -> int:
    """Return how many units of CPU work run at a time."""
    return settings.slots or len(os.sched_getaffinity(0))
