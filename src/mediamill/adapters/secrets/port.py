"""Where secrets are kept outside of the settings: `${keeper:name?option=value#json-key}`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol


@dataclass(frozen=True)
class Reference:
    """A secret's place; equal ones are asked for once."""

    keeper: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    key: str = ""
    """Of the JSON object that the secret is; empty: the whole text."""

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.options.items())
        query = f"?{query}" if query else ""
        return f"${{{self.keeper}:{self.name}{query}{f'#{self.key}' if self.key else ''}}}"


class Keeper(Protocol):
    """Reads secrets."""

    holds_seconds: ClassVar[float | None]
    """For how long what was read is believed; None: for MEDIAMILL_SECRETS_SECONDS."""

    async def read(self, reference: Reference) -> str:
        """Return a secret.

        Raises `ValueError` that says what is wrong with the reference, who may not read it, or
        what is not there; `Unavailable` when the keeper cannot be asked. Neither holds a secret.
        """
