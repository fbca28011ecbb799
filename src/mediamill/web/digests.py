"""The digest that a sender announces: `X-Content-SHA256`, or `Content-Digest` (RFC 9530)."""

import base64
import binascii
import re

from starlette.datastructures import Headers

from mediamill.core.errors import InvalidInput

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_MEMBER = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/=]*):")


def announced_sha256(headers: Headers) -> str | None:
    """Return the SHA-256 that the headers give for the bytes, in lower-case hexadecimal.

    Raises `InvalidInput` for one that is malformed, and when two of them differ. Algorithms other
    than sha-256 are passed over, as the RFC has it.
    """
    found = {hexadecimal(headers), content_digest(headers)} - {None}
    if len(found) > 1:
        raise InvalidInput.at("X-Content-SHA256", "X-Content-SHA256 and Content-Digest differ.")
    return found.pop() if found else None


def hexadecimal(headers: Headers) -> str | None:
    """Read `X-Content-SHA256`."""
    name = "X-Content-SHA256"
    value = headers.get(name)
    if value is None:
        return None
    if not _HEX.fullmatch(value.strip()):
        raise InvalidInput.at(name, f"{name} holds 64 hexadecimal digits.")
    return value.strip().lower()


def content_digest(headers: Headers) -> str | None:
    """Read the sha-256 of `Content-Digest`, or else of `Repr-Digest`."""
    for name in ("Content-Digest", "Repr-Digest"):
        value = headers.get(name)
        if value is None or "sha-256" not in value:
            continue
        member = _MEMBER.search(value)
        try:
            raw = base64.b64decode(member[1], validate=True) if member else b""
        except binascii.Error:
            raw = b""
        if len(raw) != 32:
            raise InvalidInput.at(
                name, f"{name} is written like this: sha-256=:base 64 of 32 bytes:"
            )
        return raw.hex()
    return None
