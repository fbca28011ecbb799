"""The ingest on Lambda: `mediamill.aws.ingest.handler`, fed by MSK or another Kafka.

Lambda keeps the offsets, and hands the same messages over again when this raises. The books are
those of `mediamill ingest`, so both may take one topic. Form of the event:
https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html#msk-sample-event
"""

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mediamill.adapters.stream.port import Message, Part
from mediamill.app import App
from mediamill.aws.environment import Context, Environment
from mediamill.core.errors import Unavailable
from mediamill.services.stream.handed import Handed


class Ingests:
    """A handler that takes messages; keeps what is open for the next invocation."""

    def __init__(self) -> None:
        self._environment: Environment | None = None
        self._handed: Handed | None = None

    def __call__(self, event: Mapping[str, Any], context: Context) -> dict[str, int]:
        """Settle all messages; raises when they must come again, also when time is nearly up."""
        left = context.get_remaining_time_in_millis() / 1000
        if self._environment is None:
            self._environment = Environment(0, slots=2)
        messages = messages_of(event)
        self._environment.demand(left, 1)

        async def settle(app: App) -> None:
            seconds = max(0.0, left - app.settings.function_margin_seconds)
            try:
                async with asyncio.timeout(seconds):
                    await self._settle(app, messages)
            except TimeoutError:
                message = f"Not all of {len(messages)} messages were settled in {seconds:.1f} s."
                raise Unavailable(message) from None

        self._environment.run(settle, context)
        return {"settled": len(messages)}

    def close(self) -> None:
        """Release what is open."""
        if self._environment is not None:
            self._environment.close()
            self._environment = self._handed = None

    async def _settle(self, app: App, messages: Sequence[Message]) -> None:
        if self._handed is None:
            self._handed = app.handed()
        if messages:
            await self._handed.batch(messages)


def messages_of(event: Mapping[str, Any]) -> list[Message]:
    """Read the messages of an event; which cluster and topic these are is looked up later."""
    partitions: Iterable[Sequence[Mapping[str, Any]]] = event.get("records", {}).values()
    return [_message(record) for records in partitions for record in records]


def _message(record: Mapping[str, Any]) -> Message:
    return Message(
        Part("", str(record["topic"]), "", int(record["partition"])),
        int(record["offset"]),
        _bytes(record.get("key")),
        _bytes(record.get("value")),
        tuple(
            (
                name,
                None if value is None else bytes(byte & 0xFF for byte in value),
            )  # Java's: signed
            for header in record.get("headers") or ()
            for name, value in header.items()
        ),
        int(record.get("timestamp") or 0),
    )


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


handler = Ingests()
