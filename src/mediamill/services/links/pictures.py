"""Addresses of thumbnails that need no session, and stay the same for a while, so caches keep them.

Whoever may see a file is given the address of its picture: a capability for the file, this version
of its bytes and a time, without a user, so that all who may see it have the same. It is the same
for all who ask within one hour (`WINDOW`), and works until the end of the next: between one and two
hours. It is looked at when it is used whether the file is still there, and the same.

A cache in between does not ask: what is deleted, or shared no more, it may show until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.clock import HOUR, SECOND, Clock
from mediamill.core.errors import NotFound
from mediamill.services.access import Access
from mediamill.services.content import Content
from mediamill.services.files.service import thumbnail_content
from mediamill.services.links.signing import Grant, Signer
from mediamill.store.repositories.files import File

WINDOW = HOUR
"""How long (ms) addresses stay the same; windows begin at whole hours (UTC)."""
METHOD = "thumbnail"
"""What such a capability is for: it opens no link, and a link opens no thumbnail."""
VERSION = 16
"""Characters of the SHA-256 that tell versions of a file's bytes apart."""


@dataclass(frozen=True)
class Picture:
    """A thumbnail, and for how many seconds more its address works."""

    content: Content
    seconds: int


@dataclass
class Pictures:
    """Makes addresses of thumbnails, and opens them."""

    signer: Signer
    clock: Clock
    access: Access
    blobs: Blobs

    async def tokens(self, files: Sequence[File]) -> dict[str, str]:
        """Return the tokens of files that the caller may see, by id; of those that have pictures.

        What is in the trash has none.
        """
        until = (self.clock.now() // WINDOW + 2) * WINDOW
        return {
            file.id: await self.signer.issue(Grant(METHOD, _target(file), "", until))
            for file in files
            if file.thumbnail and not file.hidden
        }

    async def of_ids(self, principal: Principal, ids: Sequence[str]) -> dict[str, str]:
        """Return the same of files by their ids; what the caller may not see is left out."""
        found = await self.access.store.get_many(File, [(one,) for one in dict.fromkeys(ids)])
        files = [file for file in found if file is not None]
        return await self.tokens([
            file for file in files if await self.access.sees(principal, file)
        ])  # fmt: skip

    async def open(self, token: str) -> Picture:
        """Return a picture; raises `Forbidden`, and `NotFound` once it is gone or another."""
        grant = await self.signer.opened(token, METHOD)
        file = await self.access.store.get(File, grant.target.partition(":")[0])
        if file is None or file.hidden or not file.thumbnail or _target(file) != grant.target:
            raise NotFound("This picture is not there any more.")
        left = max(0, grant.expires - self.clock.now()) // SECOND
        return Picture(await thumbnail_content(self.blobs, file), left)


def _target(file: File) -> str:
    return f"{file.id}:{file.sha256[:VERSION]}"
