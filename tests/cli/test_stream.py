"""`mediamill ingest`, `produce` and the part of `up`, as processes."""

import asyncio

import pytest

from mediamill.app import App
from tests.support.kafka import BIGGEST
from tests.support.processes import Process, running
from tests.support.streams import (
    files_of,
    make_topic,
    settings,
    topic_name,
    until_taken,
    url,
)

pytestmark = pytest.mark.timeout(120)
RULE = "customer:acme,unknown:create"


@pytest.fixture
def topic(kafka):
    return make_topic(kafka, topic_name(), 2)


async def taken(kafka, home, topic) -> dict[str, str]:
    async with await App.open(settings(home, kafka)) as app:
        found = await files_of(app, topic)
        return {file.name: (await app.blobs.get(file.blob)).decode() for file in found}


@pytest.mark.embedded("looks into the folder")
@pytest.mark.parametrize("role", ["ingest", pytest.param("up", marks=pytest.mark.soak)])
async def test_a_folder_is_sent_and_taken(kafka, mediamill, topic, tmp_path, role):
    folder = tmp_path / "sent"
    folder.mkdir()
    for n in range(5):
        (folder / f"{n}.txt").write_text(f"text {n}")
    how = ["--json"] if role == "up" else []
    sent = await asyncio.to_thread(
        mediamill, "produce", folder, "--topic", topic, "--stream", url(kafka), *how
    )
    assert sent.returncode == 0, sent.stderr
    assert sent.stdout == f"5 messages sent to {topic}.\n"
    home = tmp_path / "home"
    given = {"stream_url": url(kafka), "stream_topics": f"{topic}={RULE}", "min_free_bytes": 0}
    async with running(role, home, slots=1, **given) as process:
        await until_taken(kafka, topic)
    assert process.child.returncode == 0, process.log()
    assert await taken(kafka, home, topic) == {f"{n}.txt": f"text {n}" for n in range(5)}


async def test_a_topic_that_is_missing_is_made_when_it_is_said(kafka, mediamill, tmp_path):
    """And a file that it does not take is named."""
    (tmp_path / "a.txt").write_text("text")
    sending = ["produce", tmp_path / "a.txt", "--topic", topic_name(), "--stream", url(kafka)]
    failed = await asyncio.to_thread(mediamill, *sending)
    assert failed.returncode != 0
    assert "make it, or say --create" in failed.stderr
    sent = await asyncio.to_thread(mediamill, *sending, "--create")
    assert sent.returncode == 0, sent.stderr
    (tmp_path / "big.bin").write_bytes(bytes(BIGGEST + 1))
    failed = await asyncio.to_thread(mediamill, *sending, tmp_path / "big.bin")
    assert failed.returncode != 0
    assert "big.bin (20,971,521 bytes) is too large" in " ".join(failed.stderr.split())
    assert "1 of 2 messages sent" in " ".join(failed.stderr.split())


@pytest.mark.soak  # six seconds
async def test_brokers_that_are_away_are_named(mediamill, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    sent = await asyncio.to_thread(
        mediamill, "produce", tmp_path, "--topic", "t", "--stream", "kafka://127.0.0.1:1"
    )
    assert sent.returncode != 0
    assert "127.0.0.1:1" in sent.stderr
    assert "refused" in sent.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "MEDIAMILL_STREAM_TOPICS"),
        ({"stream_topics": "images=customer:acme"}, "MEDIAMILL_STREAM_URL"),
        ({"stream_topics": "images", "stream_url": "kafka://127.0.0.1:1"}, "topic=customer:NAME"),
        ({"stream_topics": "images=customer:a", "stream_url": "kafka://b:1"}, "kafkas://"),
    ],
)
async def test_what_is_wrong_is_named_at_the_start(tmp_path, given, told):
    process = Process("ingest", tmp_path / "home", **given)
    process.start()
    code = await asyncio.to_thread(process.child.wait, 60)
    assert code == 2
    assert told in process.log()
