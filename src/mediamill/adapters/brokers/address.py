"""What `MEDIAMILL_BROKER_URL` says of a server: where it is, who we are there, how it is reached.

    scheme://user:password@host:port/path?name=…&ca=…&allow_plaintext=true

`name` tells installations apart that share a server (`mediamill`); `ca` is a file with the
certificates that a server's own is judged by, instead of the system's.
"""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from mediamill.core.errors import ConfigurationError
from mediamill.core.plaintext import ALLOWING, refuse_plaintext
from mediamill.core.urls import options_of

SETTING = "MEDIAMILL_BROKER_URL"
COMMON = frozenset({"name", "ca", ALLOWING})
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Address:
    """A server's address; who we are is in no text of it: a user alone may be a token."""

    host: str
    port: int
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    path: str
    name: str = "mediamill"
    secure: bool = False
    ca: str | None = None

    @classmethod
    def of(cls, url: str, *, plain: str, encrypted: str, port: int, tls_port: int = 0) -> "Address":
        """Read a URL of one of two schemes; raises `ConfigurationError`, which says what to write.

        `port` is where such a server listens unless told otherwise, `tls_port` where it differs.
        """
        with telling(), reading(f"{encrypted}://user:password@host:{tls_port or port}"):
            parts = urlsplit(url)
            options = options_of(parts.query, COMMON)
            secure = parts.scheme == encrypted
            usual = tls_port if secure and tls_port else port
            if not parts.hostname or parts.fragment:
                raise Unreadable
            if not secure and "ca" in options:
                raise ValueError(f"ca is for {encrypted}://")
            name = options.get("name", "mediamill")
            if not NAME.fullmatch(name):
                raise ValueError("name is 1 to 64 letters, digits, _ and -")
            if not secure:
                refuse_plaintext(parts.hostname, options.get(ALLOWING), f"{encrypted}://…")
            return cls(
                parts.hostname,
                parts.port or usual,
                _plain(parts.username),
                _plain(parts.password),
                unquote(parts.path.removeprefix("/")),
                name,
                secure,
                _usable(options.get("ca")),
            )

    def context(self) -> ssl.SSLContext | None:
        """Return how the server is judged; None without TLS."""
        return ssl.create_default_context(cafile=self.ca) if self.secure else None

    def without_secrets(self, text: str) -> str:
        """Return a text in which the password, or the token, is hidden."""
        secret = self.password or self.user
        return text.replace(secret, "[hidden]") if secret else text


class Unreadable(ValueError):
    """No server can be made out."""


@contextmanager
def telling() -> Iterator[None]:
    """Raise a `ValueError` of the block as `ConfigurationError` that names the setting."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError(f"{SETTING}: {error}.", setting=SETTING) from None


@contextmanager
def reading(form: str) -> Iterator[None]:
    """Say what to write where an address cannot be read; what is said of it may hold a password."""
    try:
        yield
    except Unreadable:
        raise ValueError(_advice(form)) from None
    except ValueError as error:
        if "port" in str(error).lower() or "ipv6" in str(error).lower():
            raise ValueError(_advice(form)) from None  # urllib quotes what it could not read
        raise


def _advice(form: str) -> str:
    return f"write {form}, with %2F for / in a password, %40 for @ and so on"


def _usable(ca: str | None) -> str | None:
    try:
        ssl.create_default_context(cafile=ca)
    except OSError as error:  # no file, or no certificates in it
        raise ValueError(f"ca: {ca} cannot be used: {error.strerror}") from None
    return ca


def _plain(text: str | None) -> str | None:
    return None if text is None else unquote(text)
