"""Who is asking, and what they may do with a record.

Access is checked where a record is loaded (`services/access.py`), nowhere else. A record that one
may not see is answered as if it did not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Right(IntEnum):
    """What may be done with a record; each includes those before it."""

    VIEW = 1
    EDIT = 2
    OWN = 3
    """Delete, share, hand out unstripped originals."""


@dataclass(frozen=True)
class Principal:
    """An authenticated caller.

    `scopes` limit an API token (`None`: everything its user may do); `token` is the id of the
    token that was shown, so that a session can end itself; empty for one of an issuer.
    """

    user: str
    role: str = "user"
    token: str = ""
    session: bool = False
    """Whether they signed in, rather than showed a token that programs show."""
    expires: int | None = None
    """When the session or API token that was shown ends (ms); None for one that does not."""
    scopes: frozenset[str] | None = None
    grants: Mapping[str, Right] = field(default_factory=dict)
    """Rights on records of others, by record id, as shared with this user."""

    def may(self, owner: str, record_id: str, right: Right) -> bool:
        """Tell whether a right on a record of `owner` is this caller's.

        An administrator runs the service and its users, which does not open other users' media.
        """
        return owner == self.user or self.grants.get(record_id, 0) >= right
