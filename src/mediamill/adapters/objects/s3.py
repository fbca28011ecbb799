"""S3 and what speaks its protocol: `s3://bucket/folder?endpoint=…&region=…`, through obstore.

Credentials come from where obstore finds them: the `AWS_…` variables, a web identity, the metadata
service of the machine. Needs `s3:ListBucket`, `s3:GetObject`, and to write `s3:PutObject` and
`s3:AbortMultipartUpload`. obstore refuses keys with an empty segment, with `.` or `..` as one, and
with control characters, and with them every listing in which they stand: such a bucket is listed
folder by folder, and the folders that hold them are told.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import (
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from mediamill.adapters.objects.port import Described, ObjectInfo, Unlisted
from mediamill.core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    MediamillError,
    NotFound,
    Unavailable,
)
from mediamill.core.plaintext import ALLOWING, refuse_plaintext

if TYPE_CHECKING:
    from obstore import GetOptions

CHUNK = 1 << 20
PART = 8 << 20
"""Bytes of a part of an upload; 10,000 parts are the most, so 80 GB."""
PARTS_AT_ONCE = 3
PAGE = 1000
SILENCE_SECONDS = 90
OPTIONS = frozenset({"endpoint", "region", "anonymous", ALLOWING})


class S3Objects:
    """A folder of a bucket."""

    def __init__(self, store: Any, bucket: str, folder: str) -> None:
        self._store, self._bucket, self._folder = store, bucket, folder

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the place of an address; raises `InvalidInput`. Nothing is asked yet."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if not parts.hostname or parts.username or parts.port or options.keys() - OPTIONS:
            known = ", ".join(sorted(OPTIONS))
            raise InvalidInput(f"{url.partition('?')[0]}: write s3://bucket/folder?… with {known}.")
        endpoint = options.get("endpoint", "")
        if endpoint.startswith("http://"):
            _refuse_plaintext(endpoint, options.get(ALLOWING))
        given: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
        if options.get("anonymous", "").lower() in ("1", "true", "yes"):
            given["skip_signature"] = True
        if "region" in options or endpoint:
            given["region"] = options.get("region", "us-east-1")
        bucket = parts.netloc
        with _told(bucket):
            store = S3Store(
                bucket,
                checksum_algorithm="sha256",
                client_options={
                    "allow_http": endpoint.startswith("http://"),
                    "connect_timeout": timedelta(seconds=10),
                    "timeout": timedelta(hours=12),
                },
                retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=60)},
                **given,
            )
        return cls(store, bucket, unquote(parts.path).strip("/"))

    def _path(self, key: str) -> str:
        return f"{self._folder}/{key}".strip("/") if self._folder else key

    def _key(self, path: str) -> str:
        return path[len(self._folder) + 1 :] if self._folder else path

    async def list(self, folder: str = "") -> AsyncIterator[Sequence[ObjectInfo | Unlisted]]:
        """List in pages; folder by folder where a key cannot be read."""
        last = ""
        try:
            async for page in self._flat(self._path(folder)):
                yield page
                last = page[-1].key if page else last
        except InvalidPathError:
            async for rest in self._walk(self._path(folder)):
                yield [one for one in rest if isinstance(one, Unlisted) or one.key > last]

    async def _flat(self, path: str) -> AsyncIterator[Sequence[ObjectInfo]]:
        pages = obstore.list(self._store, path or None, chunk_size=PAGE)
        while True:
            with _told(self._bucket, passing=(InvalidPathError,)):
                page = await _awaited(pages.__anext__(), default=None)
            if page is None:
                return
            yield [self._info(row) for row in page]

    async def _walk(self, path: str) -> AsyncIterator[Sequence[ObjectInfo | Unlisted]]:
        with _told(self._bucket, passing=(InvalidPathError,)):
            try:
                found = await _awaited(obstore.list_with_delimiter_async(self._store, path or None))
            except InvalidPathError as error:
                yield [Unlisted(self._key(path) or ".", str(error).partition("\n")[0])]
                return
        yield [self._info(row) for row in found["objects"]]
        for folder in found["common_prefixes"]:
            async for page in self._walk(folder):
                yield page

    def _info(self, row: Any) -> ObjectInfo:
        return ObjectInfo(self._key(row["path"]), row["size"], row.get("e_tag") or "")

    async def read(self, key: str, start: int = 0, etag: str = "") -> AsyncIterator[bytes]:
        """Stream an object; obstore goes on by itself where a connection breaks."""
        options: GetOptions = {"range": {"offset": start}} if start else {}
        if etag:
            options["if_match"] = etag
        with _told(key):
            found = await _awaited(obstore.get_async(self._store, self._path(key), options=options))
            stream = found.stream(min_chunk_size=CHUNK)
        while True:
            with _told(key):
                chunk = await _awaited(stream.__anext__(), default=None)
            if chunk is None:
                return
            yield bytes(chunk)

    async def describe(self, key: str) -> Described | None:
        """Ask for an object's head."""
        try:
            with _told(key):
                path = self._path(key)
                found = await _awaited(obstore.get_async(self._store, path, options={"head": True}))
        except NotFound:
            return None
        notes = dict(found.attributes)
        return Described(found.meta["size"], notes.pop("Content-Type", ""), notes)

    async def write(
        self, key: str, chunks: AsyncIterable[bytes], media_type: str, notes: Mapping[str, str]
    ) -> None:
        """Write an object; SHA-256 is sent with every part and checked there."""
        attributes = {"Content-Type": media_type, **notes}
        with _told(key):
            await obstore.put_async(
                self._store,
                self._path(key),
                chunks,
                attributes=attributes,
                chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )


def _refuse_plaintext(endpoint: str, allowed: str | None) -> None:
    """Raise `InvalidInput` where what is asked for would leave the machine in the clear."""
    try:
        refuse_plaintext(urlsplit(endpoint).hostname or "", allowed, "endpoint=https://…")
    except ValueError as error:
        raise InvalidInput(f"{error}.") from None


async def _awaited(waiting: Any, **default: Any) -> Any:
    """Wait for an answer, but not for ever."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            return await waiting
    except StopAsyncIteration:
        return default["default"]
    except TimeoutError:
        raise Unavailable("The bucket does not answer.") from None


@contextmanager
def _told(what: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn obstore's errors into ours, said without the request that they quote."""
    try:
        yield
    except passing:
        raise
    except FileNotFoundError:
        raise NotFound(f"There is no {what}.") from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise _forbidden(what) from None
    except PreconditionError:
        raise Conflict(f"{what} has changed meanwhile.") from None
    except (InvalidPathError, ValueError):
        raise InvalidInput(f"{what!r} is a name that cannot be read or written here.") from None
    except BaseError as error:
        raise _judged(what, str(error)) from None


def _judged(what: str, text: str) -> MediamillError:
    """Tell what an error without a class of its own is about, by the code of the answer."""
    if "NoSuchBucket" in text:
        return NotFound(f"There is no bucket of {what}.")
    if " 403 " in text or " 401 " in text or "InvalidAccessKeyId" in text:
        return _forbidden(what)
    if "credential" in text.lower() or "169.254.169.254" in text:
        return Forbidden("There are no credentials: set AWS_ACCESS_KEY_ID and the others.")
    return Unavailable(f"{what}: the bucket cannot be reached, or does not answer well.")


def _forbidden(what: str) -> Forbidden:
    return Forbidden(f"{what}: your credentials do not allow this, or are wrong.")


plugin = S3Objects
