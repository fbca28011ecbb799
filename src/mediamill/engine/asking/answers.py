"""Answers as rows of the ledger keep them."""

from typing import Any

import msgspec

from mediamill.adapters.providers.port import Answer
from mediamill.core.errors import InvalidAnswer

MOST_BYTES = 250_000
"""Of an answer, so that it fits into a row."""


def kept(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON; raises `InvalidAnswer` for one that is longer than a row takes."""
    found: dict[str, Any] = msgspec.to_builtins(answer)
    size = len(msgspec.json.encode(found))
    if size > MOST_BYTES:
        raise InvalidAnswer(
            f"{answer.provider} answered {size:,} bytes; {MOST_BYTES:,} are taken at most.",
            provider=answer.provider,
        )
    return found


def read(found: dict[str, Any]) -> Answer:
    """Return the answer that was kept."""
    return msgspec.convert(found, Answer)
