"""Values as bytes that sort as the values do, so that one binary key holds several fields.

    text     its UTF-8 and a zero byte: code point order, and no text is the beginning of another
    integer  eight bytes, big-endian, offset by 2⁶³
    float    IEEE 754 with the sign turned: negative numbers bitwise inverted
    binary   a zero byte as 00 ff, the end as 00 00

What is encoded of some fields is never the beginning of what is encoded of other values of them.
"""

import struct
from collections.abc import Iterable

from mediamill.store.codec import Primitive

OFFSET = 1 << 63


def ordered(values: Iterable[Primitive]) -> bytes:
    """Encode the values of some fields, whose types are always the same; none may be None."""
    return b"".join(map(_one, values))


def _one(value: Primitive) -> bytes:
    match value:
        case str():
            return value.encode() + b"\0"
        case int():
            return struct.pack(">Q", value + OFFSET)
        case float():
            (bits,) = struct.unpack(">Q", struct.pack(">d", value + 0.0))  # -0.0 is 0.0
            return struct.pack(">Q", bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else OFFSET))
        case bytes():
            return value.replace(b"\0", b"\0\xff") + b"\0\0"
    raise ValueError("None has no place in an order")


def after(encoded: bytes) -> bytes:
    """Return the least key behind one that is complete."""
    return encoded + b"\0"


def before(encoded: bytes) -> bytes:
    """Return a key before one that is complete, and behind all that are less."""
    return encoded[:-1] + bytes([encoded[-1] - 1]) + b"\xff" * 16 if encoded[-1] else encoded[:-1]


def last_of(prefix: bytes) -> bytes:
    """Return a key behind all that begin with this."""
    return prefix + b"\xff" * 16
