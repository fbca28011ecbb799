"""Nobody ends workers that are too many, or nobody has to be told: `none:`."""

from mediamill.core.errors import ConfigurationError


class NoProtection:
    asked = False

    @classmethod
    def open(cls, url: str) -> "NoProtection":
        """Make it; raises `ConfigurationError` for parameters."""
        if url != "none:":
            message = "MEDIAMILL_PROTECTION_URL: write none: without more."
            raise ConfigurationError(message, setting="MEDIAMILL_PROTECTION_URL")
        return cls()

    async def protect(self, seconds: int) -> None:
        pass

    async def release(self) -> None:
        pass

    async def close(self) -> None:
        pass


plugin = NoProtection
