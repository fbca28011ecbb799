"""A move into this store that is not finished: `moving/` makes the row and removes it at the end.

While it is there the rest is incomplete, so no service starts on such a store.
"""

from mediamill.core.errors import ConfigurationError
from mediamill.core.records import Key, Record
from mediamill.store.port import Store

ONLY = "move"


class Move(Record, frozen=True, kw_only=True):
    """How far the one move into this store has come."""

    table = "moves"
    key = Key("id")

    id: str = ONLY
    progress: str
    """JSON of `moving/journal.py`."""
    begun: int


async def refuse_unfinished(store: Store) -> None:
    """Raise `ConfigurationError` when a move into a store is under way or was left."""
    if await store.get(Move, ONLY) is not None:
        raise ConfigurationError(
            "MEDIAMILL_STORE_URL: a move into this database is not finished. Wait for `mediamill "
            "migrate` to end, or give the same command again: it goes on where it was.",
            setting="MEDIAMILL_STORE_URL",
        )
