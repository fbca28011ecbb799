"""When files go by the projects that they are in: the same on every store."""

import pytest
from tests.support.places import EACH_STORE

from mediamill.core.clock import DAY
from mediamill.core.retention import Retention
from mediamill.core.settings import Settings
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.port import Put, Update
from mediamill.store.repositories.files import File
from mediamill.store.repositories.keeping import Keeping, due_in
from mediamill.store.repositories.projects import AGING, Project, member
from mediamill.store.repositories.results import ItemOutcome, Result, ResultFile
from mediamill.store.repositories.retention import Origin

RULES = Retention({"upload": 90 * DAY})
HOUR = DAY // 24


def file(name: str, owner: str = "ann", created: int = 0, **fields) -> File:
    return File(
        id=f"file_{name}", owner=owner, name=name, media_type="image/png", size=1, sha256="",
        crc32=0, blob=name, created=created, **fields,
    )  # fmt: skip


def project(name: str, keep: str = "", owner: str = "ann", **fields) -> Project:
    ruled = bool(keep or fields.get("former"))
    return Project(
        id=f"proj_{name}", owner=owner, listed=owner, name=name, created=0, keep=keep,
        ruled=owner if ruled else None, aging=AGING if ruled else None, **fields,
    )  # fmt: skip


def made(root: str, files: int = 1) -> Result:
    one = ResultFile(name="r", media_type="image/png", size=1, sha256="", crc32=0, blob="r")
    return Result(
        job=f"job_{root}", stage=0, item=0, generation=1, outcome=ItemOutcome.SUCCEEDED,
        input=f"file_{root}", root=f"file_{root}", name="r", files=(one,) * files, created=0,
    )  # fmt: skip


async def exercised(store) -> None:
    """Ask of files in all kinds of projects when they go."""
    now = await store.now()
    kept = {
        "week": project("week", "7d"),
        "month": project("month", "30d"),
        "ever": project("ever", "none"),
        "plain": project("plain"),
        "bob": project("bob", "none", owner="bob"),
        "gone": project("gone", "7d", deleted=1),
        "shorter": project("shorter", "7d", former={"30d": now - HOUR}),
        "long since": project("long", "7d", former={"30d": now - DAY - HOUR}),
        "undone": project("undone", former={"7d": now - HOUR}),
    }
    await store.transact(*map(Put, kept.values()))
    joined = 10 * DAY
    cases = {  # in which projects a file is, and when it goes: days from when it joined, or came
        "alone": ([], 90 * DAY),
        "inweek": (["week"], joined + 7 * DAY),
        "inmonth": (["week", "month"], joined + 30 * DAY),
        "inever": (["week", "ever"], None),
        "inplain": (["week", "plain"], 90 * DAY),
        "inbobs": (["week", "bob"], 90 * DAY),
        "bobsonly": (["bob"], 90 * DAY),
        "ingone": (["gone"], 90 * DAY),
        "inshorter": (["shorter"], joined + 30 * DAY),
        "inlong": (["long since"], joined + 7 * DAY),
        "inundone": (["undone"], 90 * DAY),
    }
    files = {name: file(name) for name in cases}
    for name, (places, _) in cases.items():
        await store.transact(Put(files[name]))
        for place in places:
            await store.transact(Put(member(kept[place].id, files[name].id, joined)))
    keeping = Keeping(store)
    dues = await keeping.dues([*files.values()], RULES)
    assert {name: dues[files[name].id] for name in cases} == {n: d for n, (_, d) in cases.items()}
    by_results = [110 * DAY, None, 90 * DAY, 90 * DAY, None]
    assert await results_keep(store, keeping, kept) == by_results
    found = [one.id async for one in everybody(keeping)]
    assert sorted(found) == sorted(one.id for one in kept.values() if one.aging)
    early = [row.id async for some in keeping.early(kept["week"], RULES, now) for row, _ in some]
    assert early == ["file_inbobs", "file_inmonth", "file_inplain", "file_inweek"]
    for rule in ("ever", "gone"):
        assert [some async for some in keeping.early(kept[rule], RULES, now)] == []
    for one in kept.values():
        await keeping.forget(one)
    assert kept["undone"].id in [one.id async for one in everybody(keeping)]  # not for a day yet
    idle = Update(Project, (kept["undone"].id,), set={"former": {"7d": now - 2 * DAY}})
    await store.transact(idle)
    await keeping.forget(await keeping.projects.get(kept["undone"].id))
    assert kept["undone"].id not in [one.id async for one in everybody(keeping)]
    assert (await keeping.projects.get(kept["undone"].id)).former == {}


async def results_keep(store, keeping: Keeping, kept: dict[str, Project]) -> list[int | None]:
    """Return when files go whose results joined projects: they never go before their time."""
    roots = ["late", "last", "soon", "none", "left"]
    places = {"late": "month", "last": "ever", "soon": "week", "left": "ever"}
    files = [file(root) for root in roots[:-1]]
    left = Origin(id="file_left", owner="ann", source="upload", created=0)
    rows = {root: made(root, 2) for root in roots}
    await store.transact(*map(Put, [*files, left, *rows.values()]))
    for root, place in places.items():
        await store.transact(Put(member(kept[place].id, rows[root].file_id(1), 80 * DAY)))
    dues = await keeping.dues([*files, left], RULES)
    return [dues[f"file_{root}"] for root in roots]


async def everybody(keeping: Keeping):
    after = None
    while True:
        page = await keeping.ruled(after, 3)
        for one in page.rows:
            yield one
        if (after := page.after) is None:
            return


async def test_the_last_of_a_files_projects_says_when_it_goes():
    await exercised(MemoryStore())


@pytest.mark.places(*EACH_STORE)
async def test_the_same_on_every_store(tmp_path):
    store = await open_store(Settings(home=tmp_path / "home").store_url)
    try:
        await exercised(store)
    finally:
        await store.close()


def test_what_a_project_said_holds_for_a_day_beside_what_it_says():
    now, joined, base = 100 * DAY, 90 * DAY, 95 * DAY
    shorter = project("p", "7d", former={"none": now - HOUR, "": now - HOUR})
    assert due_in(shorter, joined, base, now) is None
    assert due_in(shorter, joined, base, now + DAY) == joined + 7 * DAY
    longer = project("p", "none", former={"7d": now - HOUR})
    assert due_in(longer, joined, base, now) is None


async def test_what_leaves_a_project_that_may_have_kept_it_stays_for_a_day():
    store = MemoryStore()
    rows = [file("a"), file("b"), file("c"), file("bobs", owner="bob"), file("d", expired=1)]
    origin = Origin(id="file_o", owner="ann", source="upload", created=0)
    await store.transact(*map(Put, [*rows, origin, made("c"), made("o")]))
    keeping = Keeping(store)
    left = ["file_a", "file_bobs", "file_d", "file_gone", "file_X-0-0-0"]
    left += [made("c").file_id(0), made("o").file_id(0)]

    async def leave(project: Project) -> list[bool]:
        await keeping.leaving(project, [member(project.id, one, 0) for one in left])
        later = await store.now() + DAY - HOUR
        known = [*rows, origin]
        found = [await store.get(type(row), row.id) for row in known]
        return [one.kept is not None and one.kept > later for one in found]

    assert await leave(project("plain")) == [False] * 6
    assert await leave(project("ever", "none")) == [True, False, True, False, False, True]
    found = [await store.get(File, row.id) for row in rows[:3]]
    dues = await keeping.dues(found, Retention({"upload": DAY}))
    assert dues == {"file_a": found[0].kept, "file_b": DAY, "file_c": found[2].kept}
    bounded = await keeping.dues(found, Retention({"upload": DAY, "project": 30 * DAY}))
    assert bounded == {"file_a": 30 * DAY, "file_b": DAY, "file_c": 30 * DAY}
    found = await store.get(Origin, "file_o")
    assert await keeping.dues([found], Retention({"upload": DAY})) == {"file_o": found.kept}


async def test_what_leaves_a_project_without_a_rule_stays_for_a_day_where_another_has_one():
    """What kept it was that the one without a rule said what the installation does."""
    store = MemoryStore()
    month, plain = project("month", "30d"), project("plain")
    bobs = project("bobs", "none", owner="bob")
    rows = [file(name) for name in ("both", "plain", "bobs")]
    await store.transact(*map(Put, [month, plain, bobs, *rows, member(month.id, "file_both", 0)]))
    await store.transact(Put(member(month.id, "file_bobs", 0)))
    keeping = Keeping(store)
    await keeping.leaving(plain, [member(plain.id, f"file_{n}", 0) for n in ("both", "plain")])
    await keeping.leaving(bobs, [member(bobs.id, "file_bobs", 0)])
    found = [await store.get(File, row.id) for row in rows]
    assert [one.kept is not None for one in found] == [True, False, True]


async def test_what_is_removed_with_a_job_or_a_file_leaves_its_projects():
    """The file that a project kept by a result alone stays for a day."""
    store = MemoryStore()
    ever, one = project("ever", "none", files=2), made("a")
    rows = [one, member(ever.id, one.file_id(0), 0), member(ever.id, "file_b", 0)]
    await store.transact(*map(Put, [ever, file("a"), file("b", counted=1), *rows]))
    keeping = Keeping(store)
    await keeping.forget_job(rows[1].job)
    await keeping.forget_file("file_b")
    assert [(await store.get(File, name)).kept is None for name in ("file_a", "file_b")] == [
        False, False,
    ]  # fmt: skip
    assert (await keeping.projects.members(ever.id)).rows == ()
    assert (await keeping.projects.get(ever.id)).files == 0
