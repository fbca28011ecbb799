"""What `MEDIAMILL_IDENTITY_URL` says of an issuer.

    oidc+https://issuer/path?client_id=…&client_secret=…&discovery=…&jwks=…&audience=…&clients=…
      &scopes=…&label=…&passwords=true|false&admins=GROUP&groups=CLAIM&ca=…&allow_plaintext=true

What stands before `?`, without `oidc+`, is the issuer's name, letter for letter as its tokens have
it. `discovery` and `jwks` are for where its documents are to be had under other addresses.
"""

import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from mediamill.core.errors import ConfigurationError
from mediamill.core.plaintext import ALLOWING, refuse_plaintext

SETTING = "MEDIAMILL_IDENTITY_URL"
FORM = "oidc+https://issuer.example.org/path?client_id=…&client_secret=…"
KNOWN = frozenset({
    "client_id", "client_secret", "discovery", "jwks", "audience", "clients", "scopes", "label",
    "passwords", "admins", "groups", "ca", ALLOWING,
})  # fmt: skip
WELL_KNOWN = "/.well-known/openid-configuration"
_SCOPES = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")


@dataclass(frozen=True)
class Address:
    """An issuer, who we are there, and what is taken from it."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    discovery: str = ""
    jwks: str = ""
    """Where its keys are, if not where its discovery document says."""
    audience: str = ""
    """What access tokens must be for; where empty, they must be made for us as a client."""
    clients: frozenset[str] = frozenset()
    """Further clients of the issuer whose tokens are taken where no audience tells."""
    scopes: str = "openid email profile"
    label: str = ""
    passwords: bool = True
    admins: str = ""
    groups: str = "groups"
    ca: str | None = None
    plaintext: str | None = None

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL; raises `ConfigurationError`, which says what to write."""
        try:
            return _read(url)
        except ValueError as error:
            raise ConfigurationError(f"{SETTING}: {error}.", setting=SETTING) from None

    @property
    def our_clients(self) -> frozenset[str]:
        return self.clients | {self.client_id}

    def checked(self, url: object, what: str) -> str:
        """Return an address of the issuer's; raises `ConfigurationError` unless it is private."""
        try:
            return self.private(url, what)
        except ValueError as error:
            raise ConfigurationError(f"{SETTING}: {error}.", setting=SETTING) from None

    def private(self, url: object, what: str) -> str:
        """Return an address; raises `ValueError` unless HTTPS, on this machine, or allowed."""
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
            raise ValueError(f"{what} is not an address: https://…")
        if parts.username is not None or parts.password is not None:
            raise ValueError(f"{what} has a name or a password in it, which is not sent")
        if parts.scheme == "http":
            refuse_plaintext(parts.hostname, self.plaintext, f"{what} with https://")
        return parts.geturl()


def _read(url: str) -> Address:
    whole, _, query = url.removeprefix("oidc+").partition("?")
    options = _options(query)
    client_id = options.get("client_id", "")
    if not url.startswith(("oidc+https://", "oidc+http://")) or not client_id:
        raise ValueError(f"write {FORM}")
    address = Address(
        issuer=whole,
        client_id=client_id,
        client_secret=options.get("client_secret", ""),
        discovery=options.get("discovery") or whole.rstrip("/") + WELL_KNOWN,
        jwks=options.get("jwks", ""),
        audience=options.get("audience", ""),
        clients=frozenset(filter(None, options.get("clients", "").split(","))),
        scopes=options.get("scopes", Address.scopes),
        label=_label(options.get("label", urlsplit(whole).hostname or "")),
        passwords=_flag(options, "passwords", default=True),
        admins=options.get("admins", ""),
        groups=options.get("groups", Address.groups),
        ca=options.get("ca"),
        plaintext=options.get(ALLOWING),
    )
    _check(address)
    return address


def _check(address: Address) -> None:
    address.private(address.issuer, "the issuer")
    address.private(address.discovery, "discovery")
    if address.jwks:
        address.private(address.jwks, "jwks")
    if not _SCOPES.fullmatch(address.scopes) or "openid" not in address.scopes.split():
        raise ValueError("scopes are words with blanks (%20) between, openid among them")
    try:
        if address.ca is not None:
            ssl.create_default_context(cafile=address.ca)
    except OSError as error:  # no file, or no certificates in it
        raise ValueError(f"ca: {address.ca} cannot be used: {error.strerror}") from None


def _options(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError(f"write {FORM}") from None  # urllib quotes what it could not read
    options = dict(pairs)
    if unknown := options.keys() - KNOWN:
        names = ", ".join(sorted(KNOWN))
        raise ValueError(f"unknown parameter {', '.join(sorted(unknown))}; known: {names}")
    if len(pairs) != len(options):
        raise ValueError("a parameter is given twice")
    return options


def _flag(options: dict[str, str], name: str, *, default: bool) -> bool:
    text = options.get(name, str(default).lower())
    if text not in ("true", "false"):
        raise ValueError(f"{name} is true or false")
    return text == "true"


def _label(text: str) -> str:
    if not 1 <= len(text) <= 50 or not text.isprintable():
        raise ValueError("label is 1 to 50 characters that people read on the sign-in page")
    return text
