"""What servers say of calls goes into the books: within bounds, or the answer will not do."""

import pytest

from mediamill.adapters.providers.chat import LONGEST_NAME
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Deadline
from mediamill.core.errors import InvalidAnswer
from tests.support.providers.questions import caption
from tests.support.providers.server import Reply, serving
from tests.support.providers.vendors import completion, conversed

WRONG = (-1, -5_000_000_000, 10_000_001, 10**30)


def opened(server, address):
    if address.startswith("openai"):
        return open_provider(Configured("it", address, server.url))
    options = {"endpoint": server.url, "region": "us-east-1"}
    return open_provider(Configured("it", address, options=options))


@pytest.mark.parametrize(
    ("address", "answer", "names"),
    [
        ("openai:m", completion("Yes.", "m"), ("prompt_tokens", "completion_tokens")),
        ("bedrock:amazon.nova-lite-v1:0", conversed([{"text": "Yes."}]),
         ("inputTokens", "outputTokens")),
    ],
)  # fmt: skip
async def test_numbers_that_can_be_none_are_refused(address, answer, names):
    async with serving(lambda request: Reply(answer)) as server:
        provider = opened(server, address)
        assert (await provider.ask(caption(), Deadline(20))).used.input_tokens > 0
        for name in names:
            for number in WRONG:
                usage = {**answer["usage"], name: number}
                server.respond = lambda request, usage=usage: Reply({**answer, "usage": usage})
                with pytest.raises(InvalidAnswer):
                    await provider.ask(caption(), Deadline(20))
        await provider.close()


async def test_names_of_models_are_as_the_server_says_as_far_as_a_row_takes_them():
    body = completion("Yes.", "m")
    body["model"], body["id"] = "a/model\x00\n" + "é" * 10_000, "id\x00" + "x" * 10_000
    async with serving(lambda request: Reply(body)) as server:
        provider = opened(server, "openai:m")
        answer = await provider.ask(caption(), Deadline(20))
        assert answer.model == "a/model" + "é" * (LONGEST_NAME - 9)
        assert answer.request == "id" + "x" * (LONGEST_NAME - 3)
        body["model"] = "\x00"
        assert (await provider.ask(caption(), Deadline(20))).model == "m"
        await provider.close()
