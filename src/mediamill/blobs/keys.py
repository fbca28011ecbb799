"""The rule for keys, checked by every store before it touches anything."""

import re

from mediamill.core.errors import Conflict

LONGEST = 512
RESULTS = frozenset({"frozen", "idempotency", "layouts", "manifests", "results"})
"""First parts of the keys of what lies in `MEDIAMILL_RESULTS_URL`; all else are originals."""
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._=-]{1,250}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*\Z", re.ASCII)
_PREFIX = re.compile(rf"(?:{_SEGMENT}/)*[A-Za-z0-9._=-]{{0,250}}\Z", re.ASCII)


def check_key(key: str) -> str:
    """Return the key; raises `ValueError` unless it follows the rule of the port."""
    if len(key) > LONGEST or not _KEY.match(key):
        raise ValueError(f"not a key: {key[:80]!r}")
    return key


def taken(key: str) -> Conflict:
    """Return what is raised when a fresh key is not."""
    return Conflict(f"There is an object “{key}” already.", key=key)


def check_prefix(prefix: str) -> str:
    """Return a prefix, which may be empty or end within a segment, or raise `ValueError`."""
    if len(prefix) > LONGEST or not _PREFIX.match(prefix):
        raise ValueError(f"not a prefix of keys: {prefix[:80]!r}")
    return prefix


def check_range(start: int, stop: int | None) -> None:
    """Raise `ValueError` for a range that counts from the end."""
    if start < 0 or (stop is not None and stop < 0):
        raise ValueError(f"not a range of bytes: {start}…{stop}")


def of_results(key: str) -> bool:
    """Tell whether an object lies with results, where these have a place of their own."""
    return key.partition("/")[0] in RESULTS
