"""Backends whose libraries only those install who use them: an extra of the package per scheme."""

from collections.abc import Iterator
from contextlib import contextmanager

from mediamill.core.errors import ConfigurationError


@contextmanager
def needing(scheme: str, setting: str) -> Iterator[None]:
    """Import a backend in the block; say what to install when a library of it is missing.

    Raises `ConfigurationError` that names the setting, and the extra that is called as its scheme.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "mediamill":
            raise
        message = (
            f"{setting}: “{scheme}:” needs {error.name}, which is not installed. "
            f"Install mediamill[{scheme}], or run `make backends` in a clone."
        )
        raise ConfigurationError(message, setting=setting) from error
