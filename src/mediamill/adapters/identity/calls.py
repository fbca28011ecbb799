"""Ask an issuer: only addresses that the operator's setting leads to, small answers, soon.

Redirects are not followed, cookies are not kept, and proxies of the environment are not used.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from mediamill import __version__
from mediamill.core.errors import Unavailable

SECONDS = 10.0
"""How long an answer may take, all in all."""
PER_STEP = 5.0
LARGEST = 256 << 10

HEADERS = {"User-Agent": f"mediamill/{__version__}", "Accept": "application/json"}


@dataclass(frozen=True)
class Answer:
    """An answer's status, and its JSON object; empty where it is none."""

    status: int
    said: dict[str, Any]


class Calls:
    """Makes requests to one issuer; each on a connection of its own."""

    def __init__(self, ca: str | None) -> None:
        self._tls = ssl.create_default_context(cafile=ca)

    async def get(self, url: str, bearer: str = "") -> Answer:
        """GET a document; raises `Unavailable`."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return await self._ask("GET", url, headers, None)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST a form; raises `Unavailable`."""
        return await self._ask("POST", url, headers or {}, form)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        host = urlsplit(url).hostname
        try:
            async with asyncio.timeout(SECONDS), self._client() as client:
                sent = {**HEADERS, **headers}
                async with client.stream(method, url, headers=sent, data=form) as response:
                    return await _read(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise Unavailable(f"{host}, which signs people in, does not answer.") from error

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self._tls, trust_env=False, follow_redirects=False, timeout=PER_STEP
        )


async def _read(response: httpx.Response) -> Answer:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST:
            raise Unavailable(f"{response.url.host}, which signs people in, answers too much.")
    if response.status_code >= 500 or response.status_code == 429:
        raise Unavailable(
            f"{response.url.host}, which signs people in, answers {response.status_code}."
        )
    try:
        said = msgspec.json.decode(bytes(body))
    except (ValueError, RecursionError):
        said = None
    return Answer(response.status_code, said if isinstance(said, dict) else {})
