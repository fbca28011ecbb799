"""What pages load beside themselves: scripts and their texts, styles, pictures.

A browser keeps them and asks each time whether they are still so. The tag of a file is a hash of
its bytes: servers of a fleet, and restarts, agree on it. Text goes compressed to who takes that.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from mimetypes import guess_type
from os import PathLike, stat_result
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from mediamill.web.compressing import takes_gzip
from mediamill.web.texts import load
from mediamill.web.texts.scripts import texts_module

STATIC = Path(__file__).parent / "static"
SHARED = (
    "tokens", "base", "shell", "controls", "forms", "parts", "lists", "figures", "charts",
    "answers", "drop", "notices", "touch",
)  # fmt: skip
"""Styles of every page, in the order in which later ones win; pages add their own."""
REVALIDATED = "no-cache"
COMPRESSED = frozenset(
    {"text/javascript", "text/css", "text/plain", "image/svg+xml", "application/json"}
)
"""Kinds of files that become much smaller."""


@dataclass(frozen=True)
class Packed:
    """A file as it is sent."""

    body: bytes
    media_type: str
    tag: str
    """What ETags begin with: a hash of the bytes as they are in the file."""
    compressed: bytes | None

    @classmethod
    def of(cls, name: str, body: bytes) -> "Packed":
        """Compress what is worth it."""
        kind = guess_type(name)[0] or "application/octet-stream"
        less = gzip.compress(body, 9, mtime=0) if kind in COMPRESSED else None
        return cls(body, kind, hashlib.sha256(body).hexdigest()[:32], less)

    def answer(self, scope: Scope) -> Response:
        """Answer a GET or HEAD."""
        asked = Headers(scope=scope)
        body, tag = self.body, f'"{self.tag}"'
        headers = {"Cache-Control": REVALIDATED, "Vary": "Accept-Encoding"}
        if self.compressed is not None and takes_gzip(asked):
            body, tag = self.compressed, f'"{self.tag}-gzip"'
            headers["Content-Encoding"] = "gzip"
        headers["ETag"] = tag
        known = {
            one.strip().removeprefix("W/") for one in asked.get("if-none-match", "").split(",")
        }
        if tag in known or "*" in known:
            headers.pop("Content-Encoding", None)
            return Response(status_code=304, headers=headers)
        headers["Content-Length"] = str(len(body))
        sent = b"" if scope["method"] == "HEAD" else body
        return Response(sent, headers=headers, media_type=self.media_type)


class Statics(StaticFiles):
    """The folder of static files, with two that are made of others when the service starts."""

    def __init__(self, folder: Path = STATIC) -> None:
        super().__init__(directory=folder)
        made = {"texts.js": texts_module(load(), folder), "style.css": shared_style(folder)}
        self._made = {name: Packed.of(name, text.encode()) for name, text in made.items()}

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer for a path, which raises `HTTPException` 404 and 405."""
        if path in self._made and scope["method"] in {"GET", "HEAD"}:
            return self._made[path].answer(scope)
        return await super().get_response(path, scope)

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Answer with a file, as it is since it was written last."""
        del status_code  # only pages of errors have another, which there are none of
        return packed(str(full_path), stat_result.st_mtime_ns).answer(scope)


@lru_cache(maxsize=256)
def packed(path: str, written: int) -> Packed:
    """Read a file that was written at a time."""
    del written  # a file that was written anew is another one
    return Packed.of(path, Path(path).read_bytes())


def shared_style(folder: Path) -> str:
    """Join the styles of every page, which a browser asks for at once."""
    parts = [folder / "styles" / "shared" / f"{name}.css" for name in SHARED]
    return "\n".join(path.read_text(encoding="utf-8") for path in parts)
