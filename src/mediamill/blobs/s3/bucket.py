"""Requests to a folder of a bucket, by one client with one source of credentials."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from mediamill.blobs.keys import check_key
from mediamill.blobs.port import BlobInfo
from mediamill.blobs.s3.answers import told
from mediamill.blobs.s3.options import Options
from mediamill.core import aws
from mediamill.core.errors import Unavailable

SILENCE_SECONDS = 30
"""How long an answer, or the next bytes of one, may take."""
ATTEMPTS = 6
CONNECTIONS = 64


class Bucket:
    """A folder of a bucket: asks, and tells errors in our words."""

    def __init__(
        self, options: Options, client: Any, signer: Any, origin: str,
        credentials: aws.Credentials, stack: Any,
    ) -> None:  # fmt: skip
        """`origin` is where signed requests go: it depends on how the bucket is addressed."""
        self.options, self.client, self.signer, self.origin = options, client, signer, origin
        self.name, self.credentials = options.bucket, credentials
        self._stack = stack

    @classmethod
    async def open(cls, options: Options) -> Self:
        """Make the clients; raises `Unavailable` when there are no credentials."""
        session = aws.shared_session()
        async with AsyncExitStack() as stack:
            with told(""):
                client = await stack.enter_async_context(_client(session, options))
                signer = client
                if options.public_endpoint:
                    signing = _client(session, options, options.public_endpoint)
                    signer = await stack.enter_async_context(signing)
                found = await session.get_credentials()
                if found is None:
                    raise Unavailable("there are no credentials: see docs/how-to/s3.md.")
                credentials = aws.Credentials(found)
                await credentials.settle()
                place = {"Bucket": options.bucket, "Key": "origin"}
                signed = urlsplit(await signer.generate_presigned_url("get_object", Params=place))
            client.meta.events.register("before-call.s3.GetObject", _ask_for_checksum)
            origin = f"{signed.scheme}://{signed.netloc}"
            return cls(options, client, signer, origin, credentials, stack.pop_all())
        raise AssertionError  # pragma: no cover - the block returns or raises

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()

    def path(self, key: str) -> str:
        """Return where an object lies; raises `ValueError` for what is no key."""
        return self.joined(check_key(key))

    def joined(self, key: str) -> str:
        """Return where the keys lie that begin so."""
        return f"{self.options.folder}/{key}" if self.options.folder else key

    def key(self, path: str) -> str:
        """Return the key of what lies somewhere in the folder."""
        return path[len(self.options.folder) + 1 :] if self.options.folder else path

    async def ask(self, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
        """Send a request about an object; raises our errors."""
        with told(key):
            request = getattr(self.client, operation)
            answer = await request(Bucket=self.name, Key=self.path(key), **parameters)
        return dict(answer)

    async def pages(self, operation: str, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        """Send a request that lists, page by page."""
        pages = self.client.get_paginator(operation).paginate(Bucket=self.name, **parameters)
        turning = aiter(pages)
        while True:
            with told(""):
                page = await anext(turning, None)
            if page is None:
                return
            yield dict(page)

    async def keeps_versions(self) -> bool:
        """Tell whether versioning is on."""
        with told(""):
            answer = await self.client.get_bucket_versioning(Bucket=self.name)
        return bool(answer.get("Status") == "Enabled")

    async def info(self, key: str) -> BlobInfo:
        """Describe an object; raises `NotFound`."""
        found = await self.ask("head_object", key)
        modified = int(found["LastModified"].timestamp() * 1000)
        return BlobInfo(key, int(found["ContentLength"]), modified)


def _client(session: AioSession, options: Options, endpoint: str = "") -> Any:
    address = endpoint or options.endpoint
    style = options.style or ("path" if address else "virtual")
    unsigned = options.checksum in ("sha256", "crc32", "none")
    return session.create_client(
        "s3",
        region_name=options.region or ("us-east-1" if address else None),
        endpoint_url=address or None,
        config=AioConfig(
            user_agent=aws.AGENT,
            signature_version="s3v4",
            connect_timeout=10,
            read_timeout=SILENCE_SECONDS,
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": style, "payload_signing_enabled": not unsigned},
        ),
    )


def _ask_for_checksum(params: dict[str, Any], **_: Any) -> None:
    """Have the answer tell the checksum of a whole object; botocore need not compare it too."""
    if "Range" not in params["headers"]:
        params["headers"]["x-amz-checksum-mode"] = "ENABLED"
