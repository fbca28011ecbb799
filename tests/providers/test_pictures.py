"""Backends that see pictures and hear nothing: Rekognition, SageMaker, Hugging Face's pipelines.

Requests are built and answers read by the SDKs, unmodified: ours, boto3 and `huggingface_hub`.
"""

import asyncio
import base64
import json

import boto3
import httpx
import pytest
from botocore.config import Config

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Box, Deadline, Kind, Label, Question, Text, Used
from mediamill.core.errors import (
    ConfigurationError,
    InvalidAnswer,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
    RateLimited,
)
from tests.support.buckets import bucket_server
from tests.support.providers.questions import caption, labels, picture, prompt
from tests.support.providers.server import Reply, serving
from tests.support.providers.vendors import (
    SAID,
    aws_error,
    detect_labels,
    image_to_text,
    openai_chat,
)

SCORES = [{"label": "lynx", "score": 0.2}, {"label": "tabby", "score": 0.7}]


@pytest.fixture
async def server():
    async with serving(image_to_text) as running:
        yield running


def opened(server, address, key="", **options):
    if address.startswith("huggingface"):
        return open_provider(Configured("it", address, server.url, key, options=options))
    options |= {"endpoint": server.url, "region": "us-east-1"}
    return open_provider(Configured("it", address, options=options))


async def asked(server, question, address, key="", **options):
    provider = opened(server, address, key, **options)
    try:
        return await provider.ask(question, Deadline(5))
    finally:
        await provider.close()


def client_of(service, endpoint):
    return boto3.client(
        service, endpoint_url=endpoint, region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


# ---- Rekognition ---------------------------------------------------------------------------------


async def test_rekognition_labels(server):
    server.respond = detect_labels
    answer = await asked(server, labels(max_labels=5, min_confidence=0.6), "rekognition:")
    assert answer.labels == (
        Label("Mobile Phone", 0.999364013671875, (Box(0.1, 0.2, 0.4, 0.5),), ("Phone",)),
        Label("Urban", 0.8),
    )
    assert answer.model == "DetectLabels 3.0"
    assert (answer.used.images, answer.used.calls, answer.text) == (1, 1, "")

    def by_boto3():
        client = client_of("rekognition", server.url)
        try:
            image = {"Bytes": picture().data}
            return client.detect_labels(Image=image, MaxLabels=5, MinConfidence=60.0)
        finally:
            client.close()

    theirs = await asyncio.to_thread(by_boto3)
    ours, other = server.requests
    assert ours.json == other.json
    assert base64.b64decode(ours.json["Image"]["Bytes"]) == picture().data
    assert ours.headers["x-amz-target"] == "RekognitionService.DetectLabels"
    assert theirs["Labels"][0]["Parents"] == [{"Name": "Phone"}]


REKOGNITION_ERRORS = [
    (aws_error(400, "ImageTooLargeException", "Too large"), QuestionRefused),
    (aws_error(400, "InvalidImageFormatException", "Bad format"), QuestionRefused),
    (aws_error(400, "ProvisionedThroughputExceededException", "Slower"), RateLimited),
    (aws_error(400, "AccessDeniedException", "No"), ProviderRefused),
    (aws_error(500, "InternalServerError", "Oh"), ProviderUnavailable),
    (Reply({"Labels": [{"Name": "x"}]}), InvalidAnswer),
]  # fmt: skip


async def test_rekognition_errors(server):
    provider = opened(server, "rekognition:")
    for number, (reply, error) in enumerate(REKOGNITION_ERRORS):
        server.respond = lambda request, reply=reply: reply
        with pytest.raises(error) as raised:
            await provider.ask(labels(), Deadline(20))
        told = f"{number}: {raised.value.message}"
        assert isinstance(raised.value, RateLimited) == (error is RateLimited), told
        assert "123456789012" not in told
    await provider.close()


async def test_who_looks_at_pictures_says_that_there_is_none(server):
    for address in ("rekognition:", "sagemaker:blip", "huggingface:a/b"):
        with pytest.raises(QuestionRefused):
            await asked(server, Question(Kind.LABELS, (Text("x"),)), address)
    assert server.requests == []


# ---- SageMaker -----------------------------------------------------------------------------------


async def test_sagemaker_takes_a_picture_as_it_is(server):
    answer = await asked(server, caption(), "sagemaker:blip", component="one", variant="two")
    assert (answer.text, answer.provider, answer.model) == (SAID, "it", "blip")
    assert answer.used == Used(images=1, seconds=answer.used.seconds)
    assert answer.used.seconds > 0

    def by_boto3():
        client = client_of("sagemaker-runtime", server.url)
        try:
            return client.invoke_endpoint(
                EndpointName="blip", Body=picture().data, ContentType="image/jpeg",
                Accept="application/json", InferenceComponentName="one", TargetVariant="two",
            )["Body"].read()  # fmt: skip
        finally:
            client.close()

    assert json.loads(await asyncio.to_thread(by_boto3)) == [{"generated_text": SAID}]
    ours, theirs = server.requests
    assert (ours.path, ours.body) == (theirs.path, theirs.body)
    assert ours.path == "/endpoints/blip/invocations"
    for name in ("content-type", "accept", "x-amzn-sagemaker-inference-component",
                 "x-amzn-sagemaker-target-variant"):  # fmt: skip
        assert ours.headers[name] == theirs.headers[name]


async def test_sagemaker_takes_json_and_chats(server):
    given = {"max_new_tokens": 30}
    await asked(server, caption(), "sagemaker:b", send="json", parameters=json.dumps(given))
    sent = server.requests[0].json
    assert base64.b64decode(sent["inputs"]) == picture().data
    assert sent["parameters"] == given
    server.respond = openai_chat
    answer = await asked(server, prompt(), "sagemaker:tgi", send="chat")
    assert answer.text == SAID
    assert answer.used.input_tokens == 19
    assert server.requests[1].json["messages"][0]["role"] == "system"


async def test_classifiers_give_labels(server):
    server.respond = lambda request: Reply(SCORES)
    answer = await asked(server, labels(max_labels=1), "sagemaker:vit", task="labels")
    assert answer.labels == (Label("tabby", 0.7),)
    answer = await asked(server, labels(), "huggingface:a/vit", task="image-classification")
    assert answer.labels == (Label("tabby", 0.7), Label("lynx", 0.2))


def container_error(status, message):
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""
    body = {
        "Message": "Received an error",
        "OriginalStatusCode": status,
        "OriginalMessage": message,
    }
    return Reply(body, 424, {"x-amzn-errortype": "ModelError"})


SAGEMAKER_ERRORS = [
    (container_error(500, "CUDA error"), ProviderUnavailable),
    (container_error(400, "cannot identify image file"), QuestionRefused),
    (aws_error(400, "ValidationError", "Endpoint x of account 123456789012 not found."),
     ProviderRefused),
    (aws_error(429, "ModelNotReadyException", "Later"), ProviderUnavailable),
    (aws_error(503, "ServiceUnavailable", "Later"), ProviderUnavailable),
    (aws_error(530, "InternalDependencyException", "Oh"), ProviderUnavailable),
    (aws_error(400, "ThrottlingException", "Slower"), RateLimited),
    (Reply([]), InvalidAnswer),
    (Reply([{"label": "x", "score": 0.5}]), InvalidAnswer),
]  # fmt: skip


async def test_sagemaker_errors(server):
    provider = opened(server, "sagemaker:blip")
    for number, (reply, error) in enumerate(SAGEMAKER_ERRORS):
        server.respond = lambda request, reply=reply: reply
        with pytest.raises(error) as raised:
            await provider.ask(caption(), Deadline(20))
        told = f"{number}: {raised.value.message}"
        assert isinstance(raised.value, RateLimited) == (error is RateLimited), told
        assert "123456789012" not in told
    await provider.close()


# ---- Hugging Face --------------------------------------------------------------------------------


async def test_huggingface_sees_what_its_own_client_sends(server, tmp_path):
    answer = await asked(server, caption(), "huggingface:a/blip", key="token")
    assert (answer.text, answer.model) == (SAID, "a/blip")

    def by_the_hub():
        from huggingface_hub import InferenceClient

        client = InferenceClient(token="token", timeout=5)
        return client.image_to_text(file, model=server.url)

    file = tmp_path / "a.jpeg"
    file.write_bytes(picture().data)
    found = await asyncio.to_thread(by_the_hub)
    assert found.generated_text == SAID
    ours, theirs = server.requests
    assert ours.body == theirs.body == picture().data
    assert ours.headers["authorization"] == theirs.headers["authorization"] == "Bearer token"
    assert ours.headers["content-type"] == theirs.headers["content-type"] == "image/jpeg"


async def test_huggingface_chats(server):
    server.respond = openai_chat
    answer = await asked(server, caption(), "huggingface:Qwen/Qwen2.5-VL-7B-Instruct", task="chat")
    assert answer.text == SAID
    request = server.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.json["model"] == "Qwen/Qwen2.5-VL-7B-Instruct"

    def by_the_hub():
        from huggingface_hub import InferenceClient

        client = InferenceClient(base_url=f"{server.url}/v1", timeout=5)
        return client.chat_completion(**{k: request.json[k] for k in ("messages", "max_tokens")})

    assert (await asyncio.to_thread(by_the_hub)).choices[0].message.content == SAID


def test_huggingface_asks_the_router_unless_told_where():
    provider = open_provider("huggingface:Salesforce/blip-image-captioning-large")
    assert provider._wire._base + provider._path == (
        "https://router.huggingface.co/hf-inference/models/Salesforce/blip-image-captioning-large"
    )
    assert provider.traits.kinds == {Kind.CAPTION}
    assert not provider.traits.instructed
    chat = open_provider("huggingface:a/b?task=chat")
    assert chat._wire._base + chat._path == "https://router.huggingface.co/v1/chat/completions"


async def test_a_model_that_is_being_loaded_is_busy_for_so_long(server):
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import HfHubHTTPError

    loading = {"error": "Model a/b is currently loading", "estimated_time": 17.5}
    server.respond = lambda request: Reply(loading, 503)
    with pytest.raises(RateLimited) as raised:
        await asked(server, caption(), "huggingface:a/b")
    assert raised.value.details["retry_after"] == 17.5
    with pytest.raises(HfHubHTTPError):
        await asyncio.to_thread(InferenceClient().image_to_text, b"x", model=server.url)


HUGGINGFACE_ERRORS = [
    (Reply({"error": "Rate limit reached"}, 429, {"Retry-After": "9"}), RateLimited),
    (Reply({"error": "Service Unavailable"}, 503), ProviderUnavailable),
    (Reply({"error": "x", "estimated_time": True}, 503), ProviderUnavailable),
    (Reply({"error": "Invalid credentials"}, 401), ProviderRefused),
    (Reply({"error": "Model not supported by provider hf-inference"}, 400), QuestionRefused),
    (Reply({"error": "Payment required"}, 402), ProviderRefused),
    (Reply({"generated_text": 3}), InvalidAnswer),
    (Reply([[[{"generated_text": "x"}]]]), InvalidAnswer),
]  # fmt: skip


async def test_huggingface_errors(server):
    provider = opened(server, "huggingface:a/b")
    for number, (reply, error) in enumerate(HUGGINGFACE_ERRORS):
        server.respond = lambda request, reply=reply: reply
        with pytest.raises(error) as raised:
            await provider.ask(caption(), Deadline(20))
        told = f"{number}: {raised.value.message}"
        assert isinstance(raised.value, RateLimited) == (error is RateLimited), told
        assert "123456789012" not in told
    await provider.close()


@pytest.mark.parametrize("address", [
    "rekognition:model?region=us-east-1", "sagemaker:?region=us-east-1",
    "sagemaker:x?region=us-east-1&send=song", "sagemaker:x?region=us-east-1&parameters=[]",
    "huggingface:", "huggingface:x?task=song", "huggingface:x?base_url=http://models.example",
])  # fmt: skip
def test_wrong_addresses_are_refused(address):
    with pytest.raises(ConfigurationError):
        open_provider(address)


@pytest.mark.soak  # it takes four seconds to start
async def test_moto_takes_what_we_send(tmp_path):
    with bucket_server("moto_server", tmp_path) as moto:
        endpoint = {"endpoint": moto.endpoint, "region": "us-east-1"}
        provider = open_provider(Configured("it", "rekognition:", options=endpoint))
        answer = await provider.ask(labels(min_confidence=0.0), Deadline(20))
        assert "Mobile Phone" in {label.name for label in answer.labels}
        assert answer.labels[0].boxes
        await provider.close()
        result = {"Body": json.dumps([{"generated_text": SAID}]), "ContentType": "application/json"}
        told = {"account_id": "123456789012", "region": "us-east-1", "results": [result]}
        async with httpx.AsyncClient() as client:
            url = f"{moto.endpoint}/moto-api/static/sagemaker/endpoint-results"
            assert (await client.post(url, json=told)).status_code == 201
        endpoint["send"] = "json"  # moto falls over bytes that are no text
        provider = open_provider(Configured("it", "sagemaker:blip", options=endpoint))
        assert (await provider.ask(caption(), Deadline(20))).text == SAID
        await provider.close()
