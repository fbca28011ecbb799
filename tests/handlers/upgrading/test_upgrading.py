"""What is done for rows of earlier versions: found by name, counted as what they are."""

import pytest

from mediamill.core.clock import DAY, HOUR, FixedClock, SystemClock
from mediamill.core.ids import new_id
from mediamill.engine.lease import Lease
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.upgrading import recount
from mediamill.handlers.upgrading.catch_up import CatchUp
from mediamill.handlers.upgrading.recount import Recount
from mediamill.services.accounts.sessions import Sessions
from mediamill.store.codec import layout_of
from mediamill.store.dynamodb.items import shape_of
from mediamill.store.dynamodb.store import DynamoStore
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.port import Put, Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.identities import Identity
from mediamill.store.repositories.jobs import Counts, Job, Jobs, JobState
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.usage import MonthlyUsage, Usage, Usages
from mediamill.store.repositories.users import Role, User, Users
from tests.support.places import Servers

MONTH = "2026-11"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def store(clock: FixedClock) -> MemoryStore:
    return MemoryStore(clock)


async def claimed(store: MemoryStore, kind: str) -> Lease:
    unit = await Scheduler(store, 30_000).claim_next(["housekeeping"], "a")
    assert unit is not None
    assert unit.kind == kind
    return Lease(Units(store), Jobs(store), unit, 30_000)


def user(id_: str, name: str, role: Role = Role.USER) -> User:
    """Make a user as an earlier version wrote it."""
    return User(id=id_, email=f"{name}@Example.org", name=name, role=role, created=0)


def job(id_: str, state: JobState, **fields) -> Job:
    shown = {"listed": "ann"} if "trash" not in fields else {"deleted": 5}
    more = {**shown, "finished": 5, **fields}
    return Job(id=id_, owner="ann", steps=(), klass="bulk", created=0, state=state, **more)


def file(id_: str, owner: str = "ann", metered: bool = True) -> File:
    return File(id=id_, owner=owner, name="a", media_type="x/y", size=1, sha256="", crc32=0,
                blob="b", created=1, metered=metered)  # fmt: skip


def counts(files: int, jobs: int, owner: str = "ann") -> Put:
    return Put(Usage(owner=owner, files=files, jobs=jobs))


async def test_users_of_an_earlier_version_are_found_whatever_their_letters(store, clock):
    users, units = Users(store), Units(store)
    old = [user("u1", "Émile"), user("u2", "STRASSE", Role.ADMIN), user("u3", "straße")]
    said = (("u2", old[1].email), ("u3", "other@example.org"))  # by issuers
    linked = [Identity(id=f"i_{who}", user=who, issuer="i", subject=who, email=email, created=0)
              for who, email in said]  # fmt: skip
    await store.transact(*map(Put, [*old, *linked]))
    assert (await users.roster("é", None, None, 10)).rows == ()
    await units.begin_once("catch_up", "system", 0)
    await CatchUp(store).run(await claimed(store, "catch_up"))
    assert [one.id for one in (await users.roster("ÉMI", None, None, 10)).rows] == ["u1"]
    assert {one.id for one in (await users.roster("Straße", None, None, 10)).rows} == {"u2", "u3"}

    assert {one.id for one in await store.get_many(User, [("u1",), ("u2",), ("u3",)])
            if one.verified} == {"u2"}  # fmt: skip

    await store.transact(Put(user("u4", "Zoë")))  # by a program of before, that was not stopped
    clock.advance(DAY)
    await CatchUp(store).run(await claimed(store, "catch_up"))
    assert [one.id for one in (await users.roster("zo", None, None, 10)).rows] == ["u4"]
    assert {unit.state for unit in await units.of_group("catch_up")} == {"done"}


async def test_what_an_earlier_version_wrote_to_dynamodb_is_listed(servers: Servers, monkeypatch):
    """It left out fields, and places in indexes, that it did not know."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    where = f"region=us-east-1&endpoint={servers.dynamodb}&lag=0"
    store = await open_store(f"dynamodb://{new_id('old')}?{where}")
    assert isinstance(store, DynamoStore)
    left = (
        (user("ann", "Émile"), ("epoch", "sought", "named", "_1p", "_1s", "_2p", "_2s")),
        (job("j1", JobState.FAILED), ("failing", "counted", "reserved", "metered", "_5p", "_5s")),
    )
    for row, attributes in left:
        item = shape_of(type(row)).item(layout_of(type(row)).encode(row))
        kept = {name: value for name, value in item.items() if name not in attributes}
        await store.wire.ask("put_item", TableName=store._table, Item=kept)
    users = Users(store)
    await CatchUp(store).user(await users.get("ann"))
    assert [one.id for one in (await users.roster("émile", None, None, 10)).rows] == ["ann"]
    assert [one.id for one in (await Jobs(store).last_failing(None, 10)).rows] == ["j1"]
    await Sessions(users, SystemClock()).end_all("ann")
    assert (await users.get("ann")).epoch == 1
    await store.close()


async def test_jobs_that_an_earlier_version_ended(store):
    """One of them while a newer one had counted it: it gives back what was not run."""
    left = {"counted": True, "metered": {MONTH: 5}, "reserved": 4}
    done = Counts(succeeded=2, failed=1, cancelled=1, reused=1)
    await store.transact(
        Put(user("ann", "ann")),
        Put(job("j1", JobState.FAILED)),
        Put(job("j2", JobState.PARTIAL, counts=done, **left)),
        Put(job("j3", JobState.CANCELLED, trash="ann", counted=True)),
        Put(job("j4", JobState.RUNNING, active="ann", finished=None, **left)),
        Put(MonthlyUsage(owner="ann", month=MONTH, items=10)),
        counts(files=0, jobs=3),
    )
    for _ in range(2):
        await CatchUp(store).user(await Users(store).get("ann"))
    used = await store.get(Usage, "ann"), await store.get(MonthlyUsage, "ann", MONTH)
    assert (used[0].jobs, used[1].items) == (1, 8)
    assert [one.id for one in (await Jobs(store).last_failing(None, 10)).rows] == ["j2", "j1"]
    ended = await store.get(Job, "j2")
    assert (ended.counted, ended.reserved, ended.metered) == (False, 0, {MONTH: 3})
    assert (await store.get(Job, "j4")).counted


async def test_what_is_counted_becomes_what_the_rows_say(store, clock):
    await store.transact(
        *(Put(user(name, name)) for name in ("ann", "bob", "eve")),
        *(Put(file(f"f{n}", metered=n > 0)) for n in range(3)),
        Put(file("f9", owner="bob")),
        Put(job("j1", JobState.RUNNING, active="ann", counted=True)),
        counts(files=7, jobs=5), counts(files=1, jobs=0, owner="bob"),
    )  # fmt: skip
    units = Units(store)
    await units.begin_once(recount.KIND, "system", 0)
    await Recount(store).run(await claimed(store, recount.KIND))
    ann, bob = await store.get_many(Usage, [("ann",), ("bob",)])
    assert (ann.files, ann.jobs, bob.files, bob.jobs, bob.turn) == (2, 1, 1, 0, 0)
    assert await store.get(Usage, "eve") is None
    assert (await units.get(recount.KIND, 0)).state == "done"


async def test_who_changes_meanwhile_is_counted_an_hour_later(store, clock):
    await store.transact(Put(user("ann", "ann")), Put(file("f1")), counts(files=7, jobs=0))

    class Meanwhile(Recount):
        async def _files(self):
            found = await super()._files()
            charge = await Usages(store).charge("ann", 1, 1)
            await store.transact(Put(file("f2")), *charge)  # behind what was summed
            gone = await Usages(store).charge("ann", -1, -1)
            await store.transact(Update(File, ("f1",), set={"metered": False}), *gone)
            return found

    await Units(store).begin_once(recount.KIND, "system", 0)
    await Meanwhile(store).run(await claimed(store, recount.KIND))
    assert (await store.get(Usage, "ann")).files == 7
    clock.advance(HOUR)
    await Recount(store).run(await claimed(store, recount.KIND))
    assert (await store.get(Usage, "ann")).files == 1
