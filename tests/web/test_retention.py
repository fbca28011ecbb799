"""Retention as it looks outside: when a file goes, what jobs say, what is counted, and metrics."""

import asyncio
import io
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from mediamill.app import App
from mediamill.cli.root import root
from mediamill.core.clock import DAY, rfc3339
from mediamill.core.errors import ConfigurationError
from mediamill.core.retention import read_retention
from mediamill.core.settings import Settings
from mediamill.media.image.codecs.encode import encode
from mediamill.services import retention
from mediamill.services.jobs.requests import Requests
from mediamill.services.retention import Amount, RetentionService
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.daily import Dailies, day_of
from mediamill.store.repositories.files import File
from mediamill.store.repositories.retention import Aging, Sweeps
from mediamill.web.app import create_app
from tests.faults import charges
from tests.support.ageing import age, gone, hurry, pace, settled, sweep, traces
from tests.support.chains import CHAINED, TELLS
from tests.support.places import EACH_STORE
from tests.support.serving import working
from tests.web.test_files import person


@pytest.fixture
async def mill(tmp_path, monkeypatch):
    hurry(monkeypatch)
    settings = Settings(
        home=tmp_path / "home", prompt_chain=TELLS, slots=1, min_free_bytes=0, poll_seconds=pace()
    )
    async with await App.open(settings, CHAINED) as app:
        yield app


@pytest.fixture
async def ann(mill):
    async with person(mill, create_app(mill), "ann") as found:
        yield found


@pytest.fixture
async def bob(mill):
    async with person(mill, create_app(mill), "bob") as found:
        yield found


def picture(n: int) -> bytes:
    return encode(np.random.default_rng(n).integers(0, 255, (24, 24, 3), np.uint8), "png")


async def send(person, name: str, n: int) -> str:
    answer = await person.client.post(f"/v1/files?name={name}", content=picture(n))
    return str(answer.json()["id"])


async def done(person, files: list[str], *steps: str) -> dict:
    body = {"files": files, "steps": [{"operation": step} for step in steps]}
    job = (await person.client.post("/v1/jobs", json=body)).json()
    return (await person.client.get(f"/v1/jobs/{job['id']}?wait=30")).json()


@pytest.mark.places(*EACH_STORE)
async def test_from_the_first_look_to_the_last_trace(mill, ann, bob, monkeypatch):
    monkeypatch.setattr(retention, "SECONDS", 0)
    async with working(mill):
        due, kept = await send(ann, "gonzo.png", 1), await send(ann, "kept.png", 2)
        job = await done(ann, [due, kept], "flip", "tell")
        alone = await done(ann, [due], "copied")
        assert job["expired"] == 0
        assert (await ann.client.get(f"/v1/files/{due}")).json()["expires_at"] is None
        await age(mill, due, days=5.5)
        created = (await mill.store.get(File, due)).created
        seen = (await ann.client.get(f"/v1/files/{due}")).json()
        assert seen["expires_at"] == rfc3339(created + 7 * DAY)
        row = await mill.repositories.results.get(job["id"], 0, 0)
        made = (await ann.client.get(f"/v1/files/{row.file_id(0)}")).json()
        assert made["expires_at"] == seen["expires_at"]
        states = {state.source: state for state in await mill.kept.states()}
        assert (states["stream"].due.files, states["stream"].soon.files) == (0, 0)
        await age(mill, due, days=1)
        (stream, *_) = await mill.kept.states()
        assert (stream.due.files, stream.soon.files, stream.soon.bytes) == (0, 1, seen["size"])
        await settled(mill)
        none = 'mediamill_retention_overdue_files{source="stream"} 0.0'
        await age(mill, due, days=0.51)
        (stream, *_) = await mill.kept.states()
        assert stream.due.files == 1
        assert none in (await ann.client.get("/metrics")).text, "it is due, and not late yet"
        await age(mill, due, days=0.49)
        text = (await ann.client.get("/metrics")).text
        assert 'mediamill_retention_overdue_files{source="stream"} 1.0' in text
        needles = [due, "gonzo", seen["sha256"], row.files[0].sha256, row.file_id(0)]
        day = day_of((await mill.store.get(File, due)).created)
        real, looked = Requests.check, []

        async def check(self, *arguments):
            """Look at the inputs; before the job is written its file goes, with its results."""
            looked.append(found := await real(self, *arguments))
            assert await sweep(mill) == 1
            assert (await ann.client.get(f"/v1/files/{due}")).status_code == 404
            await gone(mill, due)
            await settled(mill)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Requests, "check", check)
            body = {"files": [row.file_id(0), kept], "steps": [{"operation": "flip"}]}
            refused = await ann.client.post("/v1/jobs", json=body)
        assert (refused.status_code, len(looked)) == (422, 1)
        await settled(mill)
    left = await traces(mill, needles)
    assert [one for one in left if not (one.startswith("audit ") and due in one)] == []
    assert charges.usage(mill) == []
    now = (await ann.client.get(f"/v1/jobs/{job['id']}")).json()
    assert (now["expired"], now["counts"], now["state"]) == (1, job["counts"], "succeeded")
    assert (await ann.client.get(f"/v1/jobs/{alone['id']}")).status_code == 404
    items = await ann.client.get(f"/v1/jobs/{job['id']}/items?state=expired")
    assert [(item["index"], item["file"]) for item in items.json()["data"]] == [(0, "")]
    told = await ann.client.get(f"/v1/jobs/{job['id']}/results")
    assert [result["name"] for result in told.json()["data"]] == ["kept.png"]
    answer = await ann.client.get(f"/v1/jobs/{job['id']}/download")
    assert len(answer.content) == now["download"]["size"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        (line,) = archive.read("manifest.jsonl").splitlines()
    assert json.loads(line)["input"]["file"] != due
    daily = await ann.client.get(f"/v1/usage/daily?from={day}&to={day}&source=stream")
    assert daily.json() == {
        "data": [
            {
                "day": day, "source": "stream", "media_type": "image/png",
                "outcome": "succeeded", "files": 1, "bytes": seen["size"], "items": 3,
                "results": 2, "result_bytes": row.files[0].size + seen["size"],
            }
        ],
        "has_more": False,
        "after": None,
    }  # fmt: skip
    for query in ("?from=9999-01-01", f"?to={day_of(0)}", "?source=upload"):
        assert (await ann.client.get(f"/v1/usage/daily{query}")).json()["data"] == []
    assert (await bob.client.get("/v1/usage/daily")).json()["data"] == []
    assert [row.owner async for row in mill.kept.report(None, None)] == [ann.id]
    text = (await ann.client.get("/metrics")).text
    for line in (
        'mediamill_retention_overdue_files{source="stream"} 0.0',
        'mediamill_retention_files_total{source="stream"} 1.0',
        f'mediamill_retention_bytes_total{{source="stream"}} {float(seen["size"])}',
    ):
        assert line in text


@pytest.mark.parametrize("query", ["from=today", "to=2026-02-30", "from=2026-1-1", "source=result"])
async def test_what_is_no_day_is_told(ann, query):
    answer = await ann.client.get(f"/v1/usage/daily?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].endswith(query.partition("=")[0])


async def test_pages_follow_each_other(mill, ann):
    files = [await send(ann, f"{n}.png", n) for n in range(5)]
    for n, file in enumerate(files):
        await age(mill, file, days=8 + n)
    async with working(mill):
        await sweep(mill)
        await gone(mill, *files)
    days, after = [], ""
    while after is not None:
        page = (await ann.client.get(f"/v1/usage/daily?limit=2{after}")).json()
        days += [row["day"] for row in page["data"]]
        after = f"&after={page['after']}" if page["has_more"] else None
    assert len(days) == 5
    assert days == sorted(days)
    answer = await ann.client.get("/v1/usage/daily?after=nonsense")
    assert answer.status_code == 422


async def test_a_bad_rule_stops_the_start(tmp_path):
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_RETENTION: stream=soon is no time"):
        await App.open(Settings(home=tmp_path, retention="stream=soon"))


@pytest.mark.parametrize(
    ("rules", "walks", "told"),
    [("upload=90d", False, True), ("upload=90d", True, False), ("stream=7d", False, False)],
)
def test_a_store_that_cannot_be_walked_says_what_it_does_not_find(rules, walks, told):
    store = MemoryStore() if walks else SimpleNamespace()  # DynamoDB has no way to walk
    rest = Sweeps(store), Dailies(store), read_retention(rules)
    assert RetentionService(Aging(store), *rest).since_upgrade is told


@pytest.mark.embedded("it asks for the SQLite file of a home")
async def test_the_command_shows_what_is_due_and_takes_it(mill, ann, monkeypatch):
    due, young = await send(ann, "gonzo.png", 1), await send(ann, "young.png", 2)
    await age(mill, due)
    await age(mill, young, days=2, source="upload")
    monkeypatch.setenv("MEDIAMILL_HOME", str(mill.settings.home))
    monkeypatch.setattr("mediamill.cli.retention.configure_logging", lambda *_: None)

    async def asked(*arguments: str) -> str:
        done = await asyncio.to_thread(
            CliRunner().invoke, root, ["retention", *arguments]
        )  # a loop of its own
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    (stream, upload, _) = (await asked()).splitlines()
    assert stream.startswith("stream\tkept 7d\tdue: 1 files, ")
    assert upload.startswith("upload\tkept for ever\tdue: 0 files")
    assert "stream: 1 files" in await asked("run", "--dry-run")
    sweeps, now = Sweeps(mill.store), await mill.store.now()
    await sweeps.hold("stream", "90d", now)  # by a worker, whose settings this shell has not
    told = await asyncio.to_thread(CliRunner().invoke, root, ["retention", "run"])
    assert told.exit_code == 1
    assert "stream=90d in force, stream=7d here" in told.stderr
    assert (await asked()).startswith("stream\tkept 90d\tdue: 0 files, ")
    assert await sweep(mill) == 0  # by a worker with the shorter rule
    assert ", 7d from " in (await asked()).splitlines()[0]
    text = (await ann.client.get("/metrics")).text
    assert 'mediamill_retention_rule_held{source="stream"} 1.0' in text
    assert (await mill.store.get(File, due)).listed
    monkeypatch.setenv("MEDIAMILL_RETENTION", "stream=7d; upload=1h")
    assert await asked("run", "--yes") == (
        "stream: 1 files are being removed.\nupload: nothing was taken: it is not known yet which "
        "results were made of which files. The first worker of this version finds out: start one, "
        "then run this again.\n"
    )
    monkeypatch.delenv("MEDIAMILL_RETENTION")
    assert (await mill.store.get(File, young)).listed
    assert (await mill.store.get(File, due)).expired
    async with working(mill):
        await gone(mill, due)
    (line,) = (await asked("report", "--json")).splitlines()
    found = json.loads(line)
    assert (found["owner"], found["customer"]) == (ann.id, ann.email)
    assert "looked: never" not in (await asked()).splitlines()[0]


async def test_rules_are_tried_before_they_are_set(mill, ann):
    sizes = []
    for n, days in enumerate((11, 9.5, 8, 1, 0)):
        file = await send(ann, f"{n}.png", n)
        await age(mill, file, days=days, source="upload")
        sizes.append((await mill.store.get(File, file)).size)
    asked = await mill.kept.forecast(read_retention("upload=10d"))
    told = {one.source: one for one in asked}
    assert (told["upload"].rule, told["import"].rule) == ("10d", "none")
    amounts = [Amount(1, sizes[0]), Amount(1, sizes[1]), Amount(1, sizes[2])]
    assert told["upload"].amounts == (*amounts, Amount(2, sizes[3] + sizes[4]))
    assert told["import"].amounts == (Amount(),) * 4
    assert (await mill.kept.states())[1].held.rule == "none", "nothing was set"
