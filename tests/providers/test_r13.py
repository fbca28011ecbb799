"""R13: every fault against every backend that asks a server, alone and as the first of a chain.

The order is kept, the answer is paid for once, the deadline holds within a tenth, nobody reads what
never ends, and a connection that is given up is closed.
"""

import asyncio
import time
from contextlib import suppress

import pytest

from mediamill.adapters.providers.alone import Alone, Notes
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.fallback import Fallback
from mediamill.adapters.providers.hooks import Outcome
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Deadline
from mediamill.core.errors import InvalidAnswer, MediamillError, ProviderUnavailable, RateLimited
from tests.support.providers.gates import Patient
from tests.support.providers.questions import caption, labels
from tests.support.providers.server import serving
from tests.support.providers.vendors import converse, detect_labels, image_to_text, openai_chat

SECONDS = 2.0
TRIES = 4
BACKENDS = {
    "openai": ("openai:m", openai_chat, caption()),
    "huggingface": ("huggingface:a/b", image_to_text, caption()),
    "huggingface chat": ("huggingface:a/b?task=chat", openai_chat, caption()),
    "bedrock": ("bedrock:anthropic.claude-3-haiku-20240307-v1:0", converse, caption()),
    "sagemaker": ("sagemaker:e", image_to_text, caption()),
    "rekognition": ("rekognition:", detect_labels, labels()),
}
INVALID, LOST, AWAY = Outcome.INVALID, Outcome.LOST, Outcome.UNAVAILABLE
FAULTS = {
    "429": Outcome.LIMITED, "429 later": Outcome.LIMITED, "500": AWAY, "503": AWAY,
    "reset": LOST, "cut": LOST, "empty": INVALID, "bad JSON": INVALID, "wrong shape": INVALID,
    "10 MB": INVALID, "endless": INVALID, "timeout": LOST, "drip": LOST, "drip head": LOST,
}  # fmt: skip
"""Each fault of RELIABILITY's R13, and as what it is kept."""
NEVER_END = ("timeout", "drip", "drip head")
GIVEN_UP = (*NEVER_END, "10 MB", "endless")
"""Connections that we close."""


def opened(server, address, name="it", **more):
    if address.startswith(("openai", "huggingface")):
        return open_provider(Configured(name, address, server.url, **more))
    options = {"endpoint": server.url, "region": "us-east-1"}
    return open_provider(Configured(name, address, options=options, **more))


async def no_wait(seconds):
    """Wait for a repeat, in no time."""


@pytest.mark.parametrize("backend", BACKENDS)
async def test_each_fault_falls_to_the_next_and_is_paid_for_once(backend):
    """One server plays both providers: the first one's turn comes first, with the fault."""
    address, respond, question = BACKENDS[backend]
    async with serving(respond) as server:
        first = opened(server, address, "first")
        second = opened(server, address, "second")
        for provider in (first, second):
            await provider.ask(question, Deadline(20))  # what is loaded once is loaded
        for fault, outcome in FAULTS.items():
            for patience in (0.15, 3) if fault in NEVER_END else (20,):
                notes, server.faults, server.answered = Notes(), [fault], 0
                server.requests.clear()
                first._timeout = patience
                chain = Fallback([first, second], gate=Alone(), ledger=notes, repeats=0)
                with suppress(ProviderUnavailable):
                    answer = await chain.ask(question, Deadline(20))
                if len(server.requests) == 2:
                    break  # else it was starved until its patience ended, before it asked
            assert answer.provider == "second", fault
            told = [(note.provider, note.outcome) for note in notes.attempts]
            assert told == [("first", outcome), ("second", Outcome.ANSWERED)], fault
            assert (server.answered, len(server.requests)) == (1, 2), fault
            paid = [note for note in notes.attempts if note.answer is not None]
            assert [note.provider for note in paid] == ["second"], fault
        await asyncio.wait_for(_hung_up(server, len(GIVEN_UP)), 60)
        await first.close()
        await second.close()


async def _hung_up(server, least):
    while server.hung_up < least:
        await asyncio.sleep(0.01)


async def test_the_deadline_holds_against_what_never_ends():
    """All backends at once, and of each all faults at once: they share its connections."""
    await asyncio.gather(*(_held(*backend) for backend in BACKENDS.values()))


async def _held(address, respond, question):
    async with serving(respond) as server:
        provider = opened(server, address)
        await provider.ask(question, Deadline(20))

        async def asked():
            began = time.monotonic()
            with pytest.raises(ProviderUnavailable) as raised:
                await provider.ask(question, Deadline(SECONDS))
            return time.monotonic() - began, raised.value.details

        for _ in range(TRIES):  # a busy machine may be late now and then, a wrong deadline always
            server.faults = [*NEVER_END]
            told = await asyncio.gather(*(asked() for _ in NEVER_END))
            for seconds, details in told:
                assert seconds >= 0.9 * SECONDS, address
                assert details["slow"], address
                assert details["lost"], address
            took = [seconds for seconds, _ in told]
            if max(took) <= 1.1 * SECONDS:  # R13's own bound
                break
        else:
            raise AssertionError(f"{address} took {took} s of {SECONDS}")
        assert (await provider.ask(question, Deadline(20))).provider == "it"
        await provider.close()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_fault_that_passes_is_repeated_within_the_budget(backend):
    address, respond, question = BACKENDS[backend]
    async with serving(respond, retry_after="7") as server:
        notes, waits = Notes(), []

        async def wait(seconds):
            waits.append(seconds)

        provider = opened(server, address)
        chain = Fallback([provider], gate=Alone(), ledger=notes, sleep=wait)
        server.faults = ["500", "reset"]
        assert (await chain.ask(question, Deadline(20))).provider == "it"
        assert [note.outcome for note in notes.attempts] == [AWAY, LOST, Outcome.ANSWERED]
        assert server.answered == 1
        server.faults = ["503"] * 5
        with pytest.raises(ProviderUnavailable):
            await chain.ask(question, Deadline(20))
        assert server.faults == ["503"] * 2, "asked three times, and no more"
        server.faults, waits[:] = ["429 later"], []
        after = Fallback([provider], gate=Patient(), ledger=notes, sleep=wait)
        await after.ask(question, Deadline(20))
        assert waits == [7]
        await provider.close()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_errors_say_what_happened_and_show_no_key_and_no_address(backend):
    address, respond, question = BACKENDS[backend]
    async with serving(respond, retry_after="7") as server:
        provider = opened(server, address, key="secret-key-of-mine")
        kinds = {"429 later": RateLimited, "503": ProviderUnavailable, "cut": ProviderUnavailable,
                 "bad JSON": InvalidAnswer, "10 MB": InvalidAnswer}  # fmt: skip
        for fault, kind in kinds.items():
            server.faults = [fault]
            with pytest.raises(MediamillError) as raised:
                await provider.ask(question, Deadline(20))
            assert isinstance(raised.value, kind), fault
            told = f"{raised.value!r} {raised.value.message} {raised.value.details}"
            assert raised.value.message.startswith("it "), fault
            assert "secret-key" not in told
            assert str(server.port) not in told
            assert "secret-key" not in repr(provider)
        await provider.close()
