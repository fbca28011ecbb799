"""Links that work without a session for a while: to a file, a job's download, an input's outputs.

A link acts in the name of whoever asked for it, and all is looked at when it is used: whether that
user is active and may still see the target, and whether the target is still there.
"""

from dataclasses import dataclass

import structlog

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import HOUR, SECOND, Clock
from mediamill.core.errors import Forbidden, Unauthenticated
from mediamill.services.accounts.service import Accounts
from mediamill.services.content import Content
from mediamill.services.files.downloads import Downloads
from mediamill.services.files.service import FileService
from mediamill.services.jobs.outputs import Outputs
from mediamill.services.links.signing import Grant, Signer

log = structlog.get_logger(__name__)

LINK_SECONDS = HOUR // SECOND
LEAST_SECONDS, MOST_SECONDS = 60, 86_400
DIRECT_SECONDS = HOUR // SECOND
METHOD = "GET"
"""What a link is for; HEAD asks for the same without the bytes."""


@dataclass(frozen=True)
class Link:
    """A token that gives content until `expires` (ms), or an address at the store that does."""

    token: str
    expires: int
    content: Content
    url: str = ""


@dataclass
class Links:
    """Makes links and opens them."""

    signer: Signer
    clock: Clock
    accounts: Accounts
    files: FileService
    downloads: Downloads
    outputs: Outputs

    async def to_file(self, principal: Principal, file_id: str, seconds: int) -> Link:
        """Make a link to a file; raises `NotFound`."""
        return await self._link(principal, f"file:{file_id}", seconds)

    async def to_job(self, principal: Principal, job_id: str, seconds: int) -> Link:
        """Make a link to a job's download; raises `NotFound`, `Conflict` until it has ended."""
        return await self._link(principal, f"job:{job_id}", seconds)

    async def to_output(
        self, principal: Principal, job_id: str, file_id: str, seconds: int | None, *,
        direct: bool = False,
    ) -> Link:  # fmt: skip
        """Make a link to a result of a job, or to what an input of it became.

        A `direct` one leads to the store itself, where that can be: it is looked at no more when it
        is used, and works for an hour at most; one that would end before `seconds` have passed is
        not made. Raises `NotFound` for what is neither, `Conflict` with the state until there is
        an outcome.
        """
        found = await self.outputs.find(principal, job_id, file_id)
        target = f"file:{found[0][0]}" if len(found) == 1 else f"output:{job_id}:{file_id}"
        return await self._link(principal, target, seconds, direct=direct)

    async def open(self, token: str) -> Content:
        """Return what a link leads to; raises `Forbidden`, and `NotFound` once that is gone."""
        grant = await self.signer.opened(token, METHOD)
        try:
            principal = await self.accounts.acting(grant.user)
        except Unauthenticated:
            raise Forbidden("Whoever made this link is not active any more.") from None
        return await self._content(principal, grant.target)

    async def _link(
        self, principal: Principal, target: str, seconds: int | None, *, direct: bool = False
    ) -> Link:
        content = await self._content(principal, target)
        link = await self._direct(content, seconds) if direct else None
        if link is None:
            expires = self.clock.now() + (seconds or LINK_SECONDS) * SECOND
            token = await self.signer.issue(Grant(METHOD, target, principal.user, expires))
            link = Link(token, expires, content)
        note("link_made", target.partition(":")[2].rpartition(":")[2], target=target, direct=direct)
        return link

    async def _direct(self, content: Content, seconds: int | None) -> Link | None:
        """Sign an address at the store; None when it would not work for as long as is asked."""
        if content.sign is None or (seconds or 0) > DIRECT_SECONDS:
            return None
        now = self.clock.now()
        signed = await content.sign(seconds or DIRECT_SECONDS)
        if seconds is not None and signed.expires <= now + (seconds - 1) * SECOND:
            return None  # it ends with the credentials
        return Link("", signed.expires, content, signed.url)

    async def _content(self, principal: Principal, target: str) -> Content:
        kind, _, name = target.partition(":")
        if kind == "file":
            return await self.files.content(principal, name)
        if kind == "job":
            return await self.downloads.job(principal, name)
        job_id, _, file_id = name.partition(":")
        return await self.outputs.archive(principal, job_id, file_id)
