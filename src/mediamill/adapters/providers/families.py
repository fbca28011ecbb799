"""What is known of models by the names that Bedrock gives them.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from mediamill.adapters.providers.port import Kind, Traits

Structured = Literal["output", "tool", "words"]
"""How a model is held to a schema: `outputConfig`, a tool that it must call, or words alone."""
STRUCTURED: tuple[Structured, ...] = ("output", "tool", "words")


@dataclass(frozen=True)
class Family:
    """Models of one kind."""

    pattern: re.Pattern[str]
    structured: Structured = "words"
    prefill: bool = False
    """Whether it goes on with an assistant's message at the end."""
    temperature: bool = True
    images: int = 0
    long_side: int = 2048
    output_tokens: int = 4096
    input_bytes: int = 300_000

    @property
    def traits(self) -> Traits:
        """What it can be asked."""
        return Traits(
            kinds=frozenset(Kind),
            images=self.images,
            long_side=self.long_side,
            input_bytes=self.input_bytes,
            output_tokens=self.output_tokens,
            schema=self.structured != "words",
            continues=True,
        )


def _family(pattern: str, structured: Structured = "words", **more: int | bool) -> Family:
    return Family(re.compile(pattern), structured, **more)  # type: ignore[arg-type]  # each its own


FAMILIES = (
    _family(r"anthropic\.claude-3-5-haiku", "tool", prefill=True, output_tokens=8192),
    _family(r"anthropic\.claude-3-haiku", "tool", prefill=True, images=20, long_side=1568),
    _family(
        r"anthropic\.claude-(3|(opus|sonnet)-4-(2|1-))", "tool", prefill=True, images=20,
        long_side=1568, output_tokens=8192,
    ),
    _family(
        r"anthropic\.claude-\w+-4-5", "output", prefill=True, images=20, long_side=1568,
        output_tokens=64_000,
    ),
    # These take no beginning of their answer.
    _family(
        r"anthropic\.claude-\w+-4-6", "output", images=20, long_side=1568, output_tokens=64_000
    ),
    # Nor a temperature.
    _family(r"anthropic\.claude", "output", temperature=False, images=20, output_tokens=64_000),
    _family(r"amazon\.nova-micro", "tool", prefill=True, output_tokens=5000),
    _family(r"amazon\.nova-(lite|pro)", "tool", prefill=True, images=20, output_tokens=5000,
            input_bytes=600_000),
    _family(r"amazon\.nova", "tool", images=20, output_tokens=10_000, input_bytes=600_000),
    _family(r"meta\.llama3-2-(11|90)b", images=1, long_side=1120, output_tokens=2048),
    _family(r"meta\.llama4", images=3, output_tokens=8192),
    _family(r"mistral\.pixtral", images=8, long_side=1024, output_tokens=8192),
    _family(r"google\.gemma-3", "output", images=4, long_side=896, output_tokens=8192),
    _family(r"qwen\.qwen3-vl", "output", images=8, output_tokens=8192),
    _family(r""),
)  # fmt: skip
"""The first that fits counts; of a model that nobody knows, it is that it reads and writes text."""


def family_of(model: str) -> Family:
    """Return what is known of a model: a name, an inference profile's name, or an ARN."""
    name = model.rpartition("/")[2]
    return next(family for family in FAMILIES if family.pattern.search(name))


def able(traits: Traits) -> Traits:
    """Return traits without the kinds that need pictures, where it reads none."""
    return traits if traits.images else replace(traits, kinds=frozenset({Kind.TEXT}))
