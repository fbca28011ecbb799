"""Prefixed, time-ordered identifiers: `job_01KAB…`, 26 Crockford base-32 characters.

48 bits of milliseconds, then 80 random bits, as in the ULID specification; ids of one process are
strictly increasing, because within a millisecond the random part counts up.
"""

import os
import re
import threading
import time

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PATTERN = re.compile(r"^[a-z]{2,12}_[0-9A-HJKMNP-TV-Z]{26}$")

_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """Make a new id, later in order than every id that this process made before."""
    global _last  # noqa: PLW0603 - the order within a process is the point
    fresh = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    with _lock:
        _last = fresh if fresh > _last else _last + 1
        value = _last
    return f"{prefix}_{encode(value)}"


def encode(value: int) -> str:
    """Write 130 bits as 26 characters whose order is the order of the numbers."""
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def is_id(text: str, prefix: str) -> bool:
    """Tell whether `text` is a well-formed id with this prefix."""
    return text.startswith(f"{prefix}_") and PATTERN.match(text) is not None
