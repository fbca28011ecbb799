"""The places that a move goes to: opened, found empty or its own, and marked as unfinished."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import Blobs
from mediamill.core.clock import SystemClock
from mediamill.core.errors import ConfigurationError, Conflict
from mediamill.core.ids import new_id
from mediamill.moving.journal import Journal, Progress, Way, journals
from mediamill.moving.places import Places, shown
from mediamill.store.opening import SETTING, open_store
from mediamill.store.port import Counts, Store


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

    async def begin(self) -> Progress:
        """Mark the targets as being moved to, or go on where an earlier run of the move was.

        Raises `Conflict` for a target that has anything else.
        """
        journal, *claims = self.marks
        progress = await journal.load()
        if progress is None:
            await self._require_empty()
            progress = _fresh(self.places)
            await journal.save(progress)
        if progress.places != _names(self.places):
            raise Conflict(
                "An unfinished move is in the target, between other places. End that one first, "
                "or empty the target: " + _told(progress.places)
            )
        for claim in claims:
            await self._claim(claim, progress)
        return progress

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
        if isinstance(self.store, Counts) and (rows := sum((await self.store.count()).values())):
            raise Conflict(
                f"--to-store: {shown(self.places.to.store)} is not empty, it has {rows} records. "
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


async def _store(url: str) -> Store:
    try:
        return await open_store(url)
    except ConfigurationError as error:
        message = error.message.replace(SETTING, "--to-store")
        raise ConfigurationError(message, setting="--to-store") from error


def _fresh(places: Places) -> Progress:
    ways = [Way() for _ in places.routes]
    now = SystemClock().now()
    return Progress(id=new_id("move"), begun=now, places=_names(places), ways=ways)


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
