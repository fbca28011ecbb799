"""What settings are beside their fields: names of variables, and references to secrets."""

from typing import Self

from pydantic import PrivateAttr
from pydantic_settings import BaseSettings, EnvSettingsSource

PREFIX = "MEDIAMILL_"


def variable(name: str) -> str:
    """Return the variable that a field is read from."""
    return f"{PREFIX}{name.upper()}"


class ReferringSettings(BaseSettings):
    """Settings whose values may have been read from elsewhere, and that show none of them."""

    _templates: dict[str, str] = PrivateAttr(default_factory=dict)

    def templates(self) -> dict[str, str]:
        """Return what was written for the fields that refer to secrets kept elsewhere."""
        return dict(self._templates)

    def referring(self, templates: dict[str, str]) -> Self:
        """Note what was written for fields whose values were read from elsewhere."""
        self._templates.update(templates)
        return self

    @classmethod
    def in_environment(cls) -> dict[str, str]:
        """Return the fields that the environment gives, as they are written there."""
        found = EnvSettingsSource(cls).env_vars
        names = {name: variable(name).lower() for name in cls.model_fields}
        return {name: text for name, key in names.items() if (text := found.get(key)) is not None}
