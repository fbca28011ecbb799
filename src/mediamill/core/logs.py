"""Set up logging: one stream of events on stderr, for people (text) or for machines (JSON).

Every event has a stable `action` key. The standard library's loggers, uvicorn's among them, go
the same way. Nothing that looks like a secret leaves: fields by their name, tokens by their form;
and no address of mail, which a mail server's answer repeats.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from mediamill.core.ids import is_id

HIDDEN = "[hidden]"
_SECRET_FIELD = re.compile(
    r"(?:^|_)(?:password|passwd|secret|token|authorization|cookie|api_key|credentials?)$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\bmm[a-z]_[A-Za-z0-9_-]{16,}"  # our own tokens
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # an issuer's
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password@ of an address
    r"|(?<=\bBearer )[A-Za-z0-9._~+/=-]{8,}"
    r"|(?<=[?&]password=)[^&\s]+|(?<=\bclient_secret=)[^&\s]+"  # parameters of an address
    r"|(?<=<)[^<>@\s]+@[^<>@\s]+(?=>)"  # an address of mail, as servers of mail write it
    r"|(?<![\w.+%'/-])[\w.+%'-]+(?:@|%40)"
    r"(?![\w-]+\.(?:png|jpe?g|webp|avif|gif|svg|mp4|webm|json|txt|service)(?!\.?[\w-]))"  # icon@2x
    r"(?:[\w-]+\.)+[^\W\d_]{2,}"
)
"""Each is linear in the text: it may be anybody's, and long."""
_QUIET = (
    "uvicorn.access", "httpx", "httpcore", "asyncio", "multipart", "python_multipart",
    "botocore", "aiobotocore", "urllib3",
)  # fmt: skip
_SILENT = ("aio_pika", "aiormq", "nats", "redis")
"""Tell of each attempt, and of every byte: the doorbell says itself what matters, once."""

Event = MutableMapping[str, Any]


def hide_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Replace secrets in an event by `[hidden]`, by field name and by form."""
    for name, value in event.items():
        event[name] = HIDDEN if _SECRET_FIELD.search(name) and _telling(value) else _clean(value)
    return event


def _telling(value: Any) -> bool:
    """Tell whether a value under a secret's name may be one; the id of a token is none."""
    return bool(value) and not (isinstance(value, str) and is_id(value, "token"))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_TEXT.sub(HIDDEN, value)
    if isinstance(value, dict):
        return dict(hide_secrets(None, "", dict(value)))
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def configure_logging(
    log_format: str = "auto", log_level: str = "info", stream: TextIO | None = None
) -> None:
    """Send all logging to a stream (stderr); `auto` is text on a terminal and JSON elsewhere."""
    target = stream or sys.stderr
    text = log_format == "text" or (log_format == "auto" and target.isatty())
    shared = _shared_processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    renderer = _text(colours=target.isatty()) if text else _json()
    handler.setFormatter(_formatter(shared, renderer))
    _replace_handlers(handler, log_level.upper())


def _shared_processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(allow=("action",)),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _formatter(shared: list[Any], renderer: list[Any]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            hide_secrets,
            *renderer,
        ],
    )


def _text(*, colours: bool) -> list[Any]:
    return [structlog.dev.ConsoleRenderer(colors=colours)]


def _json() -> list[Any]:
    return [
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(ensure_ascii=False, default=repr),
    ]


def _not_told_before(record: logging.LogRecord) -> bool:
    """Leave out uvicorn's word on an exception that `web/observing.py` has logged already."""
    return not str(record.msg).startswith("Exception in ASGI application")


def _replace_handlers(handler: logging.Handler, level: str) -> None:
    """Make `handler` the only one, and let libraries speak up only when something is wrong."""
    top = logging.getLogger()
    top.handlers[:] = [handler]
    top.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.filters[:] = [_not_told_before]
        logger.setLevel("WARNING" if level == "INFO" else level)
    for name in _QUIET:
        logging.getLogger(name).setLevel("WARNING")
    for name in _SILENT:
        logging.getLogger(name).setLevel("CRITICAL")
    logging.captureWarnings(capture=True)
