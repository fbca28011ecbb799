"""Pages of an archive's members."""

from urllib.parse import quote

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput
from mediamill.media.archive.read import Member
from mediamill.services.files.directories import Listing
from mediamill.web.views.files import ArchiveMemberList, ArchiveMemberView


async def members_page(
    app: App, principal: Principal, file_id: str, after: str | None, limit: int, prefix: str = ""
) -> ArchiveMemberList:
    """Return some members in the archive's order, and the cursor of those that follow.

    Raises `InvalidInput` for a cursor that is none.
    """
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise InvalidInput("after is not a cursor of this list.")
    listing = await app.downloads.listing(principal, file_id)
    found, following = _page(listing, int(after or 0), limit, prefix)
    return ArchiveMemberList(
        data=[_view(file_id, member) for member in found],
        has_more=following is not None,
        after=following,
        count=len(listing.members),
        left_out=listing.left_out,
    )


def _page(listing: Listing, start: int, limit: int, prefix: str) -> tuple[list[Member], str | None]:
    """Return up to `limit` members whose path has a prefix, from a place on."""
    members = listing.members
    found: list[Member] = []
    for place in range(start, len(members)):
        if not members[place].name.startswith(prefix):
            continue
        if len(found) == limit:
            return found, str(place)
        found.append(members[place])
    return found, None


def _view(file_id: str, member: Member) -> ArchiveMemberView:
    return ArchiveMemberView(
        path=member.name,
        size=member.size,
        crc32=f"{member.crc32:08x}",
        url=f"/v1/files/{file_id}/members/{quote(member.name)}",
    )
