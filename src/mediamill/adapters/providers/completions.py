"""The protocol of chat completions, which OpenAI defined and most servers speak.

https://platform.openai.com/docs/api-reference/chat/create
"""

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pybase64

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.chat import (
    GO_ON,
    Tokens,
    continuing,
    gone_on,
    instruction_of,
    named,
    strict,
)
from mediamill.adapters.providers.faults import invalid
from mediamill.adapters.providers.port import (
    Answer,
    Finish,
    Image,
    Kind,
    Part,
    Question,
    Traits,
    Used,
)
from mediamill.adapters.providers.prices import worst
from mediamill.adapters.providers.wire import Reply, read

PATH = "/chat/completions"
OPTIONS = frozenset({"structured", "limit", "detail"})
LIMITS = ("max_tokens", "max_completion_tokens")
TRAITS = Traits(kinds=frozenset(Kind), images=10, output_tokens=16_384, continues=True)
FINISHES = {
    "stop": Finish.END,
    "eos_token": Finish.END,  # text-generation-inference
    "length": Finish.LENGTH,
    "content_filter": Finish.REFUSED,
}


class Message(msgspec.Struct):
    """What the model said: a text, or parts of one."""

    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None


class Choice(msgspec.Struct):
    """The answer; `finish_reason` says why it ended."""

    message: Message
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    """What it is paid by."""

    prompt_tokens: Tokens = 0
    completion_tokens: Tokens = 0


class Completion(msgspec.Struct):
    """An answer, as far as it is read; it may have other fields."""

    choices: list[Choice]
    id: str | None = None
    model: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True)
class Completions:
    """How one model of one server is asked."""

    name: str
    model: str
    traits: Traits
    structured: str
    """What it knows of schemas: `json_schema`, `json_object` or `none`."""
    limit: str
    """As which it is told how long an answer may be."""
    detail: str
    steady: bool = False
    """Whether it takes no temperature."""

    @classmethod
    def of(
        cls, name: str, address: Address, *, limit: str = LIMITS[0], steady: bool = False
    ) -> "Completions":
        """Read what the address says; raises `ValueError`."""
        structured = address.choice("structured", "json_schema", "json_object", "none")
        known = replace(TRAITS, schema=structured == "json_schema")
        others = (other for other in LIMITS if other != limit)
        return cls(
            name,
            address.model,
            address.traits(known),
            structured,
            address.choice("limit", limit, *others),
            address.choice("detail", "auto", "low", "high"),
            steady,
        )

    def body(self, question: Question) -> bytes:
        """Return the request's body."""
        constrained = self._constrained(question)
        asked: dict[str, Any] = {
            "model": self.model,
            "messages": self._messages(question, schema_in_words=constrained is None),
            self.limit: min(question.max_tokens, self.traits.output_tokens),
        }
        if question.temperature is not None and not self.steady:
            asked["temperature"] = question.temperature
        if constrained is not None:
            asked["response_format"] = constrained
        elif question.schema is not None and self.structured == "json_object":
            asked["response_format"] = {"type": "json_object"}
        return msgspec.json.encode(asked)

    def answer(self, question: Question, reply: Reply) -> Answer:
        """Read an answer; raises `InvalidAnswer`."""
        found = read(self.name, reply.body, Completion)
        if not found.choices:
            raise invalid(self.name, "answers no choice")
        choice = found.choices[0]
        finish = FINISHES.get(choice.finish_reason or "stop")
        if finish is None:
            raise invalid(self.name, "calls a tool that was not offered, or ends in another way")
        if choice.message.refusal:
            finish = Finish.REFUSED
        return Answer(
            self.name,
            named(found.model) or self.model,
            gone_on(question.begun, _text(choice.message.content)),
            used=self._used(question, found.usage),
            finish=finish,
            request=named(reply.headers.get("x-request-id") or found.id),
        )

    def _used(self, question: Question, usage: Usage | None) -> Used:
        """Return what was used; where a server does not say so, the most that it can be."""
        if usage is None or not usage.prompt_tokens:
            return replace(worst(question, self.traits), seconds=0.0)
        return Used(usage.prompt_tokens, usage.completion_tokens, len(question.images))

    def _constrained(self, question: Question) -> dict[str, Any] | None:
        """Return how an answer is held to a schema; what was begun cannot be."""
        if question.schema is None or self.structured != "json_schema" or question.begun:
            return None
        schema = {
            "name": "answer",
            "schema": question.schema,
            "strict": strict(question.schema),
        }
        return {"type": "json_schema", "json_schema": schema}

    def _messages(self, question: Question, *, schema_in_words: bool) -> list[dict[str, Any]]:
        content = [self._block(part) for part in question.parts]
        instruction = instruction_of(question, schema_in_words=schema_in_words)
        if instruction:
            content.append({"type": "text", "text": instruction})
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if question.system:
            messages.insert(0, {"role": "system", "content": question.system})
        if question.begun:
            messages.append({"role": "assistant", "content": continuing(question.begun)})
            messages.append({"role": "user", "content": GO_ON})
        return messages

    def _block(self, part: Part) -> dict[str, Any]:
        if not isinstance(part, Image):
            return {"type": "text", "text": part.text}
        data = pybase64.b64encode(part.data).decode("ascii")
        found = {"url": f"data:{part.media_type};base64,{data}"}
        return {
            "type": "image_url",
            "image_url": found if self.detail == "auto" else {**found, "detail": self.detail},
        }


def _text(content: str | list[dict[str, Any]] | None) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    return content or ""
