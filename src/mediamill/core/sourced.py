"""Settings that are kept elsewhere and may change while the service runs.

Whoever connects somewhere asks for the `current` text each time, and for a `renewed` one when the
server refuses what it says. Most settings are as they are: `sourced(text)`.
"""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Sourced(Protocol):
    """A setting's text as it is now."""

    setting: str
    """Its name, `MEDIAMILL_…`, for messages; empty where it is none."""

    async def current(self) -> str:
        """Return the text, at most some minutes old; what was known last when its place is away.

        Raises `ConfigurationError` that names the setting, never a value, while nothing is known.
        """

    async def renewed(self) -> str:
        """Return the text as it is this moment: call it when a server refuses what it says.

        Asked again at once, it asks nobody: once in a few seconds at most.
        """


class Fixed:
    """A text that never changes; no text of this shows it."""

    def __init__(self, text: str, setting: str = "") -> None:
        self._text, self.setting = text, setting

    async def current(self) -> str:
        return self._text

    async def renewed(self) -> str:
        return self._text


def sourced(text: "str | Sourced") -> Sourced:
    """Return a setting that may be given as the plain text that it is."""
    return Fixed(text) if isinstance(text, str) else text
