"""Many questions at once on Bedrock, through the unmodified SDK's S3 and Bedrock clients."""

import json

import boto3
import pytest

from mediamill.adapters.providers import batching
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Answer, Batches, Deadline, Finish, Used
from mediamill.core.errors import (
    ConfigurationError,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
)
from tests.support.providers import batches
from tests.support.providers.questions import caption, prompt
from tests.support.providers.server import Reply, serving
from tests.support.providers.vendors import aws_error, conversed

MODEL = "bedrock:us.amazon.nova-lite-v1:0"
ROLE = "arn:aws:iam::123456789012:role/batches"


@pytest.fixture
async def service():
    return batches.Batches()


@pytest.fixture
async def provider(service):
    async with serving(service) as server:
        options = {"batch": "s3://pile/in/here", "role": ROLE, "batch_endpoint": server.url,
                   "s3_endpoint": server.url, "endpoint": server.url}  # fmt: skip
        opened = open_provider(Configured("it", MODEL, region="us-east-1", options=options))
        yield opened
        await opened.close()


def questions(count=100, **more):
    return [(f"7:item/{n} ü", caption(instruction=f"Number {n}.", **more)) for n in range(count)]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(batching, "PART_BYTES", 60_000)


async def test_a_batch_goes_out_once_and_its_answers_come_back(service, provider):
    assert isinstance(provider, Batches)
    batch = await provider.submit(questions(), "job_1:stage_0:unit_3")
    assert await provider.submit(questions(), "job_1:stage_0:unit_3") == batch
    assert len(service.created) == 1
    assert await provider.submit(questions(), "another") != batch
    assert await provider.collect(batch) is None
    asked = service.created[0]
    assert asked["modelId"] == "us.amazon.nova-lite-v1:0"
    assert asked["modelInvocationType"] == "Converse"
    place = asked["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
    assert place.startswith("s3://pile/in/here/mediamill-")
    lines = [json.loads(line) for line in service.objects[place[5:]].splitlines()]
    assert len(service.parts) > 1
    assert all(line["recordId"].isalnum() for line in lines)
    service.work()
    found = await provider.collect(batch)
    assert found.keys() == {id_ for id_, _ in questions()}
    answer = found["7:item/42 ü"]
    assert isinstance(answer, Answer)
    assert (answer.text, answer.provider) == ("Answer to Number 42.", "it")
    assert answer.used == Used(30, 8)


async def test_records_are_what_converse_takes(service, provider):
    """The SDK sends the same body when it is asked the same."""
    await provider.submit(questions(temperature=0.1), "a")
    place = service.created[0]["inputDataConfig"]["s3InputDataConfig"]["s3Uri"][5:]
    record = json.loads(service.objects[place].splitlines()[0])
    async with serving(lambda request: Reply(conversed([{"text": "x"}]))) as server:
        options = {"endpoint": server.url}
        alone = open_provider(Configured("it", MODEL, region="us-east-1", options=options))
        await alone.ask(questions(temperature=0.1)[0][1], Deadline(5))
        await alone.close()
        assert server.requests[0].json == record["modelInput"]


async def test_some_records_have_no_answer(service, provider):
    batch = await provider.submit(questions(), "a")
    ends = [
        {"error": {"errorCode": 400, "errorMessage": "Bad image"}},
        {"modelOutput": {"output": {}}},
        {"modelOutput": conversed([{"text": "cut"}], "max_tokens")},
    ]
    service.work(lambda record: ends.pop() if ends else batches.answered(record))
    name = next(name for name in service.objects if name.endswith(".out"))
    service.objects[name] += b'\n{"recordId": "!"}\n{"rec'
    found = await provider.collect(batch)
    assert len(found) == 100
    assert found["7:item/0 ü"].finish is Finish.LENGTH
    assert found["7:item/1 ü"].startswith("it answers what its protocol does not say")
    assert found["7:item/2 ü"] == "Bad image"


async def test_a_batch_that_expired_has_what_was_answered(service, provider):
    batch = await provider.submit(questions(), "a")
    service.jobs[batch]["status"] = "Expired"
    assert await provider.collect(batch) == {}
    service.jobs[batch] |= {"status": "Failed", "message": "Role cannot be assumed"}
    with pytest.raises(ProviderRefused, match="Role cannot"):
        await provider.collect(batch)


async def test_a_batch_is_stopped_once(service, provider):
    batch = await provider.submit(questions(), "a")
    await provider.stop(batch)
    assert service.jobs[batch]["status"] == "Stopped"
    await provider.stop(batch)
    assert await provider.collect(batch) == {}


async def test_what_cannot_be_a_batch_is_refused(service, provider, monkeypatch):
    with pytest.raises(QuestionRefused, match="100 questions"):
        await provider.submit(questions(99), "a")
    with pytest.raises(QuestionRefused, match="goes on"):
        await provider.submit([(str(n), prompt(begun="x")) for n in range(100)], "a")
    monkeypatch.setattr(batching, "MOST_BYTES", 100_000)
    with pytest.raises(QuestionRefused, match="bytes"):
        await provider.submit(questions(), "b")
    assert service.created == []
    assert service.aborted == 2


async def test_errors_of_the_service_are_told(provider, service, monkeypatch):
    refused = aws_error(503, "ServiceUnavailableException", "Later")
    monkeypatch.setattr(batches.Batches, "_job", lambda *_: refused)
    with pytest.raises(ProviderUnavailable):
        await provider.submit(questions(), "a")


async def test_a_single_question_is_asked_at_once(provider, monkeypatch):
    monkeypatch.setattr(batches.Batches, "__call__", lambda *_: Reply(conversed([{"text": "now"}])))
    assert (await provider.ask(caption(), Deadline(5))).text == "now"


@pytest.mark.parametrize("more", [
    "batch=s3://pile", "batch=s3://P/x&role=" + ROLE, "batch=pile/x&role=" + ROLE,
    "batch=s3://pile/x&role=me",
])  # fmt: skip
def test_wrong_addresses_are_refused(more):
    with pytest.raises(ConfigurationError, match="role"):
        open_provider(f"{MODEL}?region=us-east-1&{more}")


def test_without_a_folder_there_are_no_batches():
    assert not isinstance(open_provider(f"{MODEL}?region=us-east-1"), Batches)
    assert boto3.client("bedrock", region_name="us-east-1").meta.service_model.operation_model(
        "CreateModelInvocationJob"
    )
