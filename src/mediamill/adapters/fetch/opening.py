"""Make the fetcher that the settings describe."""

from mediamill.adapters.fetch.client import Fetcher
from mediamill.adapters.fetch.guard import Guard, read_allowed


def open_fetcher(allowed: str) -> Fetcher:
    """Make a fetcher; raises `ConfigurationError` for a wrong `MEDIAMILL_FETCH_ALLOW`."""
    return Fetcher(Guard(read_allowed(allowed)))
