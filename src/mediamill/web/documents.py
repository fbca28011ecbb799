"""A file inside a JSON document: its bytes as base 64, or the address where they are.

Such a document is in memory whole, three times over while it is decoded. So only a few are taken
at a time, fewer of one sender, from the first byte until the file is stored; and what is large is
parsed and decoded away from the event loop.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Self

import pybase64
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError, model_validator
from starlette.requests import Request

from mediamill.core.errors import InvalidInput, LimitExceeded, Unavailable, wrong
from mediamill.services.files.labels import MAX_TAGS
from mediamill.web.parsing import Body, shown, strict_json

MAX_BYTES = 10 << 20
"""Bytes of a file that comes as base 64."""
AT_A_TIME = 16
"""Documents that are received, decoded and stored beside each other: 45 MB each at most."""
OF_ONE_USER = 4
"""Of these, so many of one user: whose bodies come slowly leaves places to others."""
SMALL = 64 << 10
"""Bytes that are decoded at once, without a thread."""
CHUNK = 1 << 20

EMPTY = hashlib.sha256().hexdigest()
"""Digest of nothing: an example."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$", examples=[EMPTY])]


class FileBody(Body):
    """A new file: exactly one of `content_base64` and `url` is given."""

    model_config = shown(content_base64="SGVsbG8=", filename="hello.txt")

    content_base64: str | None = Field(
        None, description="Its bytes in the standard alphabet, at most 10 MiB decoded."
    )
    url: str | None = Field(
        None, max_length=4000, description="Where the server fetches it: https://…"
    )
    filename: str = Field("", max_length=2000, examples=["clip.mp4"])
    tags: list[str] = Field(default_factory=list, max_length=2 * MAX_TAGS)
    project: str | None = Field(None, max_length=100, description="A project that it joins.")
    sha256: Sha256 | None = Field(None, description="What its bytes must hash to.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.content_base64 is None) == (self.url is None):
            raise ValueError("Give exactly one of content_base64 and url.")
        return self


@dataclass(frozen=True)
class Document:
    """A document that was read; `data` is None for one that names an address."""

    body: FileBody
    data: bytes | None
    sha256: str = ""
    """Of `data`, in hexadecimal."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces."""
        data = self.data or b""
        for start in range(0, len(data), CHUNK):
            yield data[start : start + CHUNK]


class Documents:
    """Reads a few documents at a time."""

    def __init__(self) -> None:
        self._open, self._decoding = Counter[str](), asyncio.Lock()

    @contextmanager
    def place(self, request: Request, user: str) -> Iterator[None]:
        """Hold a user's place for a request; within a place that it has, that one.

        Raises `Unavailable` when there is none.
        """
        if request.scope.get("document_place"):
            yield
            return
        self._require_place(user)
        self._open[user] += 1
        request.scope["document_place"] = True
        try:
            yield
        finally:
            request.scope["document_place"] = False
            self._open[user] -= 1
            self._open += Counter()  # forgets who has none

    def _require_place(self, user: str) -> None:
        if self._open[user] >= OF_ONE_USER:
            whose = f"{OF_ONE_USER} files of yours are"
        elif self._open.total() >= AT_A_TIME:
            whose = "Too many files are"
        else:
            return
        raise Unavailable(
            f"{whose} coming in as JSON just now: try again in a moment, or send the bytes "
            "themselves as the body."
        )

    async def read(self, request: Request, sha256: str | None = None) -> Document:
        """Read a request's document, in its `place`; `sha256` is what its text must hash to.

        Raises `InvalidInput`, `LimitExceeded` and what FastAPI raises for a wrong body.
        """
        text = await request.body()
        if len(text) <= SMALL:
            return decode(text, sha256)
        async with self._decoding:  # one thread at a time, so that the loop gets its turns
            return await asyncio.to_thread(decode, text, sha256)


def decode(text: bytes, sha256: str | None = None) -> Document:
    """Parse and decode a document."""
    if sha256 is not None and hashlib.sha256(text).hexdigest() != sha256:
        raise InvalidInput("The body does not have the SHA-256 that Content-Digest announces.")
    try:
        body = FileBody.model_validate(strict_json(text))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in found]
        ) from None
    if body.content_base64 is None:
        return Document(body, None)
    data = from_base64(body.content_base64)
    return Document(body.model_copy(update={"content_base64": ""}), data, _digest(data, body))


def from_base64(text: str) -> bytes:
    """Decode base 64 strictly: the standard alphabet and nothing else; padding may be missing."""
    if len(text) > MAX_BYTES // 3 * 4 + 8:
        message = f"A file in JSON may have at most {MAX_BYTES:,} bytes: send them as the body."
        raise LimitExceeded.at("content_base64", message)
    try:
        data = pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise _not_base64(text) from None
    if len(data) > MAX_BYTES:
        message = f"A file in JSON may have at most {MAX_BYTES:,} bytes: send them as the body."
        raise LimitExceeded.at("content_base64", message)
    return data


def _not_base64(text: str) -> InvalidInput:
    message = "This is not base 64 in the standard alphabet (A–Z a–z 0–9 + /)."
    if text.startswith("data:"):
        message = "Leave out what comes before the base 64: “data:…;base64,”."
    elif any(letter in text for letter in "-_"):
        message = "This is base 64 for addresses (- and _): use the standard alphabet (+ and /)."
    elif any(letter.isspace() for letter in text):
        message = "Leave out spaces and line ends in base 64."
    errors = [wrong("content_base64", message)]
    return InvalidInput(f"content_base64: {message}", errors=errors)


def _digest(data: bytes, body: FileBody) -> str:
    """Return the SHA-256 of the bytes; raises `InvalidInput` when another was announced."""
    found = hashlib.sha256(data).hexdigest()
    if body.sha256 is not None and body.sha256.lower() != found:
        message = f"The bytes have the SHA-256 {found}: send the file again."
        raise InvalidInput.at("sha256", message)
    return found
