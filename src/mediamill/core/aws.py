"""AWS clients: made one way, so that credentials are found, kept and renewed alike everywhere.

They come from where AWS's own tools look: the environment, a profile, the role of the container or
machine, a web identity; never from our settings. Only backends that speak to AWS import this.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader

from mediamill import __version__
from mediamill.core.plaintext import refuse_plaintext

REFUSALS = frozenset({
    "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException",
    "InvalidClientTokenId", "InvalidSecurity", "InvalidSignatureException", "NotAuthorized",
    "SignatureDoesNotMatch", "UnrecognizedClientException",
})  # fmt: skip
"""Codes that say that our credentials are none, or do not allow this."""
AGENT = f"mediamill/{__version__}"
"""Who asks. Botocore makes its own description twice a request, which takes a fifth of its time."""
MARGIN_SECONDS = 15
"""A link ends so long before its credentials do: clocks differ."""
SHORT_SECONDS = 3600
"""Botocore asks anew in the last quarter of an hour: at every request, for what lives no longer."""
LEAST_SECONDS = 4
"""So long before their end they are renewed at the latest."""

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, AioSession] = WeakKeyDictionary()


def shared_session() -> AioSession:
    """Return the one session of the running loop: all its clients share what it found."""
    loop = asyncio.get_running_loop()
    if loop not in _sessions:
        _sessions[loop] = _session()
    return _sessions[loop]


def _session() -> AioSession:
    session = get_session()
    session.register_component("data_loader", _models())
    return session


@cache
def _models() -> Loader:
    """Return what reads botocore's descriptions of services, and keeps what it has read.

    Reading them takes a while, in which nothing else is done: not at each attempt to connect.
    """
    return create_loader()


def has_region(region: str | None) -> bool:
    """Tell whether a region is known: given, in the environment, or in a profile."""
    return bool(region or _session().get_config_variable("region"))


@asynccontextmanager
async def client(
    service: str, *, region: str | None = None, endpoint: str | None = None, **config: Any
) -> AsyncIterator[Any]:
    """Make a client; raises botocore's errors, which adapters translate.

    Without credentials there is none: it would stay without, though they are found later.
    Settings of the connection, `connect_timeout` and such, are `config`.
    """
    session = shared_session()
    found = await session.get_credentials()
    if found is None:
        raise NoCredentialsError
    making = session.create_client(
        service,
        region_name=region or None,
        endpoint_url=endpoint or None,
        config=AioConfig(user_agent=AGENT, **config),
    )
    async with making as made:
        await Credentials(found).settle()
        yield made


def check_endpoint(endpoint: str, allowed: str | None) -> None:
    """Raise `ValueError` for what is no address, or leaves the machine in the clear unallowed."""
    try:
        there = urlsplit(endpoint)
        sound = there.scheme in ("http", "https") and bool(there.hostname)
        sound = sound and there.username is None and there.port != 0
    except ValueError:  # quotes what it could not read
        sound = False
    if not sound:
        raise ValueError("endpoint is an address like https://aws.example:4566")
    if there.scheme == "http":
        refuse_plaintext(there.hostname or "", allowed, "endpoint=https://…")


class Credentials:
    """What botocore found, and until when it holds."""

    def __init__(self, found: Any) -> None:
        self._found = found

    async def settle(self) -> None:
        """Have short-lived ones renewed in their last quarter rather than at every request."""
        if getattr(self._found, "_settled", False):
            return
        if self._until() is None:  # of some kinds nothing is known before they are used
            await self._found.get_frozen_credentials()
        until = self._until()
        if until is not None and (life := until - time.time()) < SHORT_SECONDS:
            self._found._advisory_refresh_timeout = max(life / 4, LEAST_SECONDS)
            self._found._mandatory_refresh_timeout = max(life / 8, LEAST_SECONDS / 2)
        self._found._settled = True

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
