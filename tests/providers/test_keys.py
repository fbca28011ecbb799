"""Keys: one that cannot be sent is refused before, and no error says one that a server quotes."""

import json

import pytest

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.faults import declined
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Deadline
from mediamill.adapters.providers.wire import Wire
from mediamill.core.errors import (
    ConfigurationError,
    MediamillError,
    ProviderRefused,
    QuestionRefused,
)
from mediamill.engine.asking.chains import Static
from tests.support.providers.questions import caption, labels
from tests.support.providers.server import Reply, serving
from tests.support.providers.vendors import aws_error, openai_chat, openai_error

PLAIN = "0123456789abcdef0123456789abcdef"
"""No pattern knows it for a key."""
KEYS = (PLAIN, 'short/"one"', "a", "with spaces in it")
ACCESS = "AKIA" + "IOSFODNN7EXAMPLE"  # in two, as no key of anybody may stand here
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION = "FwoGZXIvYXdzEBYaDKLmNoPqRsTuVwXyZ0123456789ABCDEFGHIJ"
SERVERS = ("openai:m", "huggingface:a/b", "huggingface:a/b?task=chat")
CLOUDS = {
    "bedrock:amazon.nova-lite-v1:0": caption(), "sagemaker:e": caption(),
    "sagemaker:e?send=chat": caption(), "rekognition:": labels(),
}  # fmt: skip


def refusals(key):
    """Answers that quote a key, as vendors' and others' do."""
    said = f"Incorrect API key provided: {key}. You can find yours at home."
    yield from (openai_error(status, "invalid_api_key", said) for status in (401, 400, 429, 500))
    yield openai_error(429, "insufficient_quota", said)
    yield Reply({"detail": said}, 403)
    yield Reply(json.dumps({"message": said}).replace("e", "\\u0065").encode(), 401)
    yield Reply(said.encode(), 401)
    yield Reply({"error": said, "estimated_time": 5, key: key}, 503)
    yield Reply(openai_error(401, key, said).body, 302)


async def failed(provider, question):
    """Ask, and return all that an error says."""
    with pytest.raises(MediamillError) as raised:
        await provider.ask(question, Deadline(20))
    error = raised.value
    assert not error.details.get("lost")
    return f"{error.message} {error.details} {error!r} {error.__cause__!r}"


@pytest.mark.parametrize("address", SERVERS)
async def test_a_key_that_a_server_quotes_is_not_repeated(address):
    async with serving(openai_chat) as server:
        for key in KEYS:
            provider = open_provider(Configured("IT", address, server.url, key=key))
            for reply in refusals(key):
                server.respond = lambda request, reply=reply: reply
                told = await failed(provider, caption())
                assert told.startswith("IT ")
                if len(key) > 1:
                    assert key not in told, reply
                else:
                    assert "Incorrect" not in told or "…" in told
            await provider.close()


async def test_who_reads_a_refusal_by_itself_meets_no_key():
    def meant(status, body):
        return declined("IT", body.decode())

    async with serving(lambda request: openai_error(401, "x", f"Wrong: {PLAIN}")) as server:
        configured = Configured("IT", "openai:m", server.url, key=PLAIN)
        wire = Wire(configured, Address.of("openai:m", {}, frozenset()), server.url)
        with pytest.raises(QuestionRefused, match="Wrong: …") as raised:
            await wire.post("/", b"", {}, meant)
        assert PLAIN not in raised.value.message
        await wire.close()


@pytest.mark.parametrize("address", CLOUDS)
async def test_credentials_that_aws_quotes_are_not_repeated(address, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)
    said = f"The token {SESSION} of {ACCESS} is wrong, not {SECRET}"
    kinds = {
        "UnrecognizedClientException": 403, "IncompleteSignature": 400, "ThrottlingException": 429,
        "ValidationException": 400, "InternalServerException": 500, "Whatever": 418,
    }  # fmt: skip
    async with serving(openai_chat) as server:
        options = {"endpoint": server.url, "region": "us-east-1"}
        provider = open_provider(Configured("IT", address, options=options))
        for code, status in kinds.items():
            server.respond = lambda request, code=code, status=status: aws_error(status, code, said)
            told = await failed(provider, CLOUDS[address])
            assert not [part for part in (ACCESS, SECRET, SESSION) if part in told], code
        await provider.close()


class Kept:
    """A key as its keeper has it now."""

    setting = ""

    def __init__(self, key):
        self.key = key

    async def current(self):
        return self.key

    renewed = current


UNSENDABLE = ("secret\n", " secret", "se\ncret", "sécret", "secret\x00", "secret\x7f", "секрет")


@pytest.mark.parametrize("key", UNSENDABLE)
async def test_a_key_that_cannot_be_sent_is_refused(key):
    with pytest.raises(ValueError, match="its key is one line of ASCII") as wrong:
        Configured("it", "openai:m", key=key)
    assert key.strip() not in str(wrong.value)
    async with serving(openai_chat) as server:
        provider = open_provider(Configured("it", "openai:m", server.url, key=Kept(key)))
        with pytest.raises(ProviderRefused, match="its key is one line of ASCII") as raised:
            await provider.ask(caption(), Deadline(20))
        assert not raised.value.details.get("lost"), "it was not sent"
        assert key.strip() not in str(raised.value.details) + raised.value.message
        assert server.connections == 0
        await provider.close()


async def test_what_is_no_http_was_not_sent(monkeypatch):
    monkeypatch.setattr("mediamill.adapters.providers.wire.wrong_key", lambda key: "")
    async with serving(openai_chat) as server:
        provider = open_provider(Configured("it", "openai:m", server.url, key=Kept("two\nlines")))
        with pytest.raises(ProviderRefused, match="no HTTP") as raised:
            await provider.ask(caption(), Deadline(20))
        assert not raised.value.details.get("lost")
        assert not server.requests
        await provider.close()


def test_a_file_with_such_a_key_is_refused(tmp_path):
    file = tmp_path / "providers.toml"
    file.write_text('[providers.one]\naddress = "openai:m"\nkey = "sécret"\n')
    with pytest.raises(ConfigurationError, match="provider one: its key is one line") as raised:
        Static.read(str(file), {})
    assert "cret" not in raised.value.message
