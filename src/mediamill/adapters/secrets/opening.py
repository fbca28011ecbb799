"""Settings with references: read at the start, and kept current where something connects."""

from typing import Any

from mediamill.adapters.secrets.reading import HOLD_SECONDS, Secrets
from mediamill.adapters.secrets.template import templates_of
from mediamill.core.errors import ConfigurationError
from mediamill.core.referring import variable
from mediamill.core.settings import Settings
from mediamill.core.sourced import Fixed, Sourced


class SettingSources:
    """Gives each setting as something that may change while the service runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secrets = Secrets(settings.secrets_seconds)

    def of(self, name: str) -> Sourced:
        """Return a setting of text by the name of its field."""
        template = self._settings.templates().get(name)
        if template is not None:
            return self._secrets.of(template, variable(name))
        value = getattr(self._settings, name)
        shown = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        return Fixed(shown, variable(name))

    async def close(self) -> None:
        """End what reads secrets anew."""
        await self._secrets.close()


async def read_settings(**given: Any) -> Settings:
    """Read the settings, those given first, with what they refer to put in.

    Raises `ConfigurationError` that names a setting that cannot be read, pydantic's
    `ValidationError` for one that is wrong, `Unavailable`.
    """
    templates = templates_of(given)
    if "home" in templates:
        raise ConfigurationError("MEDIAMILL_HOME: it cannot be kept elsewhere.")
    secrets = Secrets(HOLD_SECONDS)
    read = {name: await secrets.of(text, variable(name)).current()
            for name, text in templates.items()}  # fmt: skip
    return Settings(**given | read).referring(templates)
