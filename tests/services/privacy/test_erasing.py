"""After an erasure nothing of a user is in any table or blob, and nothing of others is gone."""

import asyncio
import hashlib
import re
from collections import Counter
from typing import Any

import pytest
from tests.faults import charges
from tests.handlers.conftest import ANN, BOB, Works, working
from tests.services.privacy.furnishing import ADDRESS, MARK, furnish, people, png, share
from tests.support.ageing import hurry, pace, records, settled, traces
from tests.support.places import everywhere

from mediamill.handlers.removing import erase
from mediamill.services.privacy import erasing as erasing_module
from mediamill.services.privacy.inventory import HOLDINGS, NOT_PERSONAL
from mediamill.services.privacy.nameless import ERASED, Nameless, pseudonym
from mediamill.store.port import Put
from mediamill.store.repositories.annotation_rows import FileAnnotations
from mediamill.store.repositories.audit import Act
from mediamill.store.repositories.daily import Daily
from mediamill.store.repositories.datasets import ProjectTask, TaskState
from mediamill.store.repositories.erasures import Erasure, ErasureState
from mediamill.store.repositories.files import FileState
from mediamill.store.repositories.users import FIRST_USER, Email
from mediamill.store.schema import all_kinds

NAMING = re.compile(r"(.+_)?(actor|by|guest|owner|scope|user)")
"""What fields are called whose value is, or may be, the id of a user."""
UNPLANTED = {
    ("erasures", "by"): "A word.",
    ("erasures", "user"): "Who is being erased; it is emptied at the end.",
    ("factors", "sealed_by"): "The id of a key.",
    ("providers", "sealed_by"): "The id of a key.",
    ("purses", "owner"): "The purge of its job waits until it is booked, and gone.",
    ("webhooks", "sealed_by"): "The id of a key.",
}
"""Those of which `furnishing` plants none, and why."""


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    hurry(monkeypatch)
    monkeypatch.setattr(erase, "LOOK_AGAIN_MS", 100)
    monkeypatch.setattr(erase, "SURE_MS", 0)


@pytest.fixture
async def works(tmp_path):
    async with working(tmp_path / "home") as found:
        yield found


def test_each_table_is_somebodys_or_has_a_reason_not_to_be():
    known = [one.kind.table for one in HOLDINGS] + [*NOT_PERSONAL]
    assert len({*known}) == len(known)
    assert {*known} == {kind.table for kind in all_kinds()}
    assert all(NOT_PERSONAL.values())


async def erased(works: Works, erasure: str, seconds: float = 120) -> Erasure:
    """Wait until an erasure is done."""
    async with asyncio.timeout(seconds):
        while True:
            row = await works.app.store.get(Erasure, erasure)
            if row is not None and row.state is ErasureState.DONE:
                return row
            await asyncio.sleep(pace())


def needles(made: dict[str, Any]) -> list[str]:
    """Return by what traces of Ann would be known: ids, address, words, digests of pixels."""
    names = ["job", "project", "template", "hook", "upload", "copied"]
    digests = [hashlib.sha256(png(n)).hexdigest() for n in range(4)]
    return [ANN.user, ADDRESS, MARK, *made["files"], *(made[name] for name in names), *digests]


@everywhere
async def test_nothing_is_left_of_a_user_and_all_of_others(works: Works):
    app = works.app
    made = await furnish(works)
    erasing = app.privacy.erasing
    counts = await erasing.count(ANN.user, ADDRESS)
    assert {*counts} == {one.kind.table for one in HOLDINGS if not one.untold}
    naming = {(kind.table, name) for kind in all_kinds() for name in kind.__struct_fields__
              if NAMING.fullmatch(name)}  # fmt: skip
    everything = await records(app)
    named = {(row.table, name) for row in everything for table, name in naming
             if row.table == table and getattr(row, name) == ANN.user}  # fmt: skip
    assert naming - named == {*UNPLANTED}, "plant it, so that it is seen to go"
    acts = [row for row in everything if row.table == "audit"]
    assert counts["audit"] == len([one for one in acts if ANN.user in (one.actor, one.about)])
    assert not [one for one in acts if ANN.user in repr(one.details)], "found by no index"
    wanted = needles(made)
    assert len(await traces(app, wanted)) > 100
    erasure = await app.privacy.closing.deletions.erase(ADDRESS, "operator", now=True)
    receipt = await erased(works, erasure.id)
    await settled(app)
    assert await traces(app, wanted) == []

    assert (receipt.user, receipt.counts) == (None, counts)
    assert (receipt.counts["files"], receipt.counts["jobs"]) == (3, 3)
    claim = await app.store.get(Email, FIRST_USER)
    assert claim is not None
    assert claim.user == BOB.user
    assert (await app.files.get(BOB, made["theirs"])).state is FileState.READY
    members = await app.projects.newest(BOB, made["bobs"], None, 10)
    assert [file.id for file in members.rows] == [made["theirs"]]
    job = await app.jobs.get(BOB, made["bobs_job"])
    assert (job.counts.succeeded, job.expired) == (2, 1)
    (drawn,) = await records(app, FileAnnotations)
    assert (drawn.file, drawn.user) == (made["theirs"], "")
    assert charges.usage(app) == []
    sums = Counter[tuple[str, str]]()
    for row in await records(app, Daily):
        sums[row.owner, row.day] += row.files
    assert sums["user_other", "2026-10-22"] == 1
    assert sums[ERASED, "2026-10-22"] == 3
    hers = sum(files for (owner, _), files in sums.items() if owner == ERASED)
    assert hers == 3 + 3 + 1, "planted, kept until now, purged before"
    name = pseudonym(erasure.id)
    acts = {(act.action, act.actor): act for act in await records(app, Act)}
    signed_in = acts["signed_in", name]
    assert (signed_in.about, signed_in.address, signed_in.agent) == (name, "", "")
    assert acts["role_changed", BOB.user].about == name
    assert acts["role_changed", BOB.user].address == "198.51.100.9"
    assert acts["project_shared", BOB.user].about == name
    assert acts["share_revoked", BOB.user].details.keys() == {"project"}
    assert acts["denied", BOB.user].about is None


@pytest.mark.parametrize("forgotten", ["budget_notices", "identities"])
async def test_a_table_that_is_forgotten_is_noticed(works: Works, monkeypatch, forgotten):
    left = tuple(one for one in HOLDINGS if one.kind.table != forgotten)
    monkeypatch.setattr(erasing_module, "HOLDINGS", left)
    made = await furnish(works)
    erasure = await works.app.privacy.closing.deletions.erase(ANN.user, "operator", now=True)
    await erased(works, erasure.id)
    assert {one.partition(" ")[0] for one in await traces(works.app, needles(made))} == {forgotten}


async def test_what_a_request_brings_that_was_let_in_before_goes_too(works: Works, monkeypatch):
    """What comes while it is removed is found by the look that follows, among others' too."""
    monkeypatch.setattr(erase, "SURE_MS", 300)
    await people(works)
    app = works.app
    shared, now = await share(works), await app.store.now()
    late: list[str] = []
    finish = app.privacy.erasing.finish

    async def finished(*who: str, last: bool) -> None:
        await finish(*who, last=last)
        if not late:
            assert not last
            late.append(await works.upload("late.png", png(1)))
            drawn = FileAnnotations(project=shared["once"], file="file_bobs", revision=1,
                                    user=ANN.user, changed=now)  # fmt: skip
            await app.store.transact(Put(drawn))

    monkeypatch.setattr(app.privacy.erasing, "finish", finished)
    erasure = await app.privacy.closing.deletions.erase(ANN.user, "operator", now=True)
    await erased(works, erasure.id)
    assert await traces(app, [ANN.user, *late]) == []


async def test_work_in_the_project_of_another_is_waited_for(works: Works, monkeypatch):
    """It has read who asked for it, and may write that still; acts are read once meanwhile."""
    app, looked = works.app, list[str]()
    assert works.worker is not None
    await works.worker.pause()
    await people(works)
    mine, theirs = [(await app.projects.create(who, "one")).id for who in (ANN, BOB)]
    await app.datasets.sharing.share(BOB, theirs, ANN.user, "editor")
    await app.projects.delete(ANN, mine)
    now = await app.store.now()
    task = ProjectTask(project=theirs, id="task_1", kind="copy", user=ANN.user,
                       state=TaskState.RUNNING, created=now)  # fmt: skip
    await app.store.transact(Put(task))
    acts_about = Nameless.acts_about

    async def counted(nameless: Nameless, record: str) -> None:
        looked.append(record)
        await acts_about(nameless, record)

    monkeypatch.setattr(Nameless, "acts_about", counted)
    erasing, who = app.privacy.erasing, (ANN.user, ADDRESS, "erasure_1")
    assert not await erasing.step(*who, first=True)
    assert not await erasing.step(*who, first=False)
    assert looked == [mine]
    await works.worker.resume()
    await settled(app)
    assert not await erasing.step(*who, first=False)
    await erasing.finish(*who, last=False)
    assert await app.store.get(ProjectTask, theirs, "task_1") == task
    await app.store.transact(Put(task.evolve(state=TaskState.SUCCEEDED)))
    assert await erasing.step(*who, first=False)
    await erasing.finish(*who, last=True)
    assert await traces(app, [ANN.user, ADDRESS]) == []
