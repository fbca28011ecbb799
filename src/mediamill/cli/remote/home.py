"""Settings for a command, and the token that this machine's user keeps in `MEDIAMILL_HOME`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings

TOKEN_FILE = "token"  # noqa: S105 - the name of a file


def load_settings(**overrides: Any) -> Settings:
    """Read the settings, those given on the command line first; names every one that is wrong."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
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
