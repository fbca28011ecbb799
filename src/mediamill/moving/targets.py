"""The places that a move goes to: opened, found empty or its own, and marked as unfinished."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import Blobs
from mediamill.core.clock import SystemClock
from mediamill.core.errors import ConfigurationError, Conflict
from mediamill.core.ids import new_id
from mediamill.core.urls import shown
from mediamill.moving.journal import Journal, Progress, Way, journals
from mediamill.moving.places import Places
from mediamill.store.opening import SETTING, open_store
from mediamill.store.port import KnowsUse, Store, Walks
from mediamill.store.schema import all_kinds


@dataclass(frozen=True)
class OpenTargets:
    """The open targets of a move: its store, if that moves, and its places for bytes by URL."""

    places: Places
    store: Store | None
    blobs: dict[str, Blobs]

    @property
    def marks(self) -> list[Journal]:
        """Return the marks that the move makes, the journal first."""
        return journals(self.store, [*self.blobs.values()])

    async def begin(self, source: str) -> Progress:
        """Mark the targets as being moved to, or go on where an earlier run of the move was.

        `source` is the digest of what the source has now. Raises `Conflict` for a target that has
        anything else.
        """
        journal, *claims = self.marks
        progress = await journal.load()
        if progress is None:
            await self._require_empty()
            progress = _fresh(self.places, source)
            await journal.save(progress)
        if progress.places != _names(self.places):
            raise Conflict(
                "An unfinished move is in the target, between other places. End that one first, "
                "or empty the target: " + _told(progress.places)
            )
        if progress.source != source:
            await self._again(progress, source)
        if isinstance(self.store, KnowsUse):
            await self.store.take_into_use()
        for claim in claims:
            await self._claim(claim, progress)
        return progress

    async def _again(self, progress: Progress, source: str) -> None:
        """Have everything looked at again: a service ran on the source meanwhile."""
        if self.store is not None and not isinstance(self.store, Walks):
            raise Conflict(  # what was deleted meanwhile would stay there unnoticed
                f"A service ran on the source after the move into {shown(self.places.to.store)} "
                "began. Name a new table and empty places for bytes, and begin again."
            )
        progress.table, progress.after, progress.rows = "", None, 0
        progress.copied = progress.checked = False
        progress.source, progress.changed = source, True
        await self.marks[0].save(progress)

    async def _claim(self, claim: Journal, progress: Progress) -> None:
        found = await claim.load()
        if found is not None and found.id != progress.id:
            raise Conflict("Another unfinished move is in a target: " + _told(found.places))
        if found is None and not progress.checked:
            await claim.save(progress)

    async def end(self) -> None:
        """Remove the marks, the journal last."""
        for mark in reversed(self.marks):
            await mark.end()

    async def _require_empty(self) -> None:
        if self.store is not None and (found := await _found_in(self.store)):
            raise Conflict(
                f"--to-store: {shown(self.places.to.store)} is not empty, it has {found}. "
                "Name an empty database or table; with --verify-only a move that has ended is "
                "compared."
            )
        for url, blobs in self.blobs.items():
            async for info in blobs.list(""):
                raise Conflict(
                    f"{shown(url)} is not empty, it has “{info.key}”. Name an empty folder."
                )


@asynccontextmanager
async def opened(places: Places) -> AsyncIterator[OpenTargets]:
    """Open the targets for the length of the block; a store gets its tables."""
    async with AsyncExitStack() as stack:
        store = None
        if places.to.store:
            store = await _store(places.to.store)
            stack.push_async_callback(store.close)
        blobs = dict[str, Blobs]()
        for route in places.routes:
            if route.target not in blobs:
                room = places.settings.min_free_bytes
                found = await open_blobs(route.target, setting=route.option, min_free_bytes=room)
                blobs[route.target] = found
                stack.push_async_callback(found.close)
        yield OpenTargets(places, store, blobs)


async def _found_in(store: Store) -> str:
    """Say what a store has already; nothing where it is empty."""
    if isinstance(store, KnowsUse):
        return "" if await store.is_unused() else "been used by a service or a move"
    if isinstance(store, Walks):
        for kind in all_kinds():
            if await store.walk(kind, None, 1):
                return f"{kind.table} already"
    return ""


async def _store(url: str) -> Store:
    try:
        return await open_store(url)
    except ConfigurationError as error:
        message = error.message.replace(SETTING, "--to-store")
        raise ConfigurationError(message, setting="--to-store") from error


def _fresh(places: Places, source: str) -> Progress:
    ways = [Way() for _ in places.routes]
    now = SystemClock().now()
    names = _names(places)
    return Progress(id=new_id("move"), begun=now, places=names, ways=ways, source=source)


def _names(places: Places) -> dict[str, str]:
    here, to = places.settings, places.to
    named = {
        "store": here.store_url,
        "blobs": here.blobs_url,
        "results": here.results_url,
        "to_store": to.store,
        "to_blobs": to.blobs,
        "to_results": to.results,
    }
    return {name: shown(url) for name, url in named.items() if url}


def _told(names: dict[str, str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {url}" for name, url in names.items()) + "."
