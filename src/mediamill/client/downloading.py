"""Fetch a body to its end: taken up where it broke, waited for while it is put together.

What came is kept beside the target until it is whole (`.mediamill-….part`, and `….json` with what
it is a part of), so that another process goes on with it. Ranges are asked for with `If-Range`
(RFC 9110): content that changed since comes anew.
"""

import fcntl
import hashlib
import json
import os
import re
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from mediamill.client.calling import (
    Close,
    Flow,
    Give,
    Open,
    Pause,
    Read,
    Request,
    Response,
    Rows,
    Work,
    opened,
    whole,
)  # fmt: skip
from mediamill.client.errors import Changed, Corrupt, Problem, Unreachable
from mediamill.client.retrying import Patience, Retries, passes
from mediamill.client.sources import Progress

CHUNK = 1 << 18
PACKING_SECONDS, PACKING_PAUSE = 1800, 2.0
"""How long a download that is being put together is waited for, and how often it is asked for."""
AS_IT_IS = {"Accept-Encoding": "identity"}
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
SHA256 = re.compile(r'"([0-9a-f]{64})"')


@dataclass
class Fetch:
    """One body on its way into a file that is open for reading and writing."""

    path: str
    stream: BinaryIO
    retries: Retries
    params: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = field(default=lambda _done, _total: None)
    begun: Callable[[str, int], None] = field(default=lambda _etag, _total: None)
    """Told the entity tag and the size when a body begins from its first byte."""
    etag: str = ""
    done: int = 0
    """Bytes that are there already, of a body with this entity tag."""
    total: int = 0
    name: str = ""
    """What the server calls it."""
    _at_once: int = 0

    def run(self) -> Flow[None]:
        """Fetch what is missing; raises `Problem` and `Unreachable`."""
        patience, until = Patience(self.retries), time.monotonic() + PACKING_SECONDS
        while True:
            before = self.done
            try:
                head: Response = yield Open(self._request(), CHUNK)
                if head.failed:
                    if (yield from self._refused((yield from whole(head)), patience, until)):
                        continue
                    return
                yield from self._body(head)
                if self.done >= self.total or not head.headers.get("Content-Range"):
                    return
            except Unreachable as error:
                if self.done > before:
                    patience.renew()
                if not (error.sent or self.retries.connecting) or not (yield from patience.wait()):
                    raise

    def _request(self) -> Request:
        headers = dict(AS_IT_IS)
        if self._at_once:
            headers["Range"] = f"bytes={self.done}-{self.done + self._at_once - 1}"
        elif self.done and self.etag:
            headers["Range"] = f"bytes={self.done}-"
        if "Range" in headers and self.etag:
            headers["If-Range"] = self.etag
        return Request("GET", self.path, params=self.params, headers=headers, follow=True)

    def _body(self, head: Response) -> Flow[None]:
        """Write what comes; the whole anew where it is no continuation."""
        if not self._continues(head):
            self.etag, self.done = head.headers.get("ETag", ""), 0
            self.total, self.name = _total(head), name_of(head)
            yield Work(partial(_cut, self.stream, 0))
            self.begun(self.etag, self.total)
        self.name = self.name or name_of(head)
        self.progress(self.done, self.total)
        while chunk := (yield Read()):
            yield Work(partial(self.stream.write, chunk))
            self.done += len(chunk)
            self.progress(self.done, self.total)
        yield Work(self.stream.flush)

    def _continues(self, head: Response) -> bool:
        found = RANGE.fullmatch(head.headers.get("Content-Range", ""))
        if head.status != 206 or not found or not self.done or int(found[1]) != self.done:
            return False
        if self.etag and head.headers.get("ETag", self.etag) != self.etag:
            return False
        self.total = int(found[2])
        return True

    def _refused(self, answer: Response, patience: Patience, until: float) -> Flow[bool]:
        """Tell whether to ask again; False when all is there. Raises `Problem`."""
        problem = answer.problem()
        if not self._at_once and (most := _at_once(problem)):
            self._at_once = most
        elif problem.status == 416 and self.done:
            size = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if size == str(self.done):  # its tag was the one asked for, else all would have come
                self.total = self.done
                return False
            self.done, self.etag = 0, ""
        elif _packing(problem):
            if time.monotonic() > until:
                raise problem
            yield Pause(PACKING_PAUSE)
        elif not passes(problem) or not (yield from patience.wait(problem.retry_after)):
            raise problem
        return True


def _at_once(problem: Problem) -> int:
    """Return how many bytes an answer may have, if it says that it would have more; else 0."""
    if problem.status == 413 and problem.details.get("ranged"):
        return int(problem.details.get("most") or 0)
    return 0


def _packing(problem: Problem) -> bool:
    """Tell whether a download is being put together; not while it waits for a worker."""
    return problem.code == "packing" and not problem.details.get("for_workers", False)


def _total(head: Response) -> int:
    """Return how many bytes there are in all; 0 where nothing is said."""
    ranged = head.headers.get("Content-Range", "").rpartition("/")[2]
    told = ranged or head.headers.get("Content-Length", "")
    return int(told) if told.isdigit() else 0


def _cut(stream: BinaryIO, size: int) -> None:
    stream.seek(size)
    stream.truncate()


def name_of(head: Response) -> str:
    """Read the file name of a Content-Disposition header (RFC 6266), without any folder."""
    found = {}
    for part in head.headers.get("Content-Disposition", "").split(";"):
        key, _, value = part.strip().partition("=")
        found[key.lower()] = value.strip('"')
    wide = found.get("filename*", "")
    name = unquote(wide[7:]) if wide.lower().startswith("utf-8''") else found.get("filename", "")
    return Path(name).name


@dataclass
class Saving:
    """A body on its way to a file of this machine, by a part that outlives the process."""

    path: str
    target: Path
    """A file, or a folder that is there, in which it gets the server's name."""
    server: str
    retries: Retries
    params: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = field(default=lambda _done, _total: None)
    overwrite: bool = False
    sha256: str = ""
    """What the content is known to be; of a copy without its metadata it is not."""

    def run(self) -> Flow[Path]:
        """Return where it is; raises `FileExistsError` before anything is fetched, `Corrupt`."""
        folder = self.target if self.target.is_dir() else self.target.parent
        self._refuse(self.target)
        part, note = self._places(folder)
        stream: BinaryIO = yield Work(partial(_begin, part))
        try:
            etag, size = yield Work(partial(_noted, note, part))
            fetch = Fetch(
                self.path, stream, self.retries, self.params, self.progress,
                lambda tag, total: _note(note, tag, total), etag=etag,
                done=size if etag else 0,
            )  # fmt: skip
            yield Work(partial(_cut, stream, fetch.done))
            yield from fetch.run()
            yield Work(partial(self._check, fetch, part, note))
            target = self.target
            if self.target.is_dir():
                target = folder / (fetch.name or "download")
                self._refuse(target)
            yield Work(partial(os.replace, part, target))
            yield Work(partial(note.unlink, missing_ok=True))
        finally:
            stream.close()
        return target

    def _places(self, folder: Path) -> tuple[Path, Path]:
        about = [self.server, self.path, sorted(self.params.items()), str(self.target.absolute())]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]
        return folder / f".mediamill-{key}.part", folder / f".mediamill-{key}.json"

    def _refuse(self, target: Path) -> None:
        if os.path.lexists(target) and not target.is_dir() and not self.overwrite:
            raise FileExistsError(f"{target} exists.")

    def _check(self, fetch: Fetch, part: Path, note: Path) -> None:
        """Compare what came with what it is known to be; raises `Corrupt` and removes it."""
        known = SHA256.fullmatch(fetch.etag)
        sha256 = known[1] if known else "" if fetch.etag.startswith('"cut') else self.sha256
        fetch.stream.flush()
        os.fsync(fetch.stream.fileno())
        fetch.stream.seek(0)
        wrong = fetch.total and fetch.done != fetch.total
        if sha256 and not wrong:
            with part.open("rb") as came:
                wrong = hashlib.file_digest(came, "sha256").hexdigest() != sha256
        elif fetch.name.endswith(".zip") and not wrong:
            wrong = not _sound(fetch.stream)
        if wrong:
            part.unlink()
            note.unlink(missing_ok=True)
            raise Corrupt(f"What came for {self.path} is not what the server has: fetch it again.")


def _sound(stream: BinaryIO) -> bool:
    """Tell whether every member of a zip has the CRC-32 that its directory says."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def _begin(part: Path) -> BinaryIO:
    """Open a part for one process; raises `BlockingIOError` when another is at it."""
    stream = part.open("r+b" if part.exists() else "w+b")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise
    return stream


def _noted(note: Path, part: Path) -> tuple[str, int]:
    """Return which body a part is of, and how much of it is there; empty for none."""
    try:
        etag = json.loads(note.read_text())["etag"]
    except (OSError, ValueError, LookupError):
        return "", 0
    return str(etag), part.stat().st_size


def _note(note: Path, etag: str, total: int) -> None:
    if etag and not etag.startswith("W/"):
        note.write_text(json.dumps({"etag": etag, "size": total}))
    else:
        note.unlink(missing_ok=True)


def reading(path: str, start: int, stop: int, etag: str, retries: Retries) -> Rows[bytes]:
    """Give the bytes `start … stop` of a body, whatever breaks on the way.

    Raises `Changed` when its entity tag is not `etag` any more.
    """
    patience = Patience(retries)
    while start < stop:
        headers = {**AS_IT_IS, "Range": f"bytes={start}-{stop - 1}", "If-Range": etag}
        try:
            head = yield from opened(Request("GET", path, headers=headers), CHUNK)
            if head.status != 206:
                yield Close()
                raise Changed("The content has changed meanwhile.")
            while chunk := (yield Read()):
                start += len(chunk)
                patience.renew()
                yield Give(chunk)
        except Unreachable as error:
            if not (yield from patience.wait()):
                message = f"The server broke off again and again ({error.reason})."
                raise Unreachable(message) from error


def passing(request: Request) -> Rows[bytes]:
    """Give the body of an answer as it comes; one that breaks is not taken up again."""
    yield from opened(request)
    while chunk := (yield Read()):
        yield Give(chunk)
