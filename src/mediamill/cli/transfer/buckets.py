"""Bring the objects of a bucket to a server, read with the caller's credentials."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mediamill.adapters.objects.opening import open_objects
from mediamill.adapters.objects.port import ObjectInfo, Objects, Unlisted
from mediamill.cli.remote.client import Client
from mediamill.cli.terminal.failures import Failure, Refused
from mediamill.cli.terminal.tallying import Tally
from mediamill.cli.transfer.brought import Memory
from mediamill.cli.transfer.sending import Sender
from mediamill.client.shipping import Said
from mediamill.core.errors import MediamillError

AHEAD = 2
"""Objects per thread that may wait."""
ENDING = (401, 403, 507)
"""Refusals that would meet every file."""

T = TypeVar("T")


def pull(portal: BlockingPortal, chunks: AsyncIterator[T]) -> Iterator[T]:
    """Go through an asynchronous stream from a thread; it is closed when the reader stops."""

    async def following() -> T | None:
        return await anext(chunks, None)

    try:
        while (chunk := portal.call(following)) is not None:
            yield chunk
    finally:
        closing: Callable[[], Awaitable[None]] | None = getattr(chunks, "aclose", None)
        if closing is not None:
            with suppress(RuntimeError):  # the portal is gone already
                portal.call(closing)


@dataclass
class Object:
    """An object as something to send; `read_sha256` is of what was read, if all in one go."""

    portal: BlockingPortal
    objects: Objects
    info: ObjectInfo
    sha256: str = ""
    """A listing does not tell it."""
    read_sha256: str = field(default="", init=False)

    @property
    def name(self) -> str:
        return PurePosixPath(self.info.key).name

    @property
    def size(self) -> int:
        return self.info.size

    def read(self, start: int) -> Iterator[bytes]:
        """Read it as it was listed; an object that changed meanwhile is refused."""
        digest, count = hashlib.sha256(), start
        for chunk in pull(self.portal, self.objects.read(self.info.key, start, self.info.etag)):
            digest.update(chunk)
            count += len(chunk)
            yield chunk
        if start == 0 and count == self.size:
            self.read_sha256 = digest.hexdigest()


@dataclass(frozen=True)
class Bookmark:
    """Where the upload of one object goes on."""

    memory: Memory
    info: ObjectInfo

    def place(self) -> str | None:
        """Return the address of an upload that was begun."""
        return self.memory.of(self.info.key, self.info.etag, self.info.size)[1] or None

    def begin(self, place: str) -> None:
        """Remember an upload until `forget`."""
        self.note(upload=place)

    def forget(self) -> None:
        """Forget an upload that is over."""
        self.note()

    def note(self, *, sha256: str = "", upload: str = "") -> None:
        """Remember what is known of the object now."""
        info = self.info
        self.memory.note(info.key, info.etag, info.size, sha256=sha256, upload=upload)


@dataclass
class BucketImport:
    """One place of a bucket on its way to a server."""

    client: Client
    url: str
    said: Said
    home: Path
    parallel: int
    tally: Tally

    def run(self) -> None:
        """Bring everything; what fails is told and the others go on."""
        objects = open_objects(self.url)
        place = f"{self.client.server} {self.url}"
        with (
            start_blocking_portal() as portal,
            Memory(self.home, place) as memory,
            ThreadPoolExecutor(self.parallel) as pool,
        ):
            line = Line(pool, self.parallel * AHEAD, self._settle)
            try:
                for page in pull(portal, objects.list()):
                    for info in self._wanted(page, memory):
                        work = Object(portal, objects, info)
                        line.put(info.key, partial(self._bring, work, memory))
                line.end()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _wanted(self, page: Sequence[ObjectInfo | Unlisted], memory: Memory) -> list[ObjectInfo]:
        """Leave out what is empty, what cannot be listed, and what the server has already."""
        found = list[ObjectInfo]()
        for row in page:
            if isinstance(row, Unlisted):
                self.tally.fail(f"{row.folder}/", f"its objects cannot be listed: {row.reason}")
            elif row.size:
                found.append(row)
        known = {row.key: memory.of(row.key, row.etag, row.size)[0] for row in found}
        here = self._here({digest for digest in known.values() if digest})
        for row in found:
            if known[row.key] in here:
                self.tally.skip(row.key)
        self._join(sorted(set(here.values())))
        return [row for row in found if known[row.key] not in here]

    def _here(self, digests: set[str]) -> dict[str, str]:
        """Ask which bytes the server has; return their files by digest."""
        if not digests:
            return {}
        known = self.client.api.files.check(sorted(digests))
        return {row["sha256"]: row["file"] for row in known if row["file"]}

    def _join(self, files: list[str]) -> None:
        """Give files that are there the tags and the project of this import."""
        if files and self.said.tags:
            self.client.api.files.tag(files, add=self.said.tags)
        if files and self.said.project:
            self.client.api.projects.add(self.said.project, files)

    def _bring(self, work: Object, memory: Memory) -> dict[str, Any]:
        """Send one object, from where an earlier command was ended if it was."""
        mark = Bookmark(memory, work.info)
        row = Sender(self.client).send(work, self.said, mark, self.tally.advance)
        if work.read_sha256 not in ("", row["sha256"]):
            left = work.read_sha256
            raise Failure(f"arrived with the SHA-256 {row['sha256']}, but left as {left}")
        mark.note(sha256=row["sha256"])
        return row

    def _settle(self, key: str, done: "Future[dict[str, Any]]") -> None:
        """Tell what became of an object; a refusal that would meet every one ends the command."""
        error = done.exception()
        if error is None:
            self.tally.bring(done.result(), key)
        elif isinstance(error, Refused) and error.status in ENDING:
            raise error
        elif isinstance(error, Failure | MediamillError):
            self.tally.fail(key, error.message)
        else:
            raise error


class Line:
    """Work on threads of which only so much waits; outcomes are told on the caller's thread."""

    def __init__(
        self, pool: ThreadPoolExecutor, most: int, settle: Callable[[str, "Future[Any]"], None]
    ) -> None:
        self._pool, self._most, self._settle = pool, most, settle
        self._open: dict[Future[Any], str] = {}

    def put(self, name: str, work: Callable[[], Any]) -> None:
        """Begin some work when there is room."""
        while len(self._open) >= self._most:
            self._some()
        self._open[self._pool.submit(work)] = name

    def end(self) -> None:
        """Wait for all."""
        while self._open:
            self._some()

    def _some(self) -> None:
        done, _ = wait(self._open, return_when=FIRST_COMPLETED)
        for future in done:
            self._settle(self._open.pop(future), future)
