"""Secrets in files, as Docker, Kubernetes and systemd lay them: `${file:/run/secrets/name}`.

A newline at the end is not part of it. It is read anew all the time, so a file that is replaced
counts within a second.
"""

import asyncio
from pathlib import Path
from typing import ClassVar

from mediamill.adapters.secrets.port import Reference

LARGEST = 1 << 16


class FileKeeper:
    holds_seconds: ClassVar[float | None] = 1.0

    async def read(self, reference: Reference) -> str:
        path = Path(reference.name)
        if not path.is_absolute() or reference.options:
            raise ValueError("write ${file:/absolute/path}")
        try:
            text = await asyncio.to_thread(_read, path)
        except UnicodeDecodeError:
            raise ValueError("the file is not text") from None
        except OSError as error:
            raise ValueError(f"the file cannot be read: {error.strerror}") from None
        if len(text) > LARGEST:
            raise ValueError(f"the file has more than {LARGEST} characters")
        return text.removesuffix("\n").removesuffix("\r")


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read(LARGEST + 1)


plugin = FileKeeper
