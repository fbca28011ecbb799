"""A job's download read from afar: its directory first, then any of its members by range.

The download is a stored zip whose layout never changes, so a member is a range of it. Members that
follow each other are read in one request, and a connection that breaks is taken up where it broke.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, cast

from mediamill.cli.remote.client import DOWNLOADS, Client
from mediamill.cli.terminal.failures import Failure
from mediamill.client.downloading import reading
from mediamill.media.archive.directory import STORED, locate, records
from mediamill.media.archive.names import safe_path
from mediamill.media.archive.read import MAX_MEMBERS
from mediamill.media.archive.records import LOCAL, LOCAL_FORMAT

BLOCK = 1 << 18
TOGETHER = 32 << 20
"""Bytes of members that are read in one request."""
SLACK = 4096
"""Bytes that a name may take in a local header."""
MANIFEST = "manifest.jsonl"
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Item:
    """A member; `offset` is that of its local header. SHA-256 and type where they are told.

    A whole zip has no CRC-32: its directory (`tail`), which holds those of all members, tells it.
    """

    name: str
    size: int
    crc32: int | None
    offset: int = 0
    sha256: str = ""
    media_type: str = ""
    tail: bytes = b""

    @property
    def notes(self) -> dict[str, str]:
        """Return what tells its content, as text."""
        told = {
            "crc32": "" if self.crc32 is None else f"{self.crc32:08x}",
            "sha256": self.sha256,
            "directory": hashlib.sha256(self.tail).hexdigest() if self.tail else "",
        }
        return {name: value for name, value in told.items() if value}


class Download:
    """One job's zip on a server."""

    def __init__(self, client: Client, job: dict[str, Any]) -> None:
        self.client, self.path = client, f"/v1/jobs/{job['id']}/download"
        head = client.send("HEAD", self.path)
        self.size, self.etag = int(head.headers["Content-Length"]), head.headers["ETag"]

    def items(self, most: int = MAX_MEMBERS) -> list[Item]:
        """List the members in their order, with what the manifest says of them."""
        stream = cast("BinaryIO", io.BufferedReader(Window(self), BLOCK))
        directory = locate(stream, most)
        found = [
            Item(safe_path(record.name), record.size, record.crc32, record.offset)
            for record in records(stream, directory)
            if not record.is_folder and record.method == STORED
        ]
        told = self._manifest(found)
        return [told.get(item.name, _as_it_is)(item) for item in found]

    def whole(self, name: str) -> Item:
        """Describe the zip itself."""
        stream = cast("BinaryIO", io.BufferedReader(Window(self), BLOCK))
        start = locate(stream, MAX_MEMBERS).offset
        tail = b"".join(self.range(start, self.size))
        return Item(name, self.size, None, media_type="application/zip", tail=tail)

    def _manifest(self, found: Sequence[Item]) -> dict[str, Callable[[Item], Item]]:
        """Read which files the manifest describes; archives of frames are not among the members."""
        first = next((item for item in found if item.name == MANIFEST), None)
        if first is None:
            return {}
        text = b"".join(chunk for _, chunks in self.read([first]) for chunk in chunks)
        files = [file for line in text.splitlines() for file in json.loads(line)["files"]]
        return {file["path"]: _telling(file) for file in files}

    def batches(self, wanted: Sequence[Item]) -> Iterator[list[Item]]:
        """Put members that follow each other closely together."""
        batch = list[Item]()
        for item in wanted:
            if batch and (
                item.offset + item.size - batch[0].offset > TOGETHER
                or item.offset - (batch[-1].offset + batch[-1].size) > BLOCK
            ):
                yield batch
                batch = []
            batch.append(item)
        if batch:
            yield batch

    def read(self, batch: Sequence[Item], skip: int = 0) -> Iterator[tuple[Item, Iterator[bytes]]]:
        """Read members in order, each to its end; of the first without its first `skip` bytes.

        A member is read before the next is asked for. Raises `Failure` when the job has changed.
        """
        last = batch[-1]
        stop = min(self.size, last.offset + LOCAL_FORMAT.size + SLACK + last.size)
        if skip:
            start = self._data(batch[0]) + skip
            yield batch[0], self.range(start, start + batch[0].size - skip)
            return
        body = Body(self.range(batch[0].offset, stop), batch[0].offset)
        for item in batch:
            body.skip(item.offset)
            header = LOCAL_FORMAT.unpack(body.take(LOCAL_FORMAT.size))
            if header[0] != LOCAL:
                raise Failure(f"{item.name} is not where the download says.")
            body.take(header[-2] + header[-1])
            yield item, body.stream(item.size)

    def _data(self, item: Item) -> int:
        """Return where the data of a member begins."""
        header = b"".join(self.range(item.offset, item.offset + LOCAL_FORMAT.size))
        fields = LOCAL_FORMAT.unpack(header)
        return int(item.offset + LOCAL_FORMAT.size + fields[-2] + fields[-1])

    def range(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes `start … stop`, whatever breaks on the way."""
        flow = reading(self.path, start, stop, self.etag, DOWNLOADS)
        return self.client.api.iterate(flow)


def _as_it_is(item: Item) -> Item:
    return item


def _telling(file: dict[str, Any]) -> Callable[[Item], Item]:
    def tell(item: Item) -> Item:
        if file["size"] != item.size:
            return item
        return replace(item, sha256=file["sha256"], media_type=file["media_type"])

    return tell


@dataclass
class Body:
    """A stream of bytes with a place in it."""

    chunks: Iterator[bytes]
    place: int
    rest: bytes = field(default=b"")

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        return b"".join(self.stream(count))

    def skip(self, place: int) -> None:
        """Pass over what comes before a place."""
        for _ in self.stream(place - self.place):
            pass

    def stream(self, count: int) -> Iterator[bytes]:
        """Yield the next bytes as they come; raises `Failure` when there are not so many."""
        while count > 0:
            data = self.rest or next(self.chunks, b"")
            if not data:
                raise Failure("The download ended too early.")
            piece, self.rest = data[:count], data[count:]
            count -= len(piece)
            self.place += len(piece)
            yield piece


class Window(io.RawIOBase):
    """The download as a file that can be read anywhere, a block at a time."""

    def __init__(self, download: Download) -> None:
        self._download, self._at = download, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._download.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        stop = min(self._download.size, self._at + len(buffer))
        data = b"".join(self._download.range(self._at, stop))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
