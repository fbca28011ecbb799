"""An export has everything: every table that is not left out with a reason, and all bytes."""

import hashlib
import io
import json
import zipfile
from dataclasses import replace

import pytest
from msgspec import structs
from tests.handlers.conftest import ANN, BOB, Works, working
from tests.services.privacy.furnishing import MARK, furnish, people, png
from tests.support.ageing import all_blobs, hurry, records, settled

from mediamill.core.access import Principal
from mediamill.core.errors import Conflict, Forbidden, NotFound
from mediamill.engine.lease import Lease
from mediamill.engine.scheduler import Scheduler
from mediamill.handlers.files import export_account
from mediamill.services.privacy import exporting
from mediamill.services.privacy.inventory import HOLDINGS
from mediamill.store.port import Put, Update
from mediamill.store.repositories.exports import Export, ExportState
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.units import Unit

SECRETS = ("d1", "d2")


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    hurry(monkeypatch)


@pytest.fixture
async def works(tmp_path):
    async with working(tmp_path / "home") as found:
        yield found


async def archive(works: Works, who: Principal = ANN) -> dict[str, bytes]:
    """Fetch an export that is ready; its length and every sum are right."""
    content = await works.app.privacy.exporting.content(who)
    data = b"".join([chunk async for chunk in content.read(0, content.size)])
    assert len(data) == content.size
    part = b"".join([chunk async for chunk in content.read(100, 1000)])
    assert part == data[100:1000]
    with zipfile.ZipFile(io.BytesIO(data)) as made:
        assert made.testzip() is None
        return {name: made.read(name) for name in made.namelist()}


async def test_everything_is_in_it(works: Works):
    app = works.app
    made = await furnish(works)
    row = (await records(app, Result))[0]
    marked = structs.replace(row.files[0], annotations_blob="results/marked-of-one")
    await app.results.put(marked.annotations_blob, b"what is marked on it")
    await app.store.transact(Put(row.evolve(files=(marked, *row.files[1:]))))
    await app.blobs.put(f"versions/{made['project']}/1/entries", b"what is said of an image")
    with pytest.raises(NotFound):
        await app.privacy.exporting.content(ANN)
    asked = await app.privacy.exporting.request(ANN)
    assert (await app.privacy.exporting.request(ANN)).id == asked.id
    await settled(app)
    members = await archive(works)

    counts = await app.privacy.erasing.count(ANN.user, "ann-planted@example.org")
    tables = {name.split("/")[1].removesuffix(".jsonl") for name in members if "tables/" in name}
    assert tables - {"mail_days"} == {*counts} - {"mail_days"}
    readme = members["README.txt"].decode()
    assert all(one.kind.table in readme for one in HOLDINGS if one.untold)
    rows = {
        table: [json.loads(line) for line in members[f"tables/{table}.jsonl"].splitlines()]
        for table in tables
    }
    (user,) = rows["users"]
    assert (user["id"], user["email"]) == (ANN.user, "ann-planted@example.org")
    assert "password" not in user
    assert all("digest" not in token for token in rows["tokens"])
    assert all("secret" not in hook for hook in rows["webhooks"])
    assert {row["id"] for row in rows["files"]} == {*made["files"][:3]}
    others = [act for act in rows["audit"] if act["actor"] != ANN.user]
    assert others
    assert not any(act["address"] for act in others)
    digests = {hashlib.sha256(data).hexdigest() for data in members.values()}
    assert {hashlib.sha256(png(n)).hexdigest() for n in range(3)} <= digests
    results = [file for row in rows["results"] for file in row["files"]]
    assert {file["sha256"] for file in results} <= digests
    assert members[f"files/{MARK}-0.png"] == png(0)
    assert members[f"results/{row.job}/{marked.name}.annotations.json"] == b"what is marked on it"
    entries = f"versions/{made['project']}/1/entries.jsonl"
    assert members[entries] == b"what is said of an image"
    assert "bobs.png" not in "".join(members)


async def test_it_goes_after_a_week_and_an_earlier_one_with_the_next(works: Works):
    app = works.app
    await people(works)
    await works.upload("one.png", png(1))
    first = await app.privacy.exporting.request(ANN)
    await settled(app)
    same = await app.privacy.exporting.request(ANN)
    assert (same.id, same.state) == (first.id, ExportState.READY), "fresh: none is made anew"
    long_ago = {"made": (same.made or 0) - exporting.FRESH_MS}
    await app.store.transact(Update(Export, (ANN.user,), set=long_ago))
    second = await app.privacy.exporting.request(ANN)
    assert second.id != first.id
    await settled(app)
    assert (await app.privacy.exporting.get(ANN)).state is ExportState.READY
    kept = [key for key in await all_blobs(app) if key.startswith("takeout/")]
    assert kept
    assert all(key.startswith(second.root) for key in kept), "the earlier one went at once"
    now = await app.store.now()
    for unit in await records(app, Unit):
        if unit.kind == export_account.KIND:
            soon = Update(Unit, unit.key_values(), set={"due": now})
            await app.repositories.units.commit(soon, wake=(unit.klass, unit.owner))
    await app.store.transact(Update(Export, (ANN.user,), set={"expires": now}))
    with pytest.raises(NotFound):
        await app.privacy.exporting.content(ANN)
    await settled(app)
    assert await app.store.get(Export, ANN.user) is None
    assert not [key for key in await all_blobs(app) if key.startswith("takeout/")]


async def test_only_who_it_is_about_gets_it(works: Works):
    await people(works)
    service = works.app.privacy.exporting
    await service.request(ANN)
    await settled(works.app)
    with pytest.raises(NotFound):
        await service.content(BOB)
    limited = replace(ANN, scopes=frozenset({"account:write", "account:read"}))
    for act in (service.request, service.get, service.content):
        with pytest.raises(Forbidden):
            await act(limited)


async def test_one_that_failed_says_so_and_is_asked_for_again(works: Works):
    app = works.app
    assert works.worker is not None
    await people(works)
    await works.worker.pause()
    await app.privacy.exporting.request(ANN)
    unit = await Scheduler(app.store, 60_000).claim_next([export_account.KLASS], "here")
    assert unit is not None
    lease = Lease(app.repositories.units, app.repositories.jobs, unit, 60_000)
    await app.handlers()[unit.kind].give_up(lease, ValueError("as planted"))
    with pytest.raises(Conflict) as told:
        await app.privacy.exporting.content(ANN)
    assert told.value.details["state"] == ExportState.FAILED
    await works.worker.resume()
    await app.privacy.exporting.request(ANN)
    await settled(app)
    assert "README.txt" in await archive(works)
