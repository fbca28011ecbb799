"""What a message says: whose file, called what, and the bytes or where they are.

A message is the file's bytes with headers `name`, `customer`, `tags`, `sha256`; or JSON with the
same fields and `content_base64` or `object` (`s3://bucket/key`), which is read without believing
it: no deeper than it may be, nothing that is not known in it.
"""

from dataclasses import dataclass

import msgspec
import pybase64

from mediamill.adapters.stream.port import Message
from mediamill.core.errors import Forbidden, InvalidInput, LimitExceeded, MediamillError
from mediamill.services.files.labels import clean_tags
from mediamill.services.stream.rules import ANYBODY, TopicRule

JSON_TYPES = ("application/json", "application/vnd.mediamill.file+json")
HEADERS = ("name", "customer", "tags", "sha256", "content-type")
MAX_TEXT = 1_000
"""Characters of a header, or a field, that is not the content."""
SHORT_JSON = 64 << 10
"""Bytes that an envelope may have beside its content."""


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file as JSON."""

    content_base64: str = ""
    object: str = ""
    name: str = ""
    customer: str = ""
    tags: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True)
class Wanted:
    """A file that a message brings."""

    customer: str
    name: str
    tags: tuple[str, ...]
    sha256: str | None
    data: bytes | None
    """Its bytes; None where they are an object elsewhere."""
    place: str = ""
    """The object's address."""


def open_envelope(message: Message, rule: TopicRule, max_bytes: int) -> Wanted:
    """Read a message; raises `InvalidInput`, and `Forbidden` for a customer it may not name."""
    headers = _headers(message)
    if _is_json(rule, headers):
        envelope, data = _json(message.value or b"", max_bytes)
    else:
        tags = tuple(filter(None, headers.get("tags", "").split(",")))
        said = {name: headers.get(name, "") for name in ("name", "customer", "sha256")}
        envelope, data = Envelope(tags=tags, **said), message.value or b""
    return Wanted(
        customer=customer_of(envelope.customer, rule),
        name=envelope.name[:MAX_TEXT] or _usual_name(message),
        tags=clean_tags((*rule.tags, *envelope.tags)),
        sha256=_digest(envelope.sha256),
        data=None if envelope.object else data,
        place=envelope.object,
    )


def whose(message: Message, rule: TopicRule, max_bytes: int) -> str:
    """Return the customer of a message that need not be good; raises where that is not known."""
    try:
        return open_envelope(message, rule, max_bytes).customer
    except Forbidden:
        raise
    except MediamillError:
        if rule.customers or not rule.customer:
            raise
        return rule.customer


def customer_of(said: str, rule: TopicRule) -> str:
    """Choose the customer: the one that is said, where the topic lets messages say it."""
    if not said or said == rule.customer:
        if not rule.customer:
            raise InvalidInput("The message does not say for which customer it is.")
        return rule.customer
    if said not in rule.customers and ANYBODY not in rule.customers:
        raise Forbidden(f"This topic is not for the customer {said[:100]!r}.")
    return said


def _headers(message: Message) -> dict[str, str]:
    """Return the headers that mean something; raises `InvalidInput` for what is no text."""
    found: dict[str, str] = {}
    for name, value in message.headers:
        if name not in HEADERS or value is None:
            continue
        try:
            found[name] = value.decode()
        except UnicodeDecodeError:
            raise InvalidInput(f"The header {name} is not UTF-8.") from None
        if len(found[name]) > MAX_TEXT:
            raise InvalidInput(f"The header {name} has more than {MAX_TEXT:,} characters.")
    return found


def _is_json(rule: TopicRule, headers: dict[str, str]) -> bool:
    if rule.format != "auto":
        return rule.format == "json"
    return headers.get("content-type", "").partition(";")[0].strip().lower() in JSON_TYPES


def _json(value: bytes, max_bytes: int) -> tuple[Envelope, bytes]:
    """Read an envelope and its content."""
    if len(value) > max_bytes * 4 // 3 + SHORT_JSON:
        raise LimitExceeded(f"Files may have at most {max_bytes:,} bytes here.")
    try:
        envelope = msgspec.json.decode(value, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The message is no envelope: {str(error)[:200]}.") from None
    if bool(envelope.content_base64) == bool(envelope.object):
        raise InvalidInput("An envelope has either content_base64 or object.")
    try:
        return envelope, pybase64.b64decode(envelope.content_base64, validate=True)
    except ValueError:
        raise InvalidInput("content_base64 is not base64.") from None


def _digest(text: str) -> str | None:
    lowered = text.lower()
    if not lowered:
        return None
    if len(lowered) != 64 or set(lowered) - set("0123456789abcdef"):
        raise InvalidInput("sha256 is 64 hexadecimal digits.")
    return lowered


def _usual_name(message: Message) -> str:
    """Return the message's key where it is text, else where it stood."""
    try:
        key = (message.key or b"").decode()
    except UnicodeDecodeError:
        key = ""
    part = message.part
    return key[:MAX_TEXT] or f"{part.topic}-{part.number}-{message.offset}"
