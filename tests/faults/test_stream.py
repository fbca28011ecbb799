"""The stream against a real broker: nothing is lost, nothing doubled, whatever dies."""

import random

import pytest

from mediamill.app import App
from tests.support.streams import (
    ingesting,
    make_topic,
    settings,
    topic_name,
    trouble,
    until_taken,
    write,
)

RULE = "customer:acme,unknown:create"


def blocks(count: int, size: int = 2_000) -> list[bytes]:
    """Return so many different values."""
    draw = random.Random(7)
    return [draw.randbytes(size) for _ in range(count)]


async def test_each_message_becomes_a_file(kafka, tmp_path):
    topic = make_topic(kafka, topic_name())
    sent = write(kafka, topic, blocks(200))
    async with await App.open(settings(tmp_path / "home", kafka)) as app:
        async with ingesting(app, f"{topic}={RULE}"):
            await until_taken(kafka, topic)
            sent += write(kafka, topic, blocks(1, 8 << 20))
            await until_taken(kafka, topic)
        assert await trouble(app, topic, sent) == []
