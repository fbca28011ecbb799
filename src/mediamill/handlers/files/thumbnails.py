"""`thumbnails`: draw the small pictures of what an import takes in, a dozen at a time.

They come after jobs: while these use every slot it waits, but not for ever. One unit does all of an
import, whose files are known by their places; it is there before the first of them.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from dataclasses import dataclass

from mediamill.blobs.together import adopt_together
from mediamill.core.clock import MINUTE, SECOND
from mediamill.core.errors import ConditionFailed, SlotFailure
from mediamill.engine.inputs import call_item, opened_all
from mediamill.engine.lease import Lease
from mediamill.engine.slots import Call, Succeeded
from mediamill.handlers.datasets.bringing import AT_ONCE, TOGETHER, id_of
from mediamill.handlers.files.thumbnail import Thumbnail
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.datasets import Datasets, ProjectTask
from mediamill.store.repositories.files import File
from mediamill.store.repositories.units import Unit

KIND = "thumbnails"
LOOK_AGAIN_MS = SECOND
FREE_SECONDS = 0.5
"""A slot that was free for less is one between two calls of a job."""
PATIENCE_MS = 10 * MINUTE
"""How long it gives way to jobs."""
TOGETHER_BYTES = 32 << 20
"""Of files that are open at a time; one that is larger is open alone."""


def group_of(task: ProjectTask) -> str:
    """Return the group of the unit that draws what a task takes in."""
    return f"{KIND}:{task.id}"


def drawing_later(task: ProjectTask) -> Unit:
    """Make the unit that draws what a task takes in."""
    return Unit.chore(
        KIND, group_of(task), 0, task.user, cost=1.0, now=task.created, due=task.created,
        project=task.project, task=task.id, at=0,
    )  # fmt: skip


@dataclass
class Thumbnails:
    """Draws many."""

    datasets: Datasets
    each: Thumbnail

    async def run(self, lease: Lease) -> None:
        place = lease.unit.payload
        task = await self.datasets.task(place["project"], place["task"])
        at = int(place["at"])
        while task is not None and at < _end(task) and not await self._gives_way(lease):
            first, at = at, min(at + AT_ONCE, _end(task))
            ids = [id_of(task, n) for n in range(first, at)]
            await self._draw(lease, await self.each.files.get_many(ids))
            await lease.write(payload={**place, "at": at})
            task = await self.datasets.task(place["project"], place["task"])
        if task is None or (task.state.terminal and at >= _end(task)):
            await lease.vanish()
        else:
            await lease.release(LOOK_AGAIN_MS)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Leave what is left without."""
        await lease.vanish()

    async def _gives_way(self, lease: Lease) -> bool:
        """Tell whether jobs use all slots, and it has not waited for too long."""
        now = await self.each.files.store.now()
        used = self.each.slots.free_for < FREE_SECONDS
        return used and now - lease.unit.created < PATIENCE_MS

    async def _draw(self, lease: Lease, found: Sequence[File | None]) -> None:
        files = [
            file
            for file in found
            if file is not None and file.thumbnail is None and not file.counted
        ]
        drawn: set[str] = set()
        for some in portions(files):
            try:
                drawn |= await self._together(some)
            except SlotFailure:
                drawn |= {file.id for file in some if await self._alone(file)}
        changes = [_change(file, drawn) for file in files]
        try:
            await lease.write(*changes)
        except ConditionFailed:
            for file, change in zip(files, changes, strict=True):
                await self._record(lease, file, change)

    async def _record(self, lease: Lease, file: File, change: Update) -> None:
        try:
            await lease.write(change)
        except ConditionFailed:  # it was purged meanwhile
            await self.each.blobs.delete(f"thumbnails/{file.id}")

    async def _alone(self, file: File) -> bool:
        try:
            return bool(await self.each.draw(file))
        except SlotFailure:
            return False

    async def _together(self, files: Sequence[File]) -> set[str]:
        """Draw files in one call of a slot; return the ids of those that have a thumbnail now."""
        each, made = self.each, {}
        async with AsyncExitStack() as stack:
            slot = await stack.enter_async_context(each.slots.acquire(aside=True))
            opening = opened_all(each.blobs, [file.blob for file in files], each.scratch)
            descriptors = await stack.enter_async_context(opening)
            items = tuple(map(call_item, range(len(files)), files, descriptors))
            async for event in slot.run(Call((("thumbnail", {}),), items)):
                if isinstance(event, Succeeded) and event.outcome.files:
                    made[files[event.index].id] = event.outcome.files[0].path
            blobs = [(f"thumbnails/{file}", path) for file, path in made.items()]
            await adopt_together(each.blobs, blobs)
        return set(made)


def portions(files: Sequence[File]) -> Iterator[list[File]]:
    """Divide files so that each part has `TOGETHER_BYTES` at most, or one file."""
    some: list[File] = []
    for file in files:
        if some and sum(one.size for one in some) + file.size > TOGETHER_BYTES:
            yield some
            some = []
        some.append(file)
    if some:
        yield some


def _change(file: File, drawn: AbstractSet[str]) -> Update:
    blob = f"thumbnails/{file.id}" if file.id in drawn else ""
    return Update(File, (file.id,), set={"thumbnail": blob}, when=(Equals("counted", None),))


def _end(task: ProjectTask) -> int:
    """Return the place up to which files are there; what failed may have gone on a little."""
    return task.done + (TOGETHER if task.state.terminal else 0)
