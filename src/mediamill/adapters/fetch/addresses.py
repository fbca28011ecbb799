"""Read an address that a user typed, strictly, and tell which network addresses are public.

Spellings that programs read differently (`0177.1`, `0x7f000001`, `2130706433`, `①②⑦.0.0.1`,
`%31%32%37…`, backslashes, user names) are made plain here or refused: what is checked is then
exactly what is asked. Sources: RFC 3986, UTS 46, and the IANA special-purpose address registries.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

import idna

from mediamill.core.errors import AddressRefused

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL = 4096
PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_SAFE = "/?:@!$&'()*+,;=-._~%[]|"

SPECIAL_NAMES = frozenset(
    {"localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan",
     "onion", "invalid", "test", "example", "alt"}
)  # fmt: skip
"""Last labels that no public host has (RFC 6761, RFC 9476, `.internal`, and usual inner ones)."""

_INNER_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # a cloud's metadata service at a public address
    )
)  # fmt: skip
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_INNER_6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, benchmarks, ORCHID
        "2001:db8::/32", "3fff::/20",  # documentation
        "2002::/16",  # 6to4 carries an IPv4 address
    )
)  # fmt: skip
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


@dataclass(frozen=True)
class Target:
    """An address made plain: `host` is a lower-case name or a canonical number, `path` ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def number(self) -> IPAddress | None:
        """Return the host as a number, if it is one."""
        return number_of(self.host)

    @property
    def bracketed(self) -> str:
        """Return the host as it stands in an address."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """Return host and port, the latter where it is not the usual one."""
        usual = self.port == PORTS[self.scheme]
        return self.bracketed if usual else f"{self.bracketed}:{self.port}"

    @property
    def shown(self) -> str:
        """Return the address without its query, which may hold a secret."""
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"


def read_address(url: str) -> Target:
    """Take an address apart; raises `AddressRefused` for what is not plainly one."""
    if len(url) > MAX_URL:
        raise AddressRefused(f"The address has more than {MAX_URL:,} characters.")
    if "\\" in url or any(c.isspace() or unicodedata.category(c)[0] == "C" for c in url):
        raise AddressRefused("The address holds a backslash, a blank or a control character.")
    match = _URL.fullmatch(url)
    if match is None:
        raise AddressRefused("An address begins with http:// or https://.")
    scheme, authority, path = match[1].lower(), match[2], match[3]
    if "@" in authority:
        raise AddressRefused("The address holds a user name or a password; leave them out.")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise AddressRefused(f"“{authority[:100]}” is no host with a port.")
    port = int(parts[2]) if parts[2] else PORTS[scheme]
    if not 1 <= port <= 65535:
        raise AddressRefused(f"{port} is no port.")
    path = quote(path if path.startswith("/") else f"/{path}", safe=_PATH_SAFE)
    return Target(scheme, read_host(parts[1]), port, path)


def read_host(text: str) -> str:
    """Return a host in its one spelling; raises `AddressRefused`."""
    if text.startswith("["):
        return _read_number_6(text[1:-1])
    if not text.isascii():
        text = _to_ascii(text)
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused(f"“{text[:100]}” is no host name.")
    if _NUMBER.fullmatch(labels[-1]) and number_of(host) is None:
        raise AddressRefused(f"“{host}” is no address: write four decimal numbers, or a name.")
    return host


def _to_ascii(text: str) -> str:
    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise AddressRefused(f"“{text[:100]}” is no host name.") from None


def _read_number_6(text: str) -> str:
    try:
        number = ipaddress.IPv6Address(text)
    except ValueError:
        raise AddressRefused(f"“[{text[:100]}]” is no address.") from None
    if number.scope_id:
        raise AddressRefused("An address with a zone reaches only inner networks.")
    return str(number)


def number_of(host: str) -> IPAddress | None:
    """Return a host that is written as a number, else None."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_special_name(host: str) -> bool:
    """Tell whether a name cannot be that of a public host."""
    labels = host.split(".")
    return number_of(host) is None and (
        len(labels) == 1 or labels[-1] in SPECIAL_NAMES or labels[-2:] == ["home", "arpa"]
    )


def is_public(number: IPAddress) -> bool:
    """Tell whether an address is one of the public internet.

    Of version 6 only `2000::/3` can be; forms that carry an IPv4 address (mapped, NAT64, 6to4,
    Teredo, ISATAP) are never public, whatever they carry.
    """
    if isinstance(number, ipaddress.IPv4Address):
        return number.is_global and not any(number in inner for inner in _INNER_4)
    if number not in _GLOBAL_6 or any(number in inner for inner in _INNER_6):
        return False
    return number.is_global and int(number) >> 32 & 0xFFFFFFFF not in _ISATAP
