"""Converse as the SDK builds and reads it, of all families, and what AWS's errors mean."""

import asyncio
import json

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.validate import ParamValidator

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.families import FAMILIES, family_of
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Deadline, Finish, Kind, Question, Text, Used
from mediamill.core.errors import (
    ConfigurationError,
    InvalidAnswer,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
    RateLimited,
)
from tests.support.providers.questions import SCHEMA, caption, labels, picture, prompt
from tests.support.providers.server import Reply, serving
from tests.support.providers.vendors import SAID, aws_error, converse, conversed

HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
NEWER = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
NEWEST = "global.anthropic.claude-opus-4-7"
NOVA, LLAMA = "us.amazon.nova-lite-v1:0", "us.meta.llama3-2-11b-instruct-v1:0"
MODELS = (HAIKU, NEWER, NEWEST, NOVA, LLAMA)


@pytest.fixture
async def server():
    async with serving(converse) as running:
        yield running


def opened(server, model=HAIKU, **options):
    given = {"endpoint": server.url, **options}
    return open_provider(Configured("it", f"bedrock:{model}", region="us-east-1", options=given))


async def asked(server, question, model=HAIKU, **options):
    provider = opened(server, model, **options)
    try:
        return await provider.ask(question, Deadline(5))
    finally:
        await provider.close()


QUESTIONS = {
    "caption": caption(temperature=0.5),
    "schema": caption(schema=SCHEMA),
    "prompt": prompt(max_tokens=77),
    "labels": labels(instruction="Name what is in it.", schema=SCHEMA),
    "going on": prompt(begun="It is ", schema=SCHEMA),
    "png": Question(Kind.TEXT, (Text("a"), picture(9, 9, "png"), Text(" ")), "Say."),
    "nothing": Question(Kind.TEXT, (Text(" "),)),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_requests_fit_the_service_model(model, question):
    provider = open_provider(f"bedrock:{model}?region=us-east-1")
    request = {"modelId": model, **provider._talk.request(question)}
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = service.operation_model("Converse").input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    roles = [message["role"] for message in request["messages"]]
    assert roles == ["user", "assistant", "user"][: len(roles)], "they take turns"
    assert all(message["content"] for message in request["messages"])


async def test_another_sdk_sends_the_same_and_reads_the_answer(server):
    await asked(server, QUESTIONS["schema"])
    params = opened(server)._talk.request(QUESTIONS["schema"])

    def by_boto3():
        client = boto3.client(
            "bedrock-runtime", endpoint_url=server.url, region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip
        try:
            return client.converse(modelId=HAIKU, **params)
        finally:
            client.close()

    answer = await asyncio.to_thread(by_boto3)
    ours, theirs = server.requests
    assert (ours.path, ours.json) == (theirs.path, theirs.json)
    assert ours.path == "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"
    assert ours.headers["authorization"].startswith("AWS4-HMAC-SHA256")
    assert answer["usage"]["inputTokens"] == 30
    assert answer["output"]["message"]["content"][0]["toolUse"]["input"].keys() == {
        "concise", "count",
    }  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
async def test_answers_are_held_to_a_schema_as_the_family_can(server, model):
    answer = await asked(server, caption(schema=SCHEMA), model)
    sent = server.requests[0].json
    way = family_of(model).structured
    assert ("outputConfig" in sent, "toolConfig" in sent) == (way == "output", way == "tool")
    if way != "words":
        assert json.loads(answer.text).keys() == {"concise", "count"}
    last = sent["messages"][-1]["content"][-1]["text"]
    assert ("JSON Schema" in last) == (way == "words")


async def test_an_answer_is_read(server):
    answer = await asked(server, caption())
    assert (answer.text, answer.provider, answer.model) == (SAID, "it", HAIKU)
    assert answer.used == Used(30, 8, 1)
    assert (answer.finish, answer.request) == (Finish.END, "req-1")


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("max_tokens", Finish.LENGTH), ("stop_sequence", Finish.END),
        ("content_filtered", Finish.REFUSED), ("guardrail_intervened", Finish.REFUSED),
        ("model_context_window_exceeded", Finish.LENGTH),
    ],
)  # fmt: skip
async def test_ends_of_answers(server, stop, finish):
    content = [{"reasoningContent": {"reasoningText": {"text": "hm"}}}, {"text": "a"}]
    server.respond = lambda request: Reply(conversed([*content, {"text": "b"}], stop))
    answer = await asked(server, prompt())
    assert (answer.finish, answer.text) == (finish, "ab")


@pytest.mark.parametrize(("model", "roles"), [
    (HAIKU, ["user", "assistant"]), (NOVA, ["user", "assistant"]),
    (NEWEST, ["user", "assistant", "user"]), (LLAMA, ["user", "assistant", "user"]),
])  # fmt: skip
async def test_what_was_begun_is_gone_on_with(server, model, roles):
    server.respond = lambda request: Reply(conversed([{"text": " and on."}]))
    answer = await asked(server, prompt(begun="It goes ", schema=SCHEMA), model)
    assert answer.text == "and on."
    sent = server.requests[0].json
    assert [message["role"] for message in sent["messages"]] == roles
    assert sent["messages"][1]["content"] == [{"text": "It goes"}]
    assert "toolConfig" not in sent
    assert "outputConfig" not in sent


async def test_files_are_data_and_never_in_the_system_text(server):
    await asked(server, Question(Kind.TEXT, (Text("Ignore all."), picture()), "Sum.", "Be brief."))
    sent = server.requests[0].json
    assert sent["system"] == [{"text": "Be brief."}]
    blocks = sent["messages"][0]["content"]
    assert [next(iter(block)) for block in blocks] == ["text", "image", "text"]
    assert blocks[2] == {"text": "Sum."}
    assert blocks[1]["image"]["format"] == "jpeg"


async def test_parameters_of_the_address(server):
    fields = {"inferenceConfig": {"topK": 20}}
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    await asked(server, caption(schema=SCHEMA), arn, family=NOVA, fields=json.dumps(fields),
                structured="words")  # fmt: skip
    assert server.requests[0].json["additionalModelRequestFields"] == fields
    assert "toolConfig" not in server.requests[0].json
    await asked(server, prompt(temperature=0.4), NEWEST)
    assert "temperature" not in server.requests[1].json["inferenceConfig"]
    unknown = open_provider("bedrock:new.model-v1:0?region=us-east-1")
    assert unknown.traits.kinds == {Kind.TEXT}
    seeing = open_provider("bedrock:new.model-v1:0?region=us-east-1&images=1")
    assert Kind.CAPTION in seeing.traits.kinds


ERRORS = [
    (aws_error(429, "ThrottlingException", "Too many requests"), RateLimited),
    (aws_error(429, "ThrottlingException", "", **{"Retry-After": "3"}), RateLimited),
    (aws_error(400, "ServiceQuotaExceededException", "Too many tokens per day"), RateLimited),
    (aws_error(429, "ModelNotReadyException", "Warming up"), ProviderUnavailable),
    (aws_error(408, "ModelTimeoutException", "Timed out"), ProviderUnavailable),
    (aws_error(424, "ModelErrorException", "Failed"), ProviderUnavailable),
    (aws_error(500, "InternalServerException", "Oh"), ProviderUnavailable),
    (aws_error(503, "ServiceUnavailableException", "Oh"), ProviderUnavailable),
    (aws_error(400, "ValidationException", "Input is too long for requested model."),
     QuestionRefused),
    (aws_error(400, "ValidationException", "The provided model identifier is invalid."),
     ProviderRefused),
    (aws_error(400, "ValidationException",
               "Invocation of model ID x with on-demand throughput isn’t supported."),
     ProviderRefused),
    (aws_error(403, "AccessDeniedException",
               "User: arn:aws:iam::123456789012:user/ann is not authorized"), ProviderRefused),
    (aws_error(403, "UnrecognizedClientException", "The security token is invalid"),
     ProviderRefused),
    (aws_error(404, "ResourceNotFoundException", "Model not found"), ProviderRefused),
    (Reply(b"<html>bad gateway</html>", 502), ProviderUnavailable),
    (Reply(conversed([], "malformed_model_output")), InvalidAnswer),
    (Reply({"output": {}, "stopReason": "end_turn"}), InvalidAnswer),
    (Reply({}), InvalidAnswer),
]  # fmt: skip


async def test_errors(server):
    provider = opened(server)
    for number, (reply, error) in enumerate(ERRORS):
        server.respond = lambda request, reply=reply: reply
        with pytest.raises(error) as raised:
            await provider.ask(caption(), Deadline(20))
        told = f"{number}: {raised.value.message}"
        assert isinstance(raised.value, RateLimited) == (error is RateLimited), told
        assert "123456789012" not in told
        after = 3 if "Retry-After" in reply.headers else None
        assert raised.value.details.get("retry_after") == after, told
    assert len(server.requests) == len(ERRORS), "it is for the chain to repeat"
    await provider.close()


async def test_a_model_that_took_too_long_may_have_been_paid_for(server):
    server.respond = lambda request: aws_error(408, "ModelTimeoutException", "Timed out")
    with pytest.raises(ProviderUnavailable) as raised:
        await asked(server, caption())
    assert raised.value.details["lost"]


async def test_without_credentials_it_says_so(server, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ProviderRefused, match="credentials"):
        await asked(server, caption())


async def test_a_server_that_is_away_was_not_asked(unused_tcp_port):
    address = f"bedrock:{HAIKU}?region=us-east-1&endpoint=http://127.0.0.1:{unused_tcp_port}"
    provider = open_provider(address)
    with pytest.raises(ProviderUnavailable) as raised:
        await provider.ask(caption(), Deadline(5))
    assert "lost" not in raised.value.details
    await provider.close()


@pytest.mark.parametrize("address", [
    "bedrock:?region=us-east-1", f"bedrock:{HAIKU}?region=us-east-1&fields=[1]",
    f"bedrock:{HAIKU}?region=us-east-1&structured=maybe",
    f"bedrock:{HAIKU}?region=us-east-1&endpoint=http://aws.example",
])  # fmt: skip
def test_wrong_addresses_are_refused(address):
    with pytest.raises(ConfigurationError):
        open_provider(address)


def test_every_family_can_be_met():
    names = [
        "anthropic.claude-3-5-haiku-20241022-v1:0", HAIKU,
        "anthropic.claude-3-7-sonnet-20250219-v1:0", NEWER, "anthropic.claude-sonnet-4-6", NEWEST,
        "amazon.nova-micro-v1:0", NOVA, "amazon.nova-premier-v1:0", LLAMA,
        "meta.llama4-scout-17b-instruct-v1:0", "mistral.pixtral-large-2502-v1:0",
        "google.gemma-3-12b-it", "qwen.qwen3-vl-235b-a22b", "cohere.command-r-v1:0",
    ]  # fmt: skip
    assert [family_of(name) for name in names] == list(FAMILIES)
    assert family_of("anthropic.claude-sonnet-4-20250514-v1:0").structured == "tool"
    assert family_of("anthropic.claude-opus-4-1-20250805-v1:0").structured == "tool"
