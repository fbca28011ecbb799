"""Decide which network address a request may go to, and connect to exactly that one."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpcore

from mediamill.adapters.fetch.addresses import (
    PORTS,
    IPAddress,
    Target,
    is_public,
    is_special_name,
    number_of,
    read_host,
)
from mediamill.core.errors import (
    AddressRefused,
    ConfigurationError,
    FetchFailed,
    SourceUnavailable,
)

SETTING = "MEDIAMILL_FETCH_ALLOW"
MAX_ADDRESSES = 16
DIALLED = 3
"""How many of a name's addresses are tried, in the order in which the resolver gave them."""

LOOKUPS, LOOKUP_SECONDS = 16, 3.0
"""Names looked up at a time, and for how long one waits for its turn."""

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host name, as text; raises `OSError`."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Lookups:
    """Asks the system for names' addresses, in threads of its own.

    So a name server that is slow holds up no other work of the process.
    """

    def __init__(self, threads: int = LOOKUPS, patience: float = LOOKUP_SECONDS) -> None:
        self._threads = ThreadPoolExecutor(threads, "lookup")  # started when needed
        self._free, self._patience = asyncio.Semaphore(threads), patience

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses; raises `SourceUnavailable` when all threads stay busy."""
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise SourceUnavailable(f"Too many names are looked up now; {host} is later.") from None
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        asking = asyncio.get_running_loop().run_in_executor(self._threads, ask)
        asking.add_done_callback(lambda _: self._free.release())
        found = await asyncio.shield(asking)  # who waits no longer leaves the thread busy
        return list(dict.fromkeys(str(address[0]) for *_, address in found))

    def close(self) -> None:
        """Begin no more look-ups."""
        self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class Entry:
    """What an operator allows: a network or a host, and a port (0: the usual, -1: any)."""

    place: Network | str
    port: int

    @property
    def is_network(self) -> bool:
        return not isinstance(self.place, str)

    def fits_port(self, port: int) -> bool:
        return self.port in (-1, port) or (self.port == 0 and port in PORTS.values())

    def names(self, host: str, port: int) -> bool:
        """Tell whether it allows a host by its name."""
        if not isinstance(self.place, str) or not self.fits_port(port):
            return False
        return host == self.place or (self.place[:2] == "*." and host.endswith(self.place[1:]))

    def holds(self, number: IPAddress, port: int) -> bool:
        """Tell whether it allows a network address."""
        return not isinstance(self.place, str) and self.fits_port(port) and number in self.place


class Guard:
    """Lets requests through to public addresses, and to what the operator allows besides."""

    def __init__(self, allowed: Iterable[Entry] = (), resolver: Resolver | None = None) -> None:
        self._lookups = Lookups()
        self.allowed, self.resolver = tuple(allowed), resolver or self._lookups

    def close(self) -> None:
        """Look up no more names."""
        self._lookups.close()

    def check(self, target: Target) -> None:
        """Raise `AddressRefused` for what can be told without asking for the name's addresses."""
        host, port, number = target.host, target.port, target.number
        if self._by_name(host, port):
            return
        if number is not None:
            self._require(number, port)
            return
        if any(entry.fits_port(port) for entry in self.allowed if entry.is_network):
            return  # its address decides
        if is_special_name(host):
            raise AddressRefused(f"{host} is not a public host.")
        self._require_port(port)

    def allows(self, target: Target) -> bool:
        """Tell whether the operator allows a host expressly, by its name or its number."""
        host, port, number = target.host, target.port, target.number
        by_number = number is not None and any(e.holds(number, port) for e in self.allowed)
        return by_number or self._by_name(host, port)

    async def addresses(self, host: str, port: int) -> list[IPAddress]:
        """Return the addresses that a host may be reached at; raises `AddressRefused`.

        One inner address among them refuses all: a name that has both is a trick. Raises
        `FetchFailed` for a name that does not exist, `SourceUnavailable` when that cannot be told.
        """
        number = number_of(host)
        found = [number] if number is not None else await self._resolved(host, port)
        if not self._by_name(host, port):
            for each in found:
                self._require(each, port)
        return found

    async def _resolved(self, host: str, port: int) -> list[IPAddress]:
        try:
            texts = await self.resolver(host, port)
        except socket.gaierror as error:
            if error.errno in (socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_FAIL):
                raise SourceUnavailable(f"The name {host} cannot be looked up now.") from None
            raise FetchFailed(f"There is no host {host}.") from None
        except (OSError, UnicodeError):
            raise SourceUnavailable(f"The name {host} cannot be looked up now.") from None
        numbers = [number_of(text.partition("%")[0]) for text in texts]
        found = [number for number in numbers if number is not None]
        if not found or len(found) != len(numbers) or len(found) > MAX_ADDRESSES:
            raise FetchFailed(f"The host {host} has no address that can be used.")
        return found

    def _by_name(self, host: str, port: int) -> bool:
        return any(entry.names(host, port) for entry in self.allowed)

    def _require(self, number: IPAddress, port: int) -> None:
        if any(entry.holds(number, port) for entry in self.allowed):
            return
        if not is_public(number):
            raise AddressRefused(
                f"The address is inside a network that is not public; an operator may allow it "
                f"with {SETTING}."
            )
        self._require_port(port)

    def _require_port(self, port: int) -> None:
        if port not in PORTS.values():
            raise AddressRefused(
                f"Port {port} is not used for files; an operator may allow it with {SETTING}."
            )


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects to an address that the guard has seen, and never asks for the name again.

    TLS and the Host header keep the name, so a certificate is checked against what was asked for.
    """

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first checked address that answers."""
        addresses = await self.guard.addresses(host, port)
        failure: Exception = httpcore.ConnectError("no address")
        for number in addresses[:DIALLED]:
            try:
                return await self._tcp.connect_tcp(str(number), port, timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def read_allowed(text: str) -> tuple[Entry, ...]:
    """Read `MEDIAMILL_FETCH_ALLOW`: networks, addresses and hosts, each with `:port` or `:*`.

    Raises `ConfigurationError` naming the entry that is wrong.
    """
    return tuple(_entry(part) for part in text.replace(",", " ").split())


def _entry(text: str) -> Entry:
    place, port = _without_port(text)
    try:
        number = 0 if not port else -1 if port == "*" else int(port)
        if number > 65535:
            raise ValueError
        if place.strip("[]").replace(".", "").isdigit() or ":" in place or "/" in place:
            return Entry(ipaddress.ip_network(place.replace("[", "").replace("]", "")), number)
        host = read_host(place.removeprefix("*."))
    except (ValueError, AddressRefused):
        message = f"{SETTING}: “{text}” is no network, address or host like 10.2.0.0/16:8080."
        raise ConfigurationError(message, setting=SETTING) from None
    return Entry(f"*.{host}" if place.startswith("*.") else host, number)


def _without_port(text: str) -> tuple[str, str]:
    """Split off a port; a bare IPv6 network keeps its colons, brackets tell them apart."""
    if text.startswith("["):
        place, _, rest = text.partition("]")
        size, _, port = rest.partition(":")
        return f"{place}]{size}", port
    if text.count(":") == 1:
        place, _, port = text.partition(":")
        return place, port
    return text, ""
