"""What a bucket's answers mean here."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from mediamill.core.errors import NotFound, StorageFull, Unavailable

SILENCE_SECONDS = 60
"""How long an answer, or the next bytes of one, may take."""


async def awaited(waiting: Any, **default: Any) -> Any:
    """Wait for an answer, but not for ever."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await waiting
    except StopAsyncIteration:
        return default["default"]
    except TimeoutError:
        raise Unavailable("The bucket does not answer.") from None


@contextmanager
def told(key: str) -> Iterator[None]:
    """Turn obstore's errors into ours, said without the request that they quote."""
    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise Unavailable("There is no such bucket.") from None
        raise NotFound(f"There is no object “{key}”.", key=key) from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise Unavailable("The bucket refuses our credentials.") from None
    except BaseError as error:
        text = str(error)
        if "QuotaExceeded" in text or "StorageFull" in text or "InsufficientStorage" in text:
            raise StorageFull("The bucket is full.") from None
        raise Unavailable("The bucket cannot be reached, or does not answer well.") from error
