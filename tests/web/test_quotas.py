"""Quotas of files, jobs and items: taken once, given back, told before they are met."""

import asyncio

import pytest

from mediamill.app import App
from mediamill.core.clock import FixedClock
from mediamill.core.errors import QuotaExceeded, TooManyRequests
from mediamill.core.settings import Settings
from mediamill.handlers.files.count_files import CountFiles
from mediamill.handlers.removing.forget_rates import ForgetRates
from mediamill.services.quotas.rates import RateLimits, subject_of
from mediamill.store.port import Put, Update
from mediamill.store.repositories.allowances import Allowances, Limits
from mediamill.store.repositories.audit import Act
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.quota_notices import QuotaNotice
from mediamill.store.repositories.rates import WINDOW, Rates, Window
from mediamill.store.repositories.spending import month_of
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.usage import MonthlyUsage, Usage
from mediamill.store.repositories.users import Role, User
from mediamill.web.app import create_app
from tests.faults import charges
from tests.faults.tables import table
from tests.support.chains import CHAINED
from tests.support.places import everywhere
from tests.support.quotas import limit
from tests.support.serving import working
from tests.web.test_files import person
from tests.web.test_uploading import PNG


@pytest.fixture
async def mill(tmp_path):
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0, poll_seconds=0.1)
    async with await App.open(settings, CHAINED) as app:
        yield app


@pytest.fixture
async def ann(mill):
    async with person(mill, create_app(mill), "ann") as found:
        yield found


@pytest.fixture
async def admin(mill):
    async with person(mill, create_app(mill), "root") as found:
        await mill.store.transact(Update(User, (found.id,), set={"role": Role.ADMIN}))
        yield found


async def send(ann, data: bytes = PNG, name: str = "a.png"):
    return await ann.client.post(f"/v1/files?name={name}", content=data)


async def submit(ann, files, operation: str = "copied", **query):
    steps = [{"operation": operation, "parameters": {}}]
    body = {"files": files, "steps": steps, "reuse": False}
    return await ann.client.post("/v1/jobs", json=body, params=query)


async def quotas(ann) -> dict[str, dict]:
    told = (await ann.client.get("/v1/usage")).json()["quotas"]
    return {one["quota"]: one for one in told}


async def used(ann, name: str) -> float:
    return (await quotas(ann))[name]["used"]


async def until(ann, **wanted: float) -> None:
    """Wait until so much is used."""
    async with asyncio.timeout(60):
        while any([await used(ann, name) != count for name, count in wanted.items()]):
            await asyncio.sleep(0.05)


async def cancel(mill, ann, *jobs: str) -> None:
    """Cancel jobs that nobody works on yet, so that none of their items runs."""
    later = await mill.store.now() + 3_600_000
    units = [unit for unit in table(mill, Unit) if unit.group in jobs]
    await mill.store.transact(*(Update(Unit, (u.group, u.seq), set={"due": later}) for u in units))
    for job in jobs:
        assert (await ann.client.post(f"/v1/jobs/{job}/cancel")).is_success


@everywhere
async def test_fifty_at_once_into_room_for_one(mill, ann):
    """S18, of files and of jobs, over two servers of one installation."""
    file = (await send(ann)).json()["id"]
    limit(mill, files=2, jobs=1)
    async with await App.open(mill.settings, CHAINED) as other:
        limit(other, files=2, jobs=1)
        async with person(other, create_app(other), "bob") as there:
            there.client.headers["authorization"] = ann.client.headers["authorization"]
            both = [ann, there]
            sent = await asyncio.gather(*(send(both[n % 2], name=f"{n}.png") for n in range(50)))
            begun = await asyncio.gather(*(submit(both[n % 2], [file]) for n in range(50)))
    assert sorted(answer.status_code for answer in sent) == [201] + [429] * 49
    assert sorted(answer.status_code for answer in begun) == [202] + [429] * 49
    told = next(answer.json() for answer in sent if answer.status_code == 429)
    assert told["details"] == {"quota": "files", "used": 2, "limit": 2, "needed": 1}
    told = next(answer.json() for answer in begun if answer.status_code == 429)
    assert told["details"] == {"quota": "jobs", "used": 1, "limit": 1, "needed": 1}
    assert await used(ann, "jobs") == 1 == len(table(mill, Job))
    assert charges.usage(mill) == []


@everywhere
async def test_the_numbers_are_what_the_rows_say_whatever_becomes_of_them(mill, ann):
    files = [(await send(ann, name=f"{n}.png")).json()["id"] for n in range(3)]
    assert await used(ann, "files") == 3
    first = (await submit(ann, files)).json()["id"]
    cancelled = (await submit(ann, files)).json()["id"]
    assert (await used(ann, "jobs"), await used(ann, "items")) == (2, 6)
    assert charges.usage(mill) == []
    await cancel(mill, ann, cancelled)
    async with working(mill):
        await until(ann, jobs=0)
        assert (await mill.store.get(Job, first)).state == "succeeded"
        assert await used(ann, "items") == 3  # what was cancelled was not run
        assert charges.usage(mill) == []
        await ann.client.post(f"/v1/jobs/{cancelled}/retry")
        await until(ann, jobs=0, items=6)
        await ann.client.delete(f"/v1/files/{files[0]}", params={"now": "true"})
        await until(ann, files=2)
        await ann.client.delete(f"/v1/jobs/{first}", params={"now": "true"})
        async with asyncio.timeout(60):
            while await mill.store.get(Job, first):
                await asyncio.sleep(0.05)
    assert await used(ann, "items") == 6  # they were run
    assert charges.usage(mill) == []


async def test_an_outcome_taken_over_is_no_item(mill, ann):
    file = (await send(ann)).json()["id"]
    steps = [{"operation": "copied", "parameters": {}}]
    async with working(mill):
        for _ in range(2):
            made = await ann.client.post("/v1/jobs", json={"files": [file], "steps": steps})
            await ann.client.get(f"/v1/jobs/{made.json()['id']}?wait=20")
            await until(ann, jobs=0)
    assert await used(ann, "items") == 1
    assert charges.usage(mill) == []


async def test_items_of_a_month_are_taken_before_they_are_run(mill, ann):
    files = [(await send(ann, name=f"{n}.png")).json()["id"] for n in range(3)]
    limit(mill, items=5)
    assert (await submit(ann, files)).status_code == 202
    refused = await submit(ann, files)
    told = refused.json()
    assert (refused.status_code, told["details"]["used"], told["details"]["needed"]) == (429, 3, 3)
    assert told["details"]["resets_at"] == (await quotas(ann))["items"]["resets_at"]
    assert 0 < int(refused.headers["retry-after"]) <= 31 * 24 * 3600
    foretold = (await submit(ann, files, dry_run="true")).json()["exceeded"]
    assert [(one["quota"], one["used"], one["needed"]) for one in foretold] == [("items", 3, 3)]
    assert (await submit(ann, files[:2], dry_run="true")).json()["exceeded"] == []
    assert (await submit(ann, files[:2])).status_code == 202
    assert charges.usage(mill) == []


async def test_inputs_listed_in_the_background_are_refused_there(mill, ann):
    made = (await ann.client.post("/v1/projects", json={"name": "p"})).json()["id"]
    files = [(await send(ann, name=f"{n}.png")).json()["id"] for n in range(3)]
    await ann.client.post(f"/v1/projects/{made}/files", json={"files": files})
    limit(mill, items=2)
    steps = [{"operation": "copied", "parameters": {}}]
    job = (await ann.client.post("/v1/jobs", json={"project": made, "steps": steps})).json()["id"]
    async with working(mill):
        ended = (await ann.client.get(f"/v1/jobs/{job}?wait=20")).json()
        assert ended["state"] == "failed"
        assert "This runs 3 items, and 0 of this month’s 2 are taken" in ended["error"]
        assert (await used(ann, "jobs"), await used(ann, "items")) == (0, 0)
        limit(mill)
        await ann.client.post(f"/v1/jobs/{job}/retry")
        ended = (await ann.client.get(f"/v1/jobs/{job}?wait=20")).json()
        assert ended["state"] == "succeeded"
    assert await used(ann, "items") == 3
    assert charges.usage(mill) == []


async def test_a_later_stage_takes_its_items_when_it_begins(mill, ann):
    file = (await send(ann)).json()["id"]
    limit(mill, items=2)
    steps = [{"operation": "level", "parameters": {}}]  # measured, reduced, then run
    job = (await ann.client.post("/v1/jobs", json={"files": [file], "steps": steps})).json()["id"]
    async with working(mill):
        ended = (await ann.client.get(f"/v1/jobs/{job}?wait=20")).json()
        assert ended["state"] == "failed"
        assert "next stage could not begin" in ended["error"]
        assert await used(ann, "items") == 2
        limit(mill, items=3)
        await ann.client.post(f"/v1/jobs/{job}/retry")
        ended = (await ann.client.get(f"/v1/jobs/{job}?wait=20")).json()
        assert ended["state"] == "succeeded"
    assert await used(ann, "items") == 3
    assert charges.usage(mill) == []


async def test_files_of_earlier_versions_are_counted_once(mill, ann):
    files = [(await send(ann, name=f"{n}.png")).json()["id"] for n in range(4)]
    for file in files[:3]:
        await mill.store.transact(Update(File, (file,), set={"metered": False}))
    await mill.store.transact(Update(Usage, (ann.id,), set={"files": 1}))
    await mill.store.transact(Update(File, (files[0],), set={"counted": 1}))  # it is going
    rows = table(mill, File)
    for _ in range(2):
        await CountFiles(mill.store).count(rows)
        rows = table(mill, File)
    assert await used(ann, "files") == 3
    assert charges.usage(mill) == []
    async with working(mill):
        await until(ann, files=3)


async def test_a_job_that_an_earlier_version_ended_counts_once(mill, ann):
    """It counted none: what is retried or purged is taken out of what is counted first."""
    file = (await send(ann)).json()["id"]
    retried, purged = [(await submit(ann, [file])).json()["id"] for _ in range(2)]
    await cancel(mill, ann, retried, purged)
    async with working(mill):
        await until(ann, jobs=0, items=0)
        month = (await mill.store.get(Job, purged)).month
        left = {"counted": True, "reserved": 1, "metered": {month: 1}}
        await mill.store.transact(
            *(Update(Job, (job,), set=left) for job in (retried, purged)),
            Update(Usage, (ann.id,), add={"jobs": 2}),
            Update(MonthlyUsage, (ann.id, month), add={"items": 2}),
        )
        await ann.client.delete(f"/v1/jobs/{purged}", params={"now": "true"})
        assert (await ann.client.post(f"/v1/jobs/{retried}/retry")).is_success
        await until(ann, jobs=0, items=1)
    assert charges.usage(mill) == []


async def test_an_unguarded_count_is_noticed(mill, ann, monkeypatch):
    """The planted fault: looking first and counting later lets several in."""

    async def open_job(owner: str, month: str, items: int):
        used = await mill.repositories.usages.get(owner)
        if used.jobs >= 1:
            await mill.repositories.usages.refuse(owner, 1, "jobs")
        return (Update(Usage, (owner,), add={"jobs": 1}),)

    file = (await send(ann)).json()["id"]
    limit(mill, jobs=1)
    monkeypatch.setattr(mill.repositories.usages, "open_job", open_job)
    answers = await asyncio.gather(*(submit(ann, [file]) for _ in range(5)))
    assert [a.status_code for a in answers].count(202) > 1
    assert charges.usage(mill) != []


async def test_an_administrator_gives_a_user_other_limits(mill, ann, admin):
    here = f"/v1/admin/users/{ann.id}/quota"
    assert (await ann.client.get(here)).status_code == 403
    limit(mill, files=1, jobs=7)
    await send(ann)
    assert (await send(ann)).status_code == 429
    given = (await admin.client.put(here, json={"files": 2, "jobs": 0})).json()
    assert given["own"] == {"bytes": None, "files": 2, "jobs": 0, "items": None, "requests": None}
    assert (given["limits"]["files"], given["limits"]["jobs"]) == (2, None)
    assert given["used"]["files"] == 1
    assert (await send(ann)).status_code == 201
    assert (await quotas(ann))["files"]["limit"] == 2
    assert (await admin.client.get(here)).json()["used"]["files"] == 2
    assert (await admin.client.put(here, json={"bytes": -1})).status_code == 422
    assert (await admin.client.delete(here)).json()["limits"]["files"] == 1
    nobody = "user_00000000000000000000000000"
    assert (await admin.client.get(f"/v1/admin/users/{nobody}/quota")).status_code == 404
    acts = [act.action for act in table(mill, Act) if act.about == ann.id]
    assert acts.count("quota_changed") == acts.count("quota_reset") == 1


async def test_limited_answers_say_where_one_stands(mill, ann):
    assert "ratelimit" not in (await ann.client.get("/v1/usage")).headers
    limit(mill, requests=2)
    clock = mill.rates._clock = FixedClock(28_000_000 * WINDOW - 17_000)
    answers = [await ann.client.get("/v1/me") for _ in range(3)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=2;w=60'}
    told = [answer.headers["ratelimit"] for answer in answers]
    assert told == [f'"requests";r={left};t=17' for left in (1, 0, 0)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert answers[2].headers["retry-after"] == "17"
    clock.advance(17_000)
    assert (await ann.client.get("/v1/me")).headers["ratelimit"] == '"requests";r=1;t=60'
    key = {"idempotency-key": "one"}
    keyed = await ann.client.post("/v1/tokens", json={"name": "x"}, headers=key)
    assert keyed.headers["ratelimit"] == '"requests";r=0;t=60', "it is counted once"
    for path in ("/health/live", "/static/api.js"):
        answer = await ann.client.get(path)
        assert (answer.status_code, answer.headers.get("ratelimit")) == (200, None)


NOWHERE = [("GET", "/v1/nothing"), ("PUT", "/v1/me"), ("GET", "/nothing")]


async def test_whoever_is_not_known_is_counted_by_address(mill, ann):
    open_, wrong = await ann.client.get("/v1/operations"), {"authorization": "Bearer nobody"}
    assert open_.headers["ratelimit"].startswith('"nobody";r=5999;')
    asked = await ann.client.get("/v1/me", headers=wrong)
    assert asked.status_code == 401
    assert asked.headers["ratelimit-policy"] == '"nobody";q=6000;w=60'
    mill.rates._nobody, mill.rates._clock = 2, FixedClock(40_000_000 * WINDOW)
    told = [await ann.client.request(method, path) for method, path in NOWHERE]
    assert [answer.status_code for answer in told] == [404, 405, 429]
    assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in told] == [
        '"nobody";r=1', '"nobody";r=0', '"nobody";r=0',
    ]  # fmt: skip
    assert int(told[2].headers["retry-after"]) > 0


def test_the_month_of_a_job_is_the_last_that_counts():
    job = Job(id="job_1", owner="ann", steps=(), klass="bulk", created=0)
    assert job.month == month_of(0)
    again = job.evolve(metered=job.metering(3, "2026-11")).metering(2, "2026-12")
    assert again == {"2026-11": 3, "2026-12": 2}
    assert job.evolve(metered=again).month == "2026-12"
    assert MonthlyUsage(owner="ann", month="2026-12").items == 0


async def test_a_mail_says_once_that_most_is_used(mill, ann):
    limit(mill, bytes=100_000, files=4)
    await send(ann, b"x" * 70_000, "a.txt")
    assert table(mill, QuotaNotice) == []
    await send(ann, b"x" * 12_000, "b.txt")
    await send(ann, b"x" * 1_000, "c.txt")
    (notice,) = table(mill, QuotaNotice)
    assert (notice.owner, notice.quota, notice.percent) == (ann.id, "bytes", 80)
    await send(ann, b"x", "d.txt")
    told = {(one.quota, one.percent) for one in table(mill, QuotaNotice)}
    assert told == {("bytes", 80), ("files", 100)}
    async with working(mill), asyncio.timeout(60):
        while not (mails := [*(mill.settings.home / "outbox").glob("*.bytes-*.eml")]):
            await asyncio.sleep(0.05)
    (mail,) = mails
    assert "82 % is used" in mail.read_text()


async def test_a_stage_counts_in_the_month_in_which_it_begins(mill, ann):
    """The job was accepted, and its first stage counted, in a month that is full by now."""
    file = (await send(ann)).json()["id"]
    limit(mill, items=2)
    steps = [{"operation": "level", "parameters": {}}]  # of three stages
    job = (await ann.client.post("/v1/jobs", json={"files": [file], "steps": steps})).json()["id"]
    then, now = "2020-02", month_of(await mill.store.now())
    await mill.store.transact(
        Update(Job, (job,), set={"metered": {then: 1}}),
        Put(MonthlyUsage(owner=ann.id, month=then, items=2)),
        Update(MonthlyUsage, (ann.id, now), add={"items": -1}),
    )
    async with working(mill):
        ended = (await ann.client.get(f"/v1/jobs/{job}?wait=20")).json()
    assert ended["state"] == "succeeded", ended["error"]
    row = await mill.store.get(Job, job)
    assert (row.metered, row.reserved) == ({then: 1, now: 2}, 0)
    assert await used(ann, "items") == 2
    assert charges.usage(mill) == []
    usages = mill.repositories.usages
    more = await usages.reserve(ann.id, then, 1)
    with pytest.raises(QuotaExceeded, match="2 of this month’s 2") as refused:
        async with usages.refusing(ann.id, more):
            await mill.store.transact(*more)
    assert refused.value.details["resets_at"] == "2020-03-01T00:00:00.000Z"


@everywhere
async def test_a_minute_is_shared_by_two_servers(mill, ann):
    clock = FixedClock(28_000_000 * WINDOW)
    allowances = Allowances(mill.store, Limits(requests=20))

    async def let_in(server: RateLimits) -> int:
        try:
            await server.request(ann.id)
        except TooManyRequests:
            return 0
        return 1

    async with await App.open(mill.settings, CHAINED) as other:
        both = [RateLimits(Rates(app.store), allowances, clock) for app in (mill, other)]
        assert sum(await asyncio.gather(*(let_in(both[n % 2]) for n in range(60)))) == 20
        clock.advance(WINDOW)
        assert await let_in(both[0]) == 1
    rates, subject = Rates(mill.store), subject_of("requests", ann.id)
    assert await rates.taken(subject, clock.now() // WINDOW) == 2
    assert await ForgetRates(rates).forget(clock.now() + 5 * WINDOW) == 1
    assert await mill.store.get(Window, subject) is None
