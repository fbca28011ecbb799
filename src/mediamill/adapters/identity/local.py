"""Sign-in by this installation alone: `local:`, addresses and passwords, sessions, API tokens."""

from mediamill.core.errors import ConfigurationError
from mediamill.core.sourced import Sourced

SETTING = "MEDIAMILL_IDENTITY_URL"


class LocalIdentity:
    passwords = True

    @classmethod
    async def open(cls, source: Sourced) -> "LocalIdentity":
        """Make the backend; raises `ConfigurationError` for anything behind the colon."""
        if await source.current() != "local:":
            raise ConfigurationError(f"{SETTING}: write local: alone.", setting=SETTING)
        return cls()


plugin = LocalIdentity
