"""Who really asks, where a reverse proxy stands between: its headers are believed, nobody else's.

A proxy adds to each request whom it had it from, as `Forwarded` (RFC 7239) or `X-Forwarded-For`,
`-Proto` and `-Host`. Anybody can send these headers too, so they count only from the networks of
`MEDIAMILL_TRUSTED_PROXIES`, and are read from the right: each proxy appends, so what stands left of
the first address that is no proxy of ours was written by who asks. That address is the client.

Most proxies set one of the two kinds and pass the other one on as it came. Where both are there and
do not say the same of client, scheme and name, one of them may be forged: the request is refused.
Of one kind nobody can tell which fields the proxy wrote, so it has to set or remove them all.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from mediamill.core.errors import ConfigurationError
from mediamill.web.problems import render, report_of

SETTING = "MEDIAMILL_TRUSTED_PROXIES"
NAMES = frozenset(
    [b"forwarded", b"via", b"x-real-ip"]
    + [b"x-forwarded-" + name for name in (b"for", b"proto", b"host")]
)
"""Fields that only proxies write, as a rule."""
VEILED = "veiled"
"""Noted of a request that a proxy passed on which nobody trusts: who asks is not known."""
SCHEMES = frozenset({"http", "https"})
DIFFERENT = "Forwarded and X-Forwarded-For, -Proto and -Host do not say the same of this request."
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PAIR = re.compile(
    r"""([!#$%&'*+.^_`|~0-9a-zA-Z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;\s]+))(?=[ \t]*(?:[,;]|$))"""
)
_PORT = re.compile(r":(?:[0-9]{1,5}|_[0-9A-Za-z._-]+)")


@dataclass(frozen=True)
class Hop:
    """What a proxy says of whom it had a request from; empty for what it does not say."""

    client: Address
    scheme: str = ""
    host: str = ""


class Proxies:
    """Puts the client, the scheme and the name that was asked for in the place of the proxy's."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self.app, self.trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self.resolve(scope)
            except ValueError as error:
                report = report_of(HTTPException(400, str(error)))
                request_id = scope.get("state", {}).get("request_id", "")
                await render(report, request_id)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def resolve(self, scope: Scope) -> None:
        """Make a request the one that the client sent; raises `ValueError` for a contradiction.

        It is changed in place: what surrounds it logs the same client. Without a trusted proxy it
        stays as it came, but for an IPv4 address in IPv6's clothes.
        """
        peer = _plain(scope["client"][0]) if scope.get("client") else None
        if peer is None:
            return
        if not self._trusts(peer):
            scope["client"] = (str(peer), scope["client"][1])
            state = scope.setdefault("state", {})
            state[VEILED] = any(name in NAMES for name, _ in scope["headers"])
            return
        hop = self._client_of(scope["headers"], peer)
        scope["client"] = (str(hop.client), 0)
        if hop.scheme:
            scope["scheme"] = hop.scheme
        if hop.host:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", hop.host.encode("latin-1")), *others]

    def _client_of(self, headers: Sequence[tuple[bytes, bytes]], peer: Address) -> Hop:
        standard = self._standard(_joined(headers, b"forwarded"), peer)
        usual = self._usual(headers, peer)
        if standard and usual and standard != usual:
            raise ValueError(DIFFERENT)
        return standard or usual or Hop(peer, *_said(headers))

    def _standard(self, text: str, peer: Address) -> Hop | None:
        """Read `Forwarded`; None where there is none."""
        if not text:
            return None
        found = Hop(peer)
        for element in reversed([*_elements(text)]):
            client = _node(element.get("for", ""))
            scheme, host = _scheme(element.get("proto", "")), element.get("host", "")
            found = Hop(client or found.client, scheme or found.scheme, host or found.host)
            if client is None or not self._trusts(client):
                break
        return found

    def _usual(self, headers: Sequence[tuple[bytes, bytes]], peer: Address) -> Hop | None:
        """Read `X-Forwarded-…`; None where there is no `X-Forwarded-For`."""
        text, client = _joined(headers, b"x-forwarded-for"), peer
        if not text:
            return None
        for part in reversed(text.split(",")):
            found = _node(part.strip())
            if found is None:
                break
            client = found
            if not self._trusts(found):
                break
        return Hop(client, *_said(headers))

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.trusted)


def read_trusted(text: str, setting: str = SETTING) -> tuple[Network, ...]:
    """Read addresses and networks, as a setting has them; raises `ConfigurationError`."""
    found = list[Network]()
    for part in text.replace(",", " ").split():
        try:
            found.append(ip_network(part))
        except ValueError:
            message = f"{setting}: “{part}” is no address or network like 10.2.0.0/16."
            raise ConfigurationError(message, setting=setting) from None
    return tuple(found)


def _said(headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return scheme and name as the nearest proxy says them."""
    scheme = _joined(headers, b"x-forwarded-proto").rpartition(",")[2]
    return _scheme(scheme), _joined(headers, b"x-forwarded-host").rpartition(",")[2].strip()


def _joined(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str:
    """Return a header's lines as the one that they mean (RFC 9110, section 5.3)."""
    return ",".join(value.decode("latin-1") for key, value in headers if key == name)


def _elements(text: str) -> Iterator[dict[str, str]]:
    """Take `Forwarded` apart; raises `ValueError` for what breaks its grammar.

    Nothing may be guessed of such: a quote that a client opened would hide what proxies append.
    """
    pairs, place = dict[str, str](), 0
    while place < len(text):
        if text[place] in ", ;\t":
            if text[place] == ",":
                yield pairs
                pairs = {}
            place += 1
            continue
        match = _PAIR.match(text, place)
        if match is None:
            raise ValueError("The header Forwarded cannot be read.")
        name, quoted, token = match.groups()
        pairs[name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        place = match.end()
    yield pairs


def _node(text: str) -> Address | None:
    """Read whom a proxy names, with or without a port; None for a hidden or an unknown one."""
    if text.startswith("["):
        inside, _, port = text[1:].partition("]")
        return _plain(inside) if not port or _PORT.fullmatch(port) else None
    if text.count(":") == 1:
        text, _, port = text.partition(":")
        if not _PORT.fullmatch(f":{port}"):
            return None
    return _plain(text)


def _plain(text: str) -> Address | None:
    """Read an address; one of version 4 that came over a socket of version 6 is of version 4."""
    with suppress(ValueError):
        address = ip_address(text.partition("%")[0])
        return getattr(address, "ipv4_mapped", None) or address
    return None


def _scheme(text: str) -> str:
    scheme = text.strip().lower()
    return scheme if scheme in SCHEMES else ""
