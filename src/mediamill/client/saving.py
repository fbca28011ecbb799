"""Fetch a body into a file of this machine, by a part that outlives the process.

What came is kept beside the target until it is whole (`.mediamill-….part`, and `….json` with what
it is a part of), so that another process goes on with it. The part is locked: two do not write into
one. Others may write to the folder too, and know what the part is called: only a plain file that is
this user's own is written to, never what a link leads to.
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from mediamill.client.calling import Flow, Work
from mediamill.client.downloading import Fetch, cut
from mediamill.client.errors import Busy, Corrupt
from mediamill.client.retrying import Retries
from mediamill.client.sources import Progress

SHA256 = re.compile(r'"([0-9a-f]{64})"')
OURS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Opens no link, and does not wait for a pipe."""
LOOKS = 100
"""How often a part that is another file by then is opened anew."""
UNLINKED = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
"""How a file system says that it has no hard links."""


@dataclass(frozen=True)
class Note:
    """What a part is a part of."""

    etag: str = ""
    size: int = 0
    name: str = ""
    """What the server calls it."""

    @classmethod
    def read(cls, path: Path) -> "Note":
        """Return what is noted; nothing where that cannot be read."""
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | OURS), "rb") as stream:
                _own(stream, path)
                kept = json.loads(stream.read())
            return cls(str(kept["etag"]), int(kept["size"]), Path(str(kept["name"])).name)
        except (OSError, ValueError, LookupError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        """Keep it, where its entity tag tells a content exactly."""
        fresh = path.with_suffix(".new")
        for old in (fresh, path):
            old.unlink(missing_ok=True)
        if self.etag and not self.etag.startswith("W/"):
            told = {"etag": self.etag, "size": self.size, "name": self.name}
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OURS), "w") as new:
                json.dump(told, new)
            fresh.replace(path)


@dataclass
class Saving:
    """A body on its way to a file of this machine."""

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
    zip: bool = False
    """Whether it is a zip, whatever its name."""
    begun: Callable[[int], None] = field(default=lambda _total: None)
    """Told the size when a body begins from its first byte."""

    def run(self) -> Flow[Path]:
        """Return where it is.

        Raises `FileExistsError`, before anything is fetched where the target was there before,
        `Busy` while another process is at it, and `Corrupt`.
        """
        self._refuse(self.target)
        part, note = self._places()
        stream: BinaryIO = yield Work(partial(_begin, part))
        try:
            kept: Note = yield Work(partial(Note.read, note))
            if kept.name:
                self._refuse(self._final(kept.name))
            done = os.fstat(stream.fileno()).st_size if kept.etag else 0
            fetch = Fetch(
                self.path, stream, self.retries, self.params, self.progress,
                etag=kept.etag, done=done, name=kept.name,
            )  # fmt: skip
            fetch.begun = lambda tag, total: self._begun(note, Note(tag, total, fetch.name))
            yield Work(partial(cut, stream, fetch.done))
            try:
                yield from fetch.run()
            except BaseException:
                if not fetch.done:
                    _remove(part, note)
                raise
            yield Work(partial(self._check, fetch, part, note))
            target = self._final(fetch.name)
            yield Work(partial(self._publish, part, target))
            yield Work(partial(note.unlink, missing_ok=True))
        finally:
            stream.close()
        return target

    def _places(self) -> tuple[Path, Path]:
        folder = self.target if self.target.is_dir() else self.target.parent
        about = [self.server, self.path, sorted(self.params.items()), str(self.target.absolute())]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]
        return folder / f".mediamill-{key}.part", folder / f".mediamill-{key}.json"

    def _final(self, name: str) -> Path:
        return self.target / (name or "download") if self.target.is_dir() else self.target

    def _begun(self, note: Path, told: Note) -> None:
        self._refuse(self._final(told.name))
        told.write(note)
        self.begun(told.size)

    def _refuse(self, target: Path) -> None:
        if os.path.lexists(target) and not target.is_dir() and not self.overwrite:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))

    def _publish(self, part: Path, target: Path) -> None:
        """Give a whole part its name; raises `FileExistsError` where one has come meanwhile."""
        if self.overwrite:
            part.replace(target)
            return
        try:
            os.link(part, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in UNLINKED:
                raise
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | OURS))
            part.replace(target)
        else:
            part.unlink()

    def _check(self, fetch: Fetch, part: Path, note: Path) -> None:
        """Compare what came with what it is known to be; raises `Corrupt` and removes it."""
        known = SHA256.fullmatch(fetch.etag)
        sha256 = known[1] if known else "" if fetch.etag.startswith('"cut') else self.sha256
        fetch.stream.flush()
        os.fsync(fetch.stream.fileno())
        fetch.stream.seek(0)
        wrong = fetch.total and fetch.done != fetch.total
        if sha256 and not wrong:
            wrong = hashlib.file_digest(fetch.stream, "sha256").hexdigest() != sha256  # type: ignore[arg-type]  # BinaryIO reads into buffers
        elif (self.zip or fetch.name.endswith(".zip")) and not wrong:
            wrong = not _sound(fetch.stream)
        if wrong:
            _remove(part, note)
            raise Corrupt(f"What came for {self.path} is not what the server has: fetch it again.")


def _remove(part: Path, note: Path) -> None:
    part.unlink(missing_ok=True)
    note.unlink(missing_ok=True)


def _sound(stream: BinaryIO) -> bool:
    """Tell whether every member of a zip has the CRC-32 that its directory says."""
    try:
        with zipfile.ZipFile(stream) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        return False


def _own(stream: BinaryIO, path: Path) -> None:
    """Refuse to use what somebody else may have put there; raises `PermissionError`."""
    found = os.fstat(stream.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
        raise PermissionError(errno.EPERM, "is no file of yours alone", str(path))


def _begin(part: Path) -> BinaryIO:
    """Open a part for one process; raises `Busy`, and `OSError` for what is no own file.

    Whoever had the lock may have published the part before we got it: then it is begun anew.
    """
    busy = Busy(f"Another process is fetching the same to {part.parent}.")
    for _ in range(LOOKS):
        stream = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | OURS, 0o666), "r+b")
        try:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise busy from None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(stream.fileno()), os.lstat(part)):
                    _own(stream, part)
                    return stream
        except BaseException:
            stream.close()
            raise
        stream.close()
    raise busy
