"""Who is asking, and what they may do with a record.

Access is checked where a record is loaded (`services/access.py`), nowhere else. A record that one
may not see is answered as if it did not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Right(IntEnum):
    """What may be done with a record; each includes those before it."""

    VIEW = 1
    EDIT = 2
    OWN = 3
    """Delete, share, hand out unstripped originals."""


class Scope(StrEnum):
    """What an API token may be limited to; to write does not include to read."""

    FILES_READ = "files:read"
    FILES_WRITE = "files:write"
    """Uploads too, tags, and the trash."""
    JOBS_READ = "jobs:read"
    """Results and downloads of jobs, templates, captions."""
    JOBS_WRITE = "jobs:write"
    PROJECTS_READ = "projects:read"
    """Annotations, versions and exports too."""
    PROJECTS_WRITE = "projects:write"
    """Shares too."""
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    ACCOUNT_READ = "account:read"
    """One's profile, tokens, usage, spending, activity."""
    ACCOUNT_WRITE = "account:write"
    """Tokens, which can do no more, notifications, feedback."""
    ANALYTICS_READ = "analytics:read"
    """What everybody used and spent, for analysts and administrators."""
    ADMIN = "admin"
    """All that administrators do."""


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
    confirmed: int = 0
    """When who shows a session proved last who they are (ms): as they signed in, or since."""
    lacks_factor: bool = False
    """Whether they must set up a second factor before anything else."""
    unverified: bool = False
    """Whether they must verify their mail address before they change anything."""
    tenure: int = 0
    """Of the account, as they asked; what they make that outlives a session is of it."""
    scopes: frozenset[str] | None = None
    grants: Mapping[str, Right] = field(default_factory=dict)
    """Rights on records of others, by record id, as shared with this user."""

    def within(self, scope: Scope) -> bool:
        """Tell whether what they showed may be used for this; a session may be for anything."""
        return self.scopes is None or scope in self.scopes

    def may(self, owner: str, record_id: str, right: Right) -> bool:
        """Tell whether a right on a record of `owner` is this caller's.

        An administrator runs the service and its users, which does not open other users' media.
        """
        return owner == self.user or self.grants.get(record_id, 0) >= right
