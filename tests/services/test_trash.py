"""Delete, bring back, purge: whatever comes between, nobody loses what they brought back.

The short form plays 200 interleavings, the soak 5,000 (about a minute).
"""

import asyncio
import random

import pytest

from mediamill.adapters.brokers.inprocess import InProcessDoorbell
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.access import Principal
from mediamill.core.clock import DAY, HOUR, FixedClock
from mediamill.core.errors import ConditionFailed, Conflict, NotFound
from mediamill.engine.announcing import Announcer
from mediamill.engine.lease import Lease, LeaseLost
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.removing.purge import PurgeFile
from mediamill.services.access import Access
from mediamill.services.files.labels import Labels
from mediamill.services.files.trash import Trash
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put, key_index
from mediamill.store.repositories.files import File, Files, FileState, FileTag, tag_key, tag_rows
from mediamill.store.repositories.jobs import Jobs
from mediamill.store.repositories.units import Units

ANN = Principal("user_ann")


class Restless(MemoryStore):
    """Lets others run at some of its calls."""

    def __init__(self, clock, dice):
        super().__init__(clock)
        self.dice = dice

    async def _rest(self):
        for _ in range(self.dice.randrange(4)):
            await asyncio.sleep(0)

    async def get(self, kind, *key):
        found = await super().get(kind, *key)
        await self._rest()
        return found

    async def now(self):
        found = await super().now()
        await self._rest()
        return found

    async def transact(self, *actions):
        await self._rest()
        await super().transact(*actions)
        await self._rest()


class Place:
    """A store with one file of Ann's, her trash, and a worker that purges."""

    def __init__(self, dice):
        self.clock = FixedClock()
        self.store = Restless(self.clock, dice)
        self.blobs = MemoryBlobs(clock=self.clock)
        self.units, self.jobs = Units(self.store), Jobs(self.store)
        self.files, access = Files(self.store), Access(self.store)
        bell, announcer = InProcessDoorbell(), Announcer(self.store)
        self.trash = Trash(self.store, access, self.files, self.units, bell, announcer)
        self.labels = Labels(self.store, access)
        self.scheduler = Scheduler(self.store, 30_000)
        self.purging = PurgeFile(self.store, self.files, self.jobs, self.blobs, announcer)

    async def add(self, name="a"):
        file = File(
            id=f"file_{name}", owner=ANN.user, listed=ANN.user, name=name, media_type="image/png",
            size=1, sha256="0" * 64, crc32=0, blob=f"files/file_{name}", created=1, tags=("x",),
            thumbnail=f"thumbnails/file_{name}",
        )  # fmt: skip
        await self.store.transact(Put(file), *(Put(row) for row in tag_rows(file)))
        for blob in (file.blob, file.thumbnail):
            await self.blobs.put(blob, b"x")
        return file.id

    async def purge(self):
        """Run one unit that is due; False when there is none."""
        await self.scheduler.tidy("housekeeping")
        unit = await self.scheduler.claim_next(("housekeeping",), "worker")
        if unit is None:
            return False
        lease = Lease(self.units, self.jobs, unit, 30_000)
        try:
            await self.purging.run(lease)
        except ConditionFailed:
            await lease.release(10, "again")
        except LeaseLost:
            pass
        return True

    async def settle(self):
        while await self.purge():
            pass

    async def bytes_left(self):
        return [blob.key async for blob in self.blobs.list("")]


async def test_a_day_to_undo_and_then_everything_goes():
    place = Place(random.Random(1))
    file = await place.add()
    await place.trash.delete(ANN, file)
    place.clock.advance(DAY - 1)
    await place.settle()
    assert (await place.trash.restore(ANN, file)).state is FileState.READY
    place.clock.advance(2 * DAY)
    await place.settle()
    assert (await place.files.get(file)).state is FileState.READY
    await place.trash.delete(ANN, file)
    place.clock.advance(DAY)
    with pytest.raises(Conflict, match="removed for good"):
        await place.trash.restore(ANN, file)
    await place.settle()
    with pytest.raises(NotFound):
        await place.trash.restore(ANN, file)
    assert await place.bytes_left() == []
    tags = await place.store.query(FileTag, key_index(FileTag), tag_key(ANN.user, "x"))
    assert tags.rows == ()
    assert place.store._tables["units"].rows == {}  # those that purged, and those that had not to


async def test_the_unit_of_an_earlier_deletion_removes_nothing():
    place = Place(random.Random(2))
    file = await place.add()
    await place.trash.delete(ANN, file)
    place.clock.advance(20 * HOUR)
    await place.trash.restore(ANN, file)
    await place.trash.delete(ANN, file)
    place.clock.advance(5 * HOUR)  # the first unit is due, the second is not
    await place.settle()
    assert (await place.trash.restore(ANN, file)).state is FileState.READY
    assert len(await place.bytes_left()) == 2


async def test_a_trash_of_many_is_emptied_in_steps():
    place = Place(random.Random(3))
    for number in range(1050):
        await place.trash.delete(ANN, await place.add(str(number)))
    place.store.dice = random.Random(0)
    assert await place.trash.empty(ANN) == (1000, True)
    assert await place.trash.empty(ANN) == (50, False)
    await place.settle()
    assert await place.bytes_left() == []


class History:
    """What happened to one file: it is deleted, brought back, renamed and purged at once."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.place = Place(self.dice)

    async def run(self):
        self.file = await self.place.add()
        await asyncio.gather(*(self._act() for _ in range(3)), self._work())
        await self._check()
        self.place.clock.advance(3 * DAY)
        await self.place.settle()
        await self._check()
        row = await self.place.files.get(self.file)
        assert row is None or row.state is FileState.READY
        if row is None:
            assert await self.place.bytes_left() == []

    async def _act(self):
        trash, labels = self.place.trash, self.place.labels
        for _ in range(self.dice.randrange(1, 4)):
            what = self.dice.randrange(8)
            try:
                if what < 3:
                    now = self.dice.randrange(6) == 0
                    await trash.delete(ANN, self.file, now=now)
                elif what < 6:
                    restored = await trash.restore(ANN, self.file)
                    assert restored.state is FileState.READY
                else:
                    await labels.edit(ANN, self.file, name=str(what), tags=[str(what)])
            except (NotFound, Conflict):
                pass
            if self.dice.randrange(2):
                self.place.clock.advance(self.dice.choice((0, 1, HOUR, 13 * HOUR, DAY)))
            await self._check()

    async def _work(self):
        for _ in range(12):
            await self.place.purge()
            await asyncio.sleep(0)

    async def _check(self):
        """A file that is ready, or can be brought back, has its bytes."""
        row = self.place.store._tables["files"].rows.get((self.file,))
        if row is None:
            return
        layout = self.place.store._tables["files"].layout
        file = layout.decode(row)
        if file.state is FileState.READY or file.trash is not None:
            held = self.place.blobs._objects
            assert file.blob in held
            assert file.thumbnail in held


async def test_brought_back_in_the_last_millisecond():
    """The purge begins while a restore is under way: one of them wins, whole."""
    won = set()
    for seed in range(200):
        place = Place(random.Random(seed))
        file = await place.add()
        await place.trash.delete(ANN, file)
        place.clock.advance(DAY - 1)

        async def later(place=place):
            for _ in range(place.store.dice.randrange(12)):
                await asyncio.sleep(0)
            place.clock.advance(1)
            await place.purge()

        restored, _ = await asyncio.gather(
            place.trash.restore(ANN, file), later(), return_exceptions=True
        )
        place.clock.advance(HOUR)
        await place.settle()
        kept = isinstance(restored, File)
        assert kept or isinstance(restored, Conflict | NotFound), restored
        assert len(await place.bytes_left()) == (2 if kept else 0)
        assert (await place.files.get(file) is not None) == kept
        won.add(kept)
    assert won == {True, False}


async def test_interleavings_of_delete_restore_and_purge():
    for seed in range(200):
        await History(seed).run()


@pytest.mark.soak
async def test_many_interleavings_of_delete_restore_and_purge():
    for seed in range(200, 5200):
        await History(seed).run()
