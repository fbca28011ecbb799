"""Settings for a command, and the token that this machine's user keeps in `MEDIAMILL_HOME`."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mediamill.adapters.secrets.template import templates_of
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings

TOKEN_FILE = "token"  # noqa: S105 - the name of a file


def load_settings(**overrides: Any) -> Settings:
    """Read the settings of a command that opens no backend, those of the command line first.

    Names every one that is wrong. What is kept elsewhere is left at its default, unasked for.
    """
    given = _given(overrides)
    kept = templates_of(given)
    return _told(lambda: Settings(**given | {name: _default(name) for name in kept}))


def read_all_settings(**overrides: Any) -> Settings:
    """Read the settings with what they refer to, as the service has them; waits for it.

    Names every one that is wrong, or cannot be read.
    """
    from mediamill.adapters.secrets.opening import read_settings

    return _told(lambda: asyncio.run(read_settings(**_given(overrides))))


def _given(overrides: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in overrides.items() if value is not None}


def _default(name: str) -> Any:
    return Settings.model_fields[name].get_default()


def _told(read: Callable[[], Settings]) -> Settings:
    try:
        return read()
    except ValidationError as error:
        lines = [f"MEDIAMILL_{'.'.join(map(str, item['loc'])).upper()}: {item['msg']}"
                 for item in error.errors(include_url=False)]  # fmt: skip
        raise ConfigurationError("; ".join(lines)) from None


@dataclass(frozen=True)
class Credentials:
    """A token and the server that it is for, so that it is never shown to another one."""

    token: str
    server: str


def read_credentials(home: Path) -> Credentials | None:
    """Read what `save_credentials` wrote; None when there is nothing."""
    try:
        token, server = (home / TOKEN_FILE).read_text().split()
    except (OSError, ValueError):
        return None
    return Credentials(token, server)


def save_credentials(home: Path, credentials: Credentials) -> Path:
    """Write `HOME/token`, two lines that only its owner can read, replacing it whole."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, fresh = home / TOKEN_FILE, home / f".{TOKEN_FILE}-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{credentials.token}\n{credentials.server}\n")
    fresh.replace(path)
    return path
