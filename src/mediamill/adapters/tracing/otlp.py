"""Spans to a collector by OTLP over HTTP: OpenTelemetry's, Jaeger, Tempo and others take it.

Spans wait in memory and go together, every few seconds, from a thread; where nobody takes them,
the oldest are dropped, nothing else waits, and the log says so once an hour. The SDK reads `OTEL_…`
variables by itself: for headers that a collector asks for, or names of the service.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as Recorded

from mediamill import __version__
from mediamill.core.tracing import Kind, Value

CLOSING_SECONDS = 5
HOUR_SECONDS = 3600.0
KINDS = {
    Kind.SERVER: SpanKind.SERVER,
    Kind.CONSUMER: SpanKind.CONSUMER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.INTERNAL: SpanKind.INTERNAL,
}

log = structlog.get_logger(__name__)


class Otlp:
    """Sends the share of traces that their ids choose: all spans of a trace, or none."""

    def __init__(self, url: str, share: float) -> None:
        """`url` is the collector's, as in http://127.0.0.1:4318."""
        logger = logging.getLogger("opentelemetry")
        logger.handlers[:], logger.propagate = [Hourly()], False
        exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=CLOSING_SECONDS)
        said = {
            "service.name": "mediamill",
            "service.version": __version__,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
        }
        self._provider = TracerProvider(
            sampler=TraceIdRatioBased(share), resource=Resource.create(said), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mediamill")

    @contextmanager
    def span(
        self,
        name: str,
        kind: Kind,
        parent: str | None,
        facts: Mapping[str, Value],
        began: int | None = None,
    ) -> Iterator["Told"]:
        spoken = {f"mediamill.{fact}": value for fact, value in facts.items()}
        made = self._tracer.start_span(
            name, _under(parent), kind=KINDS[kind], attributes=spoken, start_time=began
        )
        told = Told(made)
        try:
            yield told
        except BaseException as error:
            told.fail(type(error).__name__)
            raise
        finally:
            made.end()

    async def flush(self, seconds: float) -> None:
        """Wait for what is on its way; the SDK does not keep to a time that it is given."""
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.to_thread(self._provider.force_flush, int(seconds * 1000))

    async def close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await asyncio.to_thread(self._provider.shutdown)


class Hourly(logging.Handler):
    """Says once an hour what the SDK complains of, which it does every few seconds."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said, self._more = -HOUR_SECONDS, 0

    def emit(self, record: logging.LogRecord) -> None:
        self._more += 1
        if time.monotonic() - self._said >= HOUR_SECONDS:
            log.warning("traces not taken", action="traces_lost", error=record.getMessage(),
                        times=self._more)  # fmt: skip
            self._said, self._more = time.monotonic(), 0


class Told:
    """One span."""

    def __init__(self, made: Recorded) -> None:
        self._made, context = made, made.get_span_context()
        self.traceparent = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )

    def note(self, **facts: Value) -> None:
        for fact, value in facts.items():
            self._made.set_attribute(f"mediamill.{fact}", value)

    def rename(self, name: str) -> None:
        self._made.update_name(name)

    def fail(self, reason: str) -> None:
        self._made.set_status(Status(StatusCode.ERROR, reason))


def _under(parent: str | None) -> Context:
    """Return the context below a `traceparent`; an empty one begins a trace."""
    if parent is None:
        return Context()
    _, trace, span, flags = parent.split("-")
    context = SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(context), Context())
