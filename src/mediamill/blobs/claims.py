"""The mark of a move into a place for bytes, or of a restore, that is not finished.

While it is there some bytes are missing, so no service starts on such a place.
"""

from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConfigurationError, NotFound

CLAIM = "move/claim"
"""JSON of `moving/journal.py`, or of `backup/restoring.py`."""


async def refuse_claimed(blobs: Blobs, setting: str) -> None:
    """Raise `ConfigurationError` when a move into a place is under way or was left."""
    try:
        await blobs.info(CLAIM)
    except NotFound:
        return
    raise ConfigurationError(
        f"{setting}: a move into this place is not finished, or a restore. Wait for `mediamill "
        "migrate` or `restore` to end, or give the same command again: it goes on where it was.",
        setting=setting,
    )
