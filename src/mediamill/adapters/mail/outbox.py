"""Mails as files that one can read: `outbox:///folder?keep=1000`.

One `.eml` a mail, named after its time and what it is about, so that a repeat is the same file.
Each is written beside, made durable, and renamed. Of more than `keep` files the oldest go.
"""

import asyncio
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mediamill.adapters.mail.message import message_of
from mediamill.adapters.mail.port import Letter
from mediamill.adapters.mail.sender import sender_of
from mediamill.core.errors import Unavailable
from mediamill.core.sourced import Sourced
from mediamill.core.urls import options_of, telling

KEEP, MOST = 1_000, 100_000
FROM = "mediamill@localhost"
WRITING, LEFT_SECONDS = ".writing-", 3600
"""Files that are being written; who wrote one that is so old was killed."""


@dataclass
class Outbox:
    """Writes letters to a folder."""

    folder: Path
    keep: int = KEEP
    anywhere = True

    @classmethod
    def open(cls, url: Sourced, text: str) -> "Outbox":
        """Make it of a URL; raises `ConfigurationError`."""
        with telling(url.setting or "MEDIAMILL_MAIL_URL"):
            parts = urlsplit(text)
            options = options_of(parts.query, frozenset({"keep"}))
            keep = options.get("keep", str(KEEP))
            if parts.netloc or not parts.path.strip("/"):
                raise ValueError("write outbox:///folder")
            if not keep.isdecimal() or not 1 <= int(keep) <= MOST:
                raise ValueError(f"keep is 1 to {MOST:,} mails")
            return cls(Path(unquote(parts.path)), int(keep))

    async def send(self, letter: Letter) -> None:
        mail = message_of(letter, sender_of(FROM))
        name = f"{letter.date:%Y%m%dT%H%M%S}-{letter.key}.eml"
        await asyncio.to_thread(self._write, name, mail.as_bytes())

    async def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _write(self, name: str, data: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._keep(name, data)
            for path in sorted(self.folder.glob("*.eml"))[: -self.keep]:
                path.unlink(missing_ok=True)
            self._sweep()
        except OSError as error:
            raise Unavailable(f"The outbox {self.folder} fails: {error.strerror}.") from error

    def _sweep(self) -> None:
        """Remove what was never finished."""
        for path in self.folder.glob(f"{WRITING}*"):
            with suppress(FileNotFoundError):  # it is finished now
                if path.stat().st_mtime < time.time() - LEFT_SECONDS:
                    path.unlink()

    def _keep(self, name: str, data: bytes) -> None:
        descriptor, path = tempfile.mkstemp(dir=self.folder, prefix=WRITING)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(path).rename(self.folder / name)
        except BaseException:
            with suppress(OSError):
                Path(path).unlink()
            raise
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


plugin = Outbox
