"""Open what seals secrets: `MEDIAMILL_SEALING_URL`, one holder of keys or several.

Of several, with a space between them, the first seals and all open: to move from one to another.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from mediamill.adapters.sealing.envelope import Envelope
from mediamill.adapters.sealing.keyring import SETTING
from mediamill.adapters.sealing.port import Holder
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.extras import needing
from mediamill.core.registry import Registry
from mediamill.core.sourced import Fixed, Sourced, sourced

log = structlog.get_logger(__name__)

HOLDERS: Registry[Any] = Registry(
    "mediamill.adapters.sealing",
    "holder of keys",
    exclude=frozenset({"envelope", "keyring", "opening", "port"}),
)
DEFAULT = "local:"


class Holding:
    """The holders that the setting names, made anew when it changes; the last that were right."""

    def __init__(self, source: Sourced, home: Path) -> None:
        self._source, self._home = source, home
        self._said: str | None = None
        self._broken: str | None = None
        self._holders: Sequence[Holder] = ()
        self._replaced: list[Holder] = []

    async def now(self) -> Sequence[Holder]:
        """Return the holders; the first seals."""
        return self._made(await self._source.current())

    async def again(self) -> Sequence[Holder]:
        """Return them as the setting is this moment."""
        return self._made(await self._source.renewed())

    def _made(self, said: str) -> Sequence[Holder]:
        if said not in (self._said, self._broken):
            try:
                self._take(said)
            except ConfigurationError as error:
                if self._said is None:
                    raise
                self._broken = said
                log.error(
                    "a setting is unusable; the last one is used",
                    action="setting_broken",
                    error=error.message,
                )
        return self._holders

    def _take(self, said: str) -> None:
        if not isinstance(self._source, Fixed):
            require_whole(said)
        made = open_holders(said, self._home)
        self._replaced += self._holders  # somebody may be asking them
        self._holders, self._said, self._broken = made, said, None

    async def close(self) -> None:
        """Release what the holders have open."""
        for holder in (*self._replaced, *self._holders):
            await holder.close()


def open_holders(said: str, home: Path) -> Sequence[Holder]:
    """Make the holders of some URLs; raises `ConfigurationError`.

    A plug-in is a class with `open(cls, url: str, home: Path) -> Holder`.
    """
    return [_open(url, home) for url in said.split() or [DEFAULT]]


def require_whole(said: str) -> None:
    """Raise `ConfigurationError` for what lacks what a reference in it should have put in.

    Else the keys in the home folder were meant, and sealed what no other server opens.
    """
    words = said.split()
    if not words or any(word.endswith(":") for word in words):
        message = f"{SETTING}: what it refers to is empty: there must be a keyring, or its path."
        raise ConfigurationError(message, setting=SETTING)


def open_sealer(source: "str | Sourced", home: Path) -> Envelope:
    """Make the sealer of the setting; keys are looked for when something is sealed or opened."""
    return Envelope(Holding(sourced(source), home))


def _open(url: str, home: Path) -> Holder:
    scheme = url.partition(":")[0]
    try:
        with needing(scheme, SETTING):
            kind = HOLDERS.get(scheme)
    except NotFound:
        # the text may be a keyring that lost what stands before it: not to be shown
        known = ", ".join(f"{name}:" for name in HOLDERS.names())
        message = f"{SETTING}: it begins with none of {known}."
        raise ConfigurationError(message, setting=SETTING) from None
    holder: Holder = kind.open(url, home)
    return holder
