"""Places of documents: files in JSON are in memory, so few come in beside each other."""

import asyncio
import base64
import json

import pytest

from mediamill.web import documents
from tests.web.test_files import PNG, ann, bob  # noqa: F401  (fixtures)

FILE = json.dumps({"content_base64": base64.b64encode(PNG).decode()}).encode()


class Slow:
    """Bodies that are begun and end when told to."""

    def __init__(self) -> None:
        self.begun, self.ends = 0, asyncio.Event()

    async def body(self):
        self.begun += 1
        yield FILE[:10]
        await self.ends.wait()
        yield FILE[10:]

    def send(self, person, count, keyed=False):
        kind = {"content-type": "application/json"}
        keys = [{"idempotency-key": str(n)} if keyed else {} for n in range(count)]
        sending = person.client.post
        return [
            asyncio.ensure_future(sending("/v1/files", content=self.body(), headers=kind | key))
            for key in keys
        ]


@pytest.mark.parametrize("keyed", [False, True])
async def test_whose_bodies_are_slow_leaves_places_to_others(ann, bob, keyed):
    slow = Slow()
    answers = slow.send(ann, documents.OF_ONE_USER, keyed=keyed)
    while slow.begun < documents.OF_ONE_USER:
        await asyncio.sleep(0.01)
    here = {"content": FILE, "headers": {"content-type": "application/json"}}
    refused = await ann.client.post("/v1/files", **here)
    assert (refused.status_code, refused.json()["retryable"]) == (503, True)
    assert "of yours" in refused.json()["detail"]
    assert refused.headers["retry-after"]
    assert (await bob.client.post("/v1/files", **here)).status_code == 201
    slow.ends.set()
    assert {answer.status_code for answer in await asyncio.gather(*answers)} == {201}
    assert (await ann.client.post("/v1/files", **here)).status_code == 201


async def test_a_place_is_kept_until_the_file_is_stored(ann, mill, monkeypatch):
    """What was decoded stays in memory while it is looked at and written."""
    looked, ends, whole = 0, asyncio.Event(), type(mill.uploads).receive

    async def waiting(*args):
        nonlocal looked
        looked += 1
        await ends.wait()
        return await whole(*args)

    monkeypatch.setattr(type(mill.uploads), "receive", waiting)
    slow = Slow()
    slow.ends.set()
    answers = slow.send(ann, documents.OF_ONE_USER)
    while looked < documents.OF_ONE_USER:
        await asyncio.sleep(0.01)
    (refused,) = slow.send(ann, 1)
    assert (await refused).status_code == 503
    ends.set()
    assert {answer.status_code for answer in await asyncio.gather(*answers)} == {201}
