"""Pages of an archive's members."""

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput
from mediamill.media.archive.read import Member


async def members_page(
    app: App, principal: Principal, file_id: str, after: str | None, limit: int
) -> tuple[list[Member], str | None]:
    """Return some members in the archive's order, and the cursor of those that follow.

    Raises `InvalidInput` for a cursor that is none.
    """
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise InvalidInput("after is not a cursor of this list.")
    members = await app.downloads.members(principal, file_id)
    start = int(after or 0)
    stop = start + limit
    return members[start:stop], str(stop) if stop < len(members) else None
