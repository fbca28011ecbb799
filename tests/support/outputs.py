"""What each operation of the registry makes, for who goes through all of them."""

from mediamill.operations.base import Placement
from mediamill.operations.catalogue import OPERATIONS

ARCHIVE, DATA = "application/zip", "data"
_EVERY = {"image/jpeg", "image/png", "image/webp", "image/avif"}
KINDS: dict[str, set[str]] = {
    "augment": _EVERY,
    "caption": {DATA, "image/png"},
    "convert": _EVERY,
    "extract-frames": {ARCHIVE},
    "health-check": {"application/json", "application/vnd.apache.parquet", DATA},
    "label": {DATA},
    "preprocess": _EVERY,
    "prompt": {DATA, "text/markdown"},
    "thumbnail": {"image/jpeg", "image/png", "image/webp"},
}
"""Media types of the files that each makes, and `data` where it says something beside them."""
NEEDED = {
    "augment": {"methods": ["rotate"], "copies": 2},
    "caption": {"write_iptc": True},
    "prompt": {"prompt": "What is it?"},
}
"""Parameters without which an operation does nothing, or not all that it can."""
MODELS = frozenset(
    name for name in OPERATIONS.names() if OPERATIONS.get(name).placement is Placement.MODEL
)


def steps_of(name: str) -> list[dict]:
    """Return the parameters by which an operation makes all that it can: one set for a format."""
    known = OPERATIONS.get(name).model_json_schema()["properties"].get("format", {})
    formats = [one for part in (known, *known.get("anyOf", ())) for one in part.get("enum", ())]
    needed = NEEDED.get(name, {})
    return [{**needed, "format": one} for one in formats] or [needed]
