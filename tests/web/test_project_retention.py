"""How long a project keeps its files, as it looks outside: set, tried, shown, and carried out."""

import pytest

from mediamill.app import App
from mediamill.core.clock import DAY, HOUR, rfc3339
from mediamill.core.retention import Retention, read_retention
from mediamill.core.settings import Settings
from mediamill.handlers.removing.purge_project import PurgeProject
from mediamill.handlers.removing.retain import Retain
from mediamill.services.audit.search import Wanted
from mediamill.store.port import Put, Update
from mediamill.store.repositories.datasets import ProjectShare, VersionFile
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job, JobState
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.projects import AGING, Project, ProjectFile, member
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile
from mediamill.store.repositories.retention import Sweeps
from mediamill.web.app import create_app
from tests.support.ageing import age, sweep
from tests.support.places import EACH_STORE
from tests.web.test_files import person
from tests.web.test_retention import send


@pytest.fixture
async def mill(tmp_path):
    async with await App.open(Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)) as app:
        yield app


@pytest.fixture
async def ann(mill):
    async with person(mill, create_app(mill), "ann") as found:
        yield found


@pytest.fixture
async def bob(mill):
    async with person(mill, create_app(mill), "bob") as found:
        yield found


async def made(person, name: str, *files: str, keep=None) -> str:
    """Make a project with some files and a rule."""
    project = (await person.client.post("/v1/projects", json={"name": name})).json()["id"]
    if files:
        await person.client.post(f"/v1/projects/{project}/files", json={"files": files})
    if keep is not None:
        await kept(person, project, keep)
    return project


async def kept(person, project: str, keep) -> dict:
    answer = await person.client.patch(f"/v1/projects/{project}", json={"keep_days": keep})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def joined(mill, project: str, *files: str, days: float) -> None:
    """Have files join a project some days before they did."""
    for file in files:
        row = await mill.store.get(ProjectFile, project, file)
        earlier = {"added": row.added - int(days * DAY)}
        await mill.store.transact(Update(ProjectFile, row.key_values(), set=earlier))


async def said(mill, project: str, *, hours: float) -> None:
    """Have a project's rules replaced some hours before they were."""
    row = await mill.store.get(Project, project)
    former = {rule: at - int(hours * HOUR) for rule, at in row.former.items()}
    await mill.store.transact(Update(Project, (project,), set={"former": former}))


async def expires(person, file: str) -> str | None:
    return (await person.client.get(f"/v1/files/{file}")).json()["expires_at"]


async def there(mill, *files: str) -> list[bool]:
    """Tell of each file whether retention has left it."""
    rows = await mill.repositories.files.get_many(files)
    return [row is not None and row.expired is None for row in rows]


@pytest.mark.places(*EACH_STORE)
async def test_a_rule_takes_earlier_and_keeps_longer_than_the_installation(mill, ann):
    """The installation keeps what the stream brings for 7 days, uploads for ever."""
    week, ever, plain, both = [await send(ann, f"{n}.png", n) for n in range(4)]
    await age(mill, ever, plain, both, days=9)
    short = await made(ann, "short", week, both, keep=3)
    long = await made(ann, "long", ever, both, keep="none")
    await joined(mill, short, week, both, days=4)
    row = await mill.store.get(ProjectFile, short, week)
    assert await expires(ann, ever) is None
    assert await expires(ann, plain) is not None
    assert await expires(ann, week) is None  # for a day, what the installation said holds too
    page = (await ann.client.get("/v1/files")).json()["data"]
    assert {one["id"]: bool(one["expires_at"]) for one in page}[plain] is True
    await mill.engine()
    (unit,) = await mill.repositories.units.of_group("lineage")
    await mill.store.transact(Update(type(unit), unit.key_values(), set={"state": "done"}))
    assert (await mill.kept.early()).files == 0
    assert await sweep(mill) == 1
    assert await there(mill, week, ever, plain, both) == [True, True, False, True]
    await said(mill, short, hours=25)
    assert await expires(ann, week) == rfc3339(row.added + 3 * DAY)
    listed = (await ann.client.get(f"/v1/projects/{short}/files")).json()["data"]
    assert {one["id"]: one["expires_at"] for one in listed} == {
        week: rfc3339(row.added + 3 * DAY), both: None,
    }  # fmt: skip
    assert (await mill.kept.early()).files == 1
    assert await sweep(mill) == 1
    assert await there(mill, week, ever, both) == [False, True, True]
    assert (await mill.kept.early()).files == 0
    (stream, *_) = await mill.kept.states()
    assert (stream.due.files, (await mill.kept.overdue())[0].files) == (1, 1)  # hidden, not gone
    answer = await ann.client.delete(f"/v1/projects/{long}/files/{ever}")
    assert answer.status_code == 204
    assert await sweep(mill) == 0  # it stays for a day
    kept_until = (await mill.store.get(File, ever)).kept
    assert await expires(ann, ever) == rfc3339(kept_until)
    await mill.store.transact(Update(File, (ever,), set={"kept": kept_until - 25 * HOUR}))
    assert await sweep(mill) == 1
    assert await there(mill, ever, both) == [False, True]


async def test_a_shorter_rule_waits_for_a_day_and_is_undone_by_setting_it_back(mill, ann):
    file = await send(ann, "one.png", 1)
    await age(mill, file, days=9)
    project = await made(ann, "p", file, keep="none")
    await joined(mill, project, file, days=8)
    await said(mill, project, hours=25)
    now = await mill.store.now()
    changed = await kept(ann, project, 7)
    assert (changed["keep_days"], await expires(ann, file)) == (7, None)
    assert changed["keep_days_alone_at"] >= rfc3339(now + DAY)
    assert await sweep(mill) == 0
    back = await kept(ann, project, "none")
    assert back["keep_days"] == "none"
    await said(mill, project, hours=25)
    assert await sweep(mill) == 0
    await kept(ann, project, 7)
    await said(mill, project, hours=23)
    again = await kept(ann, project, 7)  # said twice is said once
    assert again["revision"] == (await kept(ann, project, 7))["revision"]
    assert await sweep(mill) == 0
    await said(mill, project, hours=2)
    assert await sweep(mill) == 1
    acts = await mill.audit.look(Wanted(about=project), None, 100)
    told = [act.details for act in acts.rows if act.action == "project_retention_changed"]
    assert [(one["before"], one["rule"]) for one in told] == [
        ("none", "7d"), ("7d", "none"), ("none", "7d"), ("installation", "none"),
    ]  # fmt: skip


async def test_only_its_owner_says_and_only_what_may_be_said(mill, ann, bob):
    project = await made(ann, "p", await send(ann, "one.png", 1))
    share = ProjectShare(user=bob.id, project=project, role="editor", created=1)
    await mill.store.transact(Put(share))
    here = f"/v1/projects/{project}"
    assert (await bob.client.patch(here, json={"keep_days": 7})).status_code == 403
    assert (await bob.client.get(f"{here}/retention?keep_days=7")).status_code == 403
    for wrong in (0, -1, 36_501, "7", "ever", 1.5, True):
        answer = await ann.client.patch(here, json={"keep_days": wrong})
        assert answer.status_code == 422, wrong
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["message"][:9]) == ("keep_days", "Say days,")
    for wrong in ("0", "-1", "7d", "ever", "123456"):
        answer = await ann.client.get(f"{here}/retention?keep_days={wrong}")
        assert answer.status_code == 422, wrong
    assert (await ann.client.get(here)).json()["keep_days"] == "installation"
    renamed = (await ann.client.patch(here, json={"name": "q", "keep_days": 9})).json()
    assert (renamed["name"], renamed["keep_days"]) == ("q", 9)
    assert (await ann.client.patch(here, json={"name": "r"})).json()["keep_days"] == 9
    for wrong in ({"name": " "}, {"settings": {"steps": [{"operation": "no-such"}]}}):
        answer = await ann.client.patch(here, json={"keep_days": 1, **wrong})
        assert answer.status_code in (404, 422)
    left = (await ann.client.patch(here, json={"description": "d", "keep_days": None})).json()
    assert (left["description"], left["keep_days"]) == ("d", 9)
    assert (await bob.client.patch(here, json={"name": "his", "keep_days": 7})).status_code == 403
    assert (await ann.client.get(here)).json()["name"] == "r"
    assert (await kept(ann, project, "installation"))["keep_days"] == "installation"
    for n in range(23):
        await kept(ann, project, 10 + n)
    answer = await ann.client.patch(here, json={"keep_days": 99})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_what_somebody_else_added_goes_by_the_installations_rules(mill, ann, bob):
    project = await made(ann, "p", keep=1)
    await said(mill, project, hours=25)
    share = ProjectShare(user=bob.id, project=project, role="editor", created=1)
    await mill.store.transact(Put(share))
    file = await send(bob, "his.png", 1)
    await bob.client.post(f"/v1/projects/{project}/files", json={"files": [file]})
    await age(mill, file, days=3)
    await joined(mill, project, file, days=3)
    created = (await mill.store.get(File, file)).created
    assert await expires(bob, file) == rfc3339(created + 7 * DAY)
    assert await sweep(mill) == 0


async def test_a_rule_is_tried_before_it_is_set(mill, ann):
    """What goes when, with what was made of it, and what decides."""
    names = ("old", "new", "held", "late")
    files = dict(zip(names, [await send(ann, f"{n}.png", n) for n in range(4)], strict=True))
    await age(mill, *files.values(), days=0)
    project = await made(ann, "p", *files.values())
    await made(ann, "other", files["held"], keep="none")
    await joined(mill, project, files["old"], days=12)
    await joined(mill, project, files["new"], days=2)
    made_of = ResultFile(
        name="r", media_type="image/png", size=5, sha256="", crc32=0, blob="results/r"
    )
    job = Job(id="job_X", owner=ann.id, steps=(), klass="bulk", created=0, state=JobState.SUCCEEDED)
    row = Result(
        job=job.id, stage=0, item=0, generation=1, outcome=ItemOutcome.SUCCEEDED,
        input=files["old"], root=files["old"], name="r", files=(made_of, made_of), created=0,
    )  # fmt: skip
    frozen = VersionFile(
        version=f"versions/{project}/1", place=0, root=files["old"], blob="v", size=1, sha256=""
    )
    await mill.store.transact(Put(job), Put(row), Put(frozen))
    here = f"/v1/projects/{project}/retention"
    now = (await ann.client.get(here)).json()
    assert (now["keep_days"], now["alone_at"]) == ("installation", None)
    assert now["why"] == {"project": 0, "other": 1, "installation": 3}
    assert [one["files"] for one in now["goes"].values()] == [0, 0, 3, 0, 0]  # by the installation
    tried = (await ann.client.get(f"{here}?keep_days=10")).json()
    assert tried["why"] == {"project": 3, "other": 1, "installation": 0}
    size = (await ann.client.get(f"/v1/files/{files['old']}")).json()["size"]
    gone = {"files": 1, "bytes": size, "results": 2, "result_bytes": 10, "frozen": 1}
    assert tried["goes"]["day"] == gone  # what it said before holds for a day
    assert [one["files"] for one in tried["goes"].values()] == [0, 1, 0, 2, 0]
    assert (tried["kept"]["files"], tried["has_more"]) == (1, False)
    assert tried["alone_at"] > rfc3339(await mill.store.now())
    ever = (await ann.client.get(f"{here}?keep_days=none")).json()
    assert (ever["kept"]["files"], ever["why"]["project"]) == (4, 4)
    assert (await ann.client.get(f"{here}?keep_days=installation")).json() == now
    assert (await mill.store.get(Project, project)).keep == ""
    assert await sweep(mill) == 0


async def test_members_are_looked_at_some_at_a_time(mill, ann, monkeypatch):
    monkeypatch.setattr("mediamill.services.projects.keeping.LOOKED_AT", 2)
    files = [await send(ann, f"{n}.png", n) for n in range(3)]
    project, seen, after = await made(ann, "p", *files), [], ""
    while True:
        page = (await ann.client.get(f"/v1/projects/{project}/retention?keep_days=9{after}")).json()
        seen.append(page["goes"]["month"]["files"])
        if not page["has_more"]:
            break
        after = f"&after={page['after']}"
    assert seen == [2, 1]
    monkeypatch.setattr("mediamill.services.projects.keeping.LOOKED_AT", 200)
    one = ResultFile(name="r", media_type="image/png", size=1, sha256="", crc32=0, blob="r")
    for item, lineage in enumerate(({}, {"partners": [0]})):
        row = Result(
            job="job_X", stage=0, item=item, generation=1, outcome=ItemOutcome.SUCCEEDED,
            input=files[item], root=files[item], name="r", files=(one,), created=0, lineage=lineage,
        )  # fmt: skip
        await mill.store.transact(Put(row), Put(member(project, row.file_id(0), 0)))
    page = (await ann.client.get(f"/v1/projects/{project}/retention")).json()
    assert (page["results"], page["mixed"]) == (2, 1)


async def test_a_deleted_project_takes_nothing_and_what_it_kept_stays_for_a_day(mill, ann):
    early, late = [await send(ann, f"{n}.png", n) for n in range(2)]
    await age(mill, late, days=9)
    short, ever = await made(ann, "s", early, keep=1), await made(ann, "e", late, keep="none")
    await joined(mill, short, early, days=5)
    await said(mill, short, hours=25)
    for project in (short, ever):
        await ann.client.delete(f"/v1/projects/{project}?now=true")
    assert await sweep(mill) == 0
    nouns = mill.repositories
    purge = PurgeProject(mill.store, nouns.projects, nouns.jobs)
    (unit,) = await nouns.units.of_group(f"purge:{ever}")

    class Done:
        """A lease of the unit, whose writes are made at once."""

        def __init__(self):
            self.unit = unit

        async def write(self, *actions, payload=None):
            self.unit = self.unit.evolve(payload=payload or self.unit.payload)
            await mill.store.transact(*actions)

        vanish = write

    await purge.run(Done())
    assert await mill.store.get(Project, ever) is None
    assert (await mill.store.get(File, late)).kept > await mill.store.now() + 23 * HOUR
    assert await sweep(mill) == 0


async def test_a_project_that_is_brought_back_takes_nothing_for_a_day(mill, ann):
    file = await send(ann, "one.png", 1)
    await age(mill, file, days=0)
    project = await made(ann, "p", file, keep=1)
    await joined(mill, project, file, days=5)
    await said(mill, project, hours=25)
    await ann.client.delete(f"/v1/projects/{project}")
    assert await sweep(mill) == 0
    answer = await ann.client.post(f"/v1/projects/{project}/restore")
    assert answer.status_code == 200, answer.text
    assert await sweep(mill) == 0
    assert answer.json()["keep_days_alone_at"] >= rfc3339(await mill.store.now() + 23 * HOUR)
    await said(mill, project, hours=25)
    assert await sweep(mill) == 1


async def test_what_is_no_member_is_not_kept_by_leaving(mill, ann):
    """Else anybody could keep any file on, day by day."""
    inside, outside = [await send(ann, f"{n}.png", n) for n in range(2)]
    project = await made(ann, "p", inside, keep="none")
    for file in (inside, outside):
        await ann.client.delete(f"/v1/projects/{project}/files/{file}")
    rows = await mill.repositories.files.get_many([inside, outside])
    assert [row.kept is None for row in rows] == [False, True]


async def test_an_operator_bounds_what_projects_keep(mill, ann):
    """`project=8d`: a promise to others, which a project cannot break."""
    old, young = [await send(ann, f"{n}.png", n) for n in range(2)]
    await age(mill, old, days=8.5)
    await age(mill, young, days=7.5)
    await made(ann, "p", old, young, keep="none")
    rules = read_retention("stream=7d; project=8d")
    worker = Retain(mill.repositories.units, rules, mill.bell)
    assert await sweep(mill) == 0
    assert (await worker.sweep()).total() == 0  # for a day others may say something else
    assert await mill.kept.differing() == []
    assert (await worker.sweep(sure=True)).total() == 1
    assert await there(mill, old, young) == [False, True]
    assert await mill.kept.differing() == ["project=8d in force, project=none here"]


async def test_what_projects_keep_is_not_looked_at_each_time(mill, ann, monkeypatch):
    """All is looked at every hour; what came to be due since, each time."""
    files = [await send(ann, f"{n}.png", n) for n in range(3)]
    await age(mill, files[0], files[1], days=30)
    await age(mill, files[2], days=7.5)
    await made(ann, "p", files[0], keep="none")
    looks: list[int] = []
    real = Keeping.dues

    async def dues(self, rows, *more):
        looks.append(len(rows))
        return await real(self, rows, *more)

    monkeypatch.setattr(Keeping, "dues", dues)
    now = await mill.store.now()
    worker = Retain(mill.repositories.units, Retention({"stream": 7 * DAY}), mill.bell)
    await Sweeps(mill.store).note(AGING, now)
    assert (await worker.sweep(since=now)).total() == 1  # the last one
    assert sum(looks) == 1
    assert (await worker.sweep()).total() == 1
    assert await there(mill, *files) == [True, False, False]


async def test_a_store_whose_listings_lag_takes_nothing_before_they_show_all(mill, ann):
    """What was said in time is shown by then."""
    file = await send(ann, "one.png", 1)
    await age(mill, file, days=7.01)
    worker = Retain(mill.repositories.units, mill.retention, mill.bell)
    worker.keeping = type("Late", (Keeping,), {"behind": HOUR})(mill.store)
    assert (await worker.sweep()).total() == 0
    await age(mill, file, days=0.05)
    assert (await worker.sweep()).total() == 1
