"""OpenAI and what speaks its protocol: vLLM, Ollama, LM Studio, llama.cpp, gateways.

    openai:gpt-4o-mini
    openai:llama3.2-vision?base_url=http://127.0.0.1:11434/v1&images=1

A call is `POST {base_url}/chat/completions`, with the key, where there is one, as a bearer.
Pictures go as data URIs, a schema as `response_format`. Parameters: `structured=json_schema`,
`json_object` or `none`, what the server knows of schemas; `limit=max_tokens` or
`max_completion_tokens`, as which it is told how long an answer may be; `detail=auto`, `low` or
`high` of pictures; `ca`, a file with the certificates that the server's is judged by.
"""

import re
from typing import ClassVar

from mediamill.adapters.providers import completions
from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.completions import LIMITS, PATH, Completions
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.faults import within
from mediamill.adapters.providers.port import Answer, Deadline, Question
from mediamill.adapters.providers.wire import OPTIONS, Wire

BASE_URL = "https://api.openai.com/v1"
REASONING = re.compile(r"o\d|gpt-5")
"""Models of OpenAI's that take no temperature."""
HEADERS = {"Content-Type": "application/json"}


class OpenAI:
    """Asks a server for chat completions."""

    options: ClassVar[frozenset[str]] = OPTIONS | completions.OPTIONS

    def __init__(self, configured: Configured, chat: Completions, wire: Wire) -> None:
        self.name, self.model, self.traits = chat.name, chat.model, chat.traits
        self._chat, self._wire, self._timeout = chat, wire, configured.timeout

    @classmethod
    def open(cls, configured: Configured, address: Address) -> "OpenAI":
        """Make it; raises `ValueError`."""
        address.need_model("gpt-4o-mini")
        own = "base_url" not in address.options
        steady = own and REASONING.match(address.model) is not None
        chat = Completions.of(configured.name, address, limit=LIMITS[own], steady=steady)
        return cls(configured, chat, Wire(configured, address, BASE_URL))

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        """Ask once."""
        async with within(self.name, deadline, self._timeout):
            reply = await self._wire.post(PATH, self._chat.body(question), HEADERS)
        return self._chat.answer(question, reply)

    async def close(self) -> None:
        """Close its connections."""
        await self._wire.close()


plugin = OpenAI
