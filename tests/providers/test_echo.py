"""The provider for trials does what its address says, and always the same."""

import json
import time

import jsonschema
import pytest

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Deadline, Finish, Kind
from mediamill.adapters.providers.samples import sample
from mediamill.core.errors import ConfigurationError, ProviderUnavailable, RateLimited
from tests.support.providers.questions import SCHEMA, caption, labels, prompt


async def said(address, question, seconds=5):
    return await open_provider(address).ask(question, Deadline(seconds))


async def test_it_says_what_depends_on_the_question_alone():
    assert (await said("echo:", caption())).text == "A picture of 64 by 48 pixels."
    first = await said("echo:", prompt())
    assert first == await said("echo:", prompt())
    assert first.text != (await said("echo:", prompt("Other text."))).text
    assert first.used.output_tokens > 0
    filled = "echo:x?say={kind} of {name}: {images} {width}x{height} {nothing}"
    assert (await said(filled, caption())).text == "caption of a.jpeg: 1 64x48 {nothing}"


async def test_it_answers_to_a_schema():
    answer = await said("echo:", caption(schema=SCHEMA))
    jsonschema.validate(json.loads(answer.text), SCHEMA)
    assert (await said("echo:?say=no", caption(schema=SCHEMA))).text == "no"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "integer", "minimum": 3, "maximum": 5}, "minItems": 2},
        {"$defs": {"a": {"enum": ["x", "y"]}}, "type": "object",
         "properties": {"k": {"$ref": "#/$defs/a"}, "l": {"anyOf": [{"type": "null"}]}},
         "required": ["k", "l"]},
        {"type": "string", "minLength": 90, "maxLength": 95},
        {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        {"const": 4}, {"type": "boolean"}, {"type": "string", "maxLength": 2},
    ],
)  # fmt: skip
def test_samples_fit(schema):
    jsonschema.validate(sample(schema, "Echo 12345678"), schema)


def test_a_schema_without_an_end_has_a_sample():
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    assert sample(schema, "x")["next"]["next"]


async def test_long_answers_are_cut_and_gone_on_with():
    text, finish = "", Finish.LENGTH
    for _ in range(10):
        if finish is Finish.END:
            break
        answer = await said("echo:?length=5000", prompt(begun=text, max_tokens=300))
        text, finish = text + answer.text, answer.finish
    assert len(text) == 5000
    assert text == (await said("echo:?length=5000", prompt(max_tokens=9999))).text


async def test_labels():
    found = (await said("echo:?labels=Dog:0.98,Grass:0.8,Sky:0.5", labels(max_labels=5))).labels
    assert [(label.name, label.confidence) for label in found] == [("Dog", 0.98), ("Grass", 0.8)]
    assert found[0].boxes
    assert len((await said("echo:", labels(max_labels=1))).labels) == 1


async def test_faults_come_in_order_and_pass():
    provider = open_provider("echo:?fault=429:2.5*2,500")
    for _ in range(2):
        with pytest.raises(RateLimited) as raised:
            await provider.ask(caption(), Deadline(5))
        assert raised.value.details["retry_after"] == 2.5
    with pytest.raises(ProviderUnavailable, match="500"):
        await provider.ask(caption(), Deadline(5))
    assert (await provider.ask(caption(), Deadline(5))).text
    with pytest.raises(RateLimited):
        await provider.ask(prompt(), Deadline(5))


async def test_a_share_of_the_questions_has_faults():
    provider, failed = open_provider("echo:?fault=500*&share=0.3"), 0
    for n in range(400):
        try:
            await provider.ask(prompt(str(n)), Deadline(5))
        except ProviderUnavailable:
            failed += 1
    assert 80 <= failed <= 160


async def test_it_waits_as_it_is_told_and_keeps_the_deadline():
    began = time.monotonic()
    await said("echo:?delay=0.05", caption())
    assert time.monotonic() - began >= 0.05
    with pytest.raises(ProviderUnavailable) as raised:
        await said("echo:?fault=timeout*", caption(), 0.05)
    assert raised.value.details["slow"]
    assert raised.value.details["lost"]


def test_traits_are_said_in_the_address():
    traits = open_provider("echo:?images=2&schema=false&kinds=text,labels&long_side=300").traits
    assert (traits.images, traits.schema, traits.long_side) == (2, False, 300)
    assert traits.kinds == {Kind.TEXT, Kind.LABELS}


@pytest.mark.parametrize(
    "address",
    [
        "echo", "none:x", "echo:?what=1", "echo:?fault=404", "echo:?delay=soon", "echo:?images=-1",
        "echo:?schema=yes", "echo:?kinds=songs", "echo:?labels=Dog", "echo:?delay=1&delay=2",
    ],
)  # fmt: skip
def test_wrong_addresses_are_refused(address):
    with pytest.raises(ConfigurationError, match="provider"):
        open_provider(address)


def test_what_is_set_up_beside_the_address_counts():
    asked = Configured("mine", "echo:x", options={"images": "3"})
    provider = open_provider(asked)
    assert (provider.name, provider.model, provider.traits.images) == ("mine", "x", 3)
    with pytest.raises(ConfigurationError, match="said twice"):
        open_provider(Configured("mine", "echo:x?images=3", options={"images": "3"}))
    with pytest.raises(ConfigurationError, match="region"):
        open_provider(Configured("mine", "echo:x", region="us-east-1"))
    with pytest.raises(ValueError, match="concurrency"):
        Configured("mine", "echo:x", concurrency=0)
    assert "hush" not in repr(Configured("mine", "echo:x", key="hush"))
