"""Keys of AWS KMS: `kms://alias/mediamill?region=…&endpoint=…`, or `kms://` and a key's id or ARN.

Each data key seals for some minutes and so many texts, and is opened for as long without asking.
Needs `kms:GenerateDataKey` and `kms:Decrypt`, under the condition that the encryption context has
`mediamill` = `sealed 1`, should you want one; credentials are found where AWS's tools look.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from mediamill.adapters.sealing.port import DataKey, KeyUnknown
from mediamill.core import aws
from mediamill.core.errors import ConfigurationError, Unavailable, Unsealable
from mediamill.core.plaintext import ALLOWING

SETTING = "MEDIAMILL_SEALING_URL"
CONTEXT = {"mediamill": "sealed 1"}
FORM = "write kms://alias/NAME?region=…, or kms://KEY-ID?region=…"
HELD_SECONDS, MOST_TEXTS, MOST_HELD = 300.0, 1000, 1000
"""How long a data key is kept in memory, what it seals, and how many there are."""
GONE = frozenset({"NotFoundException", "DisabledException", "KMSInvalidStateException"})
BROKEN = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
SECONDS = 5
"""How long an answer may take."""


class KmsHolder:
    scheme = "kms"

    def __init__(self, name: str, region: str, endpoint: str) -> None:
        self._name, self._region, self._endpoint = name, region, endpoint
        self._stack, self._lock = AsyncExitStack(), asyncio.Lock()
        self._client: Any = None
        self._sealing: tuple[DataKey, float] | None = None
        self._texts = 0
        self._opened: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    @classmethod
    def open(cls, url: str, home: Path) -> Self:
        """Make the holder of a URL; raises `ConfigurationError`. Nothing is asked yet."""
        try:
            parts = urlsplit(url)
            given = dict(parse_qsl(parts.query, keep_blank_values=True))
            name = parts.netloc + parts.path
            if not name or "@" in name or given.keys() - {"region", "endpoint", ALLOWING}:
                raise ValueError(FORM)
            if "endpoint" in given:
                aws.check_endpoint(given["endpoint"], given.get(ALLOWING))
            if name.startswith("arn:"):
                given.setdefault("region", name.split(":")[3])
            if not aws.has_region(given.get("region")):
                raise ValueError(f"{FORM}; or set AWS_DEFAULT_REGION")
        except ValueError as error:
            raise ConfigurationError(f"{SETTING}: {error}.", setting=SETTING) from None
        return cls(name, given.get("region", ""), given.get("endpoint", ""))

    async def fresh(self) -> DataKey:
        async with self._lock:
            if self._sealing is None or self._spent(self._sealing[1]):
                async with self._asking("GenerateDataKey") as client:
                    made = await client.generate_data_key(
                        KeyId=self._name, KeySpec="AES_256", EncryptionContext=CONTEXT
                    )
                data = DataKey(
                    f"{self.scheme}:{made['KeyId']}", made["Plaintext"], made["CiphertextBlob"]
                )
                self._sealing, self._texts = (data, time.monotonic()), 0
            self._texts += 1
            return self._sealing[0]

    async def unwrap(self, key: str, wrapped: bytes) -> bytes:
        held = self._opened.get(wrapped)
        if held is not None and time.monotonic() - held[1] < HELD_SECONDS:
            return held[0]
        async with self._asking("Decrypt", key) as client:
            answer = await client.decrypt(
                KeyId=key.removeprefix(f"{self.scheme}:"),
                CiphertextBlob=wrapped,
                EncryptionContext=CONTEXT,
            )
        self._opened[wrapped] = answer["Plaintext"], time.monotonic()
        while len(self._opened) > MOST_HELD:
            self._opened.popitem(last=False)
        return bytes(answer["Plaintext"])

    async def key(self) -> str:
        return (await self.fresh()).id

    async def close(self) -> None:
        self._sealing = self._client = None
        self._opened.clear()
        await self._stack.aclose()

    def _spent(self, born: float) -> bool:
        return self._texts >= MOST_TEXTS or time.monotonic() - born >= HELD_SECONDS

    @asynccontextmanager
    async def _asking(self, what: str, key: str = "") -> AsyncIterator[Any]:
        """Lend the client; raise what it raises as an error of ours that says what to do."""
        try:
            if self._client is None:
                making = aws.client(
                    "kms", region=self._region, endpoint=self._endpoint,
                    connect_timeout=SECONDS, read_timeout=SECONDS,
                    retries={"mode": "standard", "total_max_attempts": 3},
                )  # fmt: skip
                self._client = await self._stack.enter_async_context(making)
            yield self._client
        except ClientError as error:
            raise self._meant(error, what, key) from None
        except (BotoCoreError, OSError, TimeoutError) as error:
            raise Unavailable(f"{SETTING}: KMS cannot be asked: {error}") from None

    def _meant(self, error: ClientError, what: str, key: str) -> Exception:
        code = error.response.get("Error", {}).get("Code", "")
        if code in BROKEN:
            return Unsealable("What KMS is asked to open was changed, or sealed by another key.")
        if code in GONE:
            if key:
                return KeyUnknown(key)
            message = f"{SETTING}: KMS has no usable key {self._name} here ({code})."
            return ConfigurationError(message, setting=SETTING)
        if code in aws.REFUSALS:
            message = (
                f"{SETTING}: KMS does not allow kms:{what} ({code}): see docs/how-to/secrets.md."
            )
            return ConfigurationError(message, setting=SETTING)
        return Unavailable(f"{SETTING}: KMS does not answer well: {code}.")


plugin = KmsHolder
