"""Questions and answers in the form of Bedrock's Converse, which all its models share.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.adapters.providers.chat import (
    GO_ON,
    Tokens,
    continuing,
    gone_on,
    instruction_of,
)
from mediamill.adapters.providers.families import Family, Structured
from mediamill.adapters.providers.faults import invalid
from mediamill.adapters.providers.port import (
    Answer,
    Finish,
    Image,
    Part,
    Question,
    Traits,
    Used,
)

TOOL = "answer"
FINISHES = {
    "end_turn": Finish.END,
    "stop_sequence": Finish.END,
    "tool_use": Finish.END,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "guardrail_intervened": Finish.REFUSED,
    "content_filtered": Finish.REFUSED,
}
"""Other ends, `malformed_model_output` and such, are no answers."""


class Block(msgspec.Struct):
    """A part of an answer; of other kinds, such as reasoning, nothing is read."""

    text: str | None = None
    toolUse: dict[str, Any] | None = None  # noqa: N815 - as it is on the wire


class Message(msgspec.Struct):
    """What the model said."""

    content: list[Block]


class Output(msgspec.Struct):
    message: Message


class Usage(msgspec.Struct):
    inputTokens: Tokens  # noqa: N815 - as it is on the wire
    outputTokens: Tokens  # noqa: N815 - as it is on the wire


class Reply(msgspec.Struct):
    """An answer, as far as it is read."""

    output: Output
    stopReason: str  # noqa: N815 - as it is on the wire
    usage: Usage


@dataclass(frozen=True)
class Converse:
    """How one model is asked."""

    name: str
    model: str
    family: Family
    traits: Traits
    structured: Structured
    more: Mapping[str, Any]
    """`additionalModelRequestFields`."""

    def request(self, question: Question) -> dict[str, Any]:
        """Return the members of a request, beside `modelId`."""
        way = self._way(question)
        asked: dict[str, Any] = {"messages": self._messages(question, in_words=way == "words")}
        if question.system:
            asked["system"] = [{"text": question.system}]
        config: dict[str, Any] = {"maxTokens": min(question.max_tokens, self.traits.output_tokens)}
        if question.temperature is not None and self.family.temperature:
            config["temperature"] = question.temperature
        asked["inferenceConfig"] = config
        if question.schema is not None and way == "output":
            text = msgspec.json.encode(question.schema).decode()
            held = {"type": "json_schema", "structure": {"jsonSchema": {"schema": text}}}
            asked["outputConfig"] = {"textFormat": held}
        if question.schema is not None and way == "tool":
            asked["toolConfig"] = _tool(question.schema)
        if self.more:
            asked["additionalModelRequestFields"] = dict(self.more)
        return asked

    def answer(self, found: Any, request: str, *, begun: str = "", images: int = 0) -> Answer:
        """Read an answer, as JSON or as the SDK gives it; raises `InvalidAnswer`.

        `begun` and so many `images` were in the question.
        """
        try:
            reply = msgspec.convert(found, Reply)
        except msgspec.ValidationError as error:
            raise invalid(self.name, f"answers what its protocol does not say: {error}") from None
        finish = FINISHES.get(reply.stopReason)
        if finish is None:
            raise invalid(self.name, "ended its answer in a way that is none")
        text = "".join(_text(block) for block in reply.output.message.content)
        return Answer(
            self.name,
            self.model,
            gone_on(begun, text),
            used=Used(reply.usage.inputTokens, reply.usage.outputTokens, images),
            finish=finish,
            request=request,
        )

    def _way(self, question: Question) -> Structured:
        """Return how it is held to the schema; what was begun can only be gone on with in words."""
        return "words" if question.begun else self.structured

    def _messages(self, question: Question, *, in_words: bool) -> list[dict[str, Any]]:
        content = [block_of(part) for part in question.parts if _sayable(part)]
        instruction = instruction_of(question, schema_in_words=in_words)
        if instruction or not content:
            content.append({"text": instruction or "…"})
        messages = [{"role": "user", "content": content}]
        begun = continuing(question.begun)
        if begun:
            messages.append({"role": "assistant", "content": [{"text": begun}]})
        if begun and not self.family.prefill:
            messages.append({"role": "user", "content": [{"text": GO_ON}]})
        return messages


def block_of(part: Part) -> dict[str, Any]:
    """Return what is asked about as a block."""
    if not isinstance(part, Image):
        return {"text": part.text}
    kind = part.media_type.removeprefix("image/")
    return {"image": {"format": kind, "source": {"bytes": part.data}}}


def _sayable(part: Part) -> bool:
    """Tell whether a part may be sent: blocks of blanks are refused."""
    return isinstance(part, Image) or bool(part.text.strip())


def _tool(schema: Mapping[str, Any]) -> dict[str, Any]:
    spec = {
        "name": TOOL,
        "description": "Give the answer.",
        "inputSchema": {"json": schema},
    }
    return {"tools": [{"toolSpec": spec}], "toolChoice": {"tool": {"name": TOOL}}}


def _text(block: Block) -> str:
    if block.toolUse is not None:
        return msgspec.json.encode(block.toolUse.get("input")).decode()
    return block.text or ""
