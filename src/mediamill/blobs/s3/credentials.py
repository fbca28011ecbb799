"""The credentials of a client, and until when they hold."""

import time
from typing import Any

MARGIN_SECONDS = 15
"""A link ends so long before its credentials do: clocks differ."""
SHORT_SECONDS = 3600
"""Botocore asks anew in the last quarter of an hour: at every request, for what lives no longer."""


class Credentials:
    """What botocore found: in the environment, a file, a process, a role, a web identity."""

    def __init__(self, found: Any) -> None:
        self._found = found

    async def settle(self) -> None:
        """Have short-lived ones renewed in their last quarter rather than at every request."""
        if self._until() is None:  # of some kinds nothing is known before they are used
            await self._found.get_frozen_credentials()
        until = self._until()
        if until is not None and (life := until - time.time()) < SHORT_SECONDS:
            self._found._advisory_refresh_timeout = life / 4
            self._found._mandatory_refresh_timeout = life / 8

    async def lasting(self, seconds: int) -> int:
        """Return how many of the next `seconds` they hold for sure, renewed if that is due."""
        await self._found.get_frozen_credentials()
        until = self._until()
        if until is None:
            return seconds
        return max(1, min(seconds, int(until - time.time()) - MARGIN_SECONDS))

    def _until(self) -> float | None:
        expiry = getattr(self._found, "_expiry_time", None)  # refreshable ones have it
        return None if expiry is None else float(expiry.timestamp())
