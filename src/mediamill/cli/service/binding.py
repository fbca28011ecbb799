"""Where the service listens: the socket, its address, and the refusal of plain HTTP."""

import ipaddress
import socket

from mediamill.cli.remote.trust import own_certificate
from mediamill.cli.terminal.failures import Failure
from mediamill.core.settings import Settings

BACKLOG = 2048
ANOTHER = "Stop what uses it, or choose another: --port 0 picks a free one."


def refuse_plain_http(settings: Settings, *, allowed: bool) -> None:
    """Raise `Failure` when passwords would travel in the clear beyond this machine."""
    private = settings.tls_certificate or settings.public_url.startswith("https://")
    if allowed or private or _is_loopback(settings.host):
        return
    raise Failure(
        f"Listening on {settings.host} without TLS would send passwords and files in the clear.",
        "One of these is enough:\n"
        "  --self-signed: HTTPS with a certificate made here; browsers ask once\n"
        "  MEDIAMILL_TLS_CERTIFICATE and MEDIAMILL_TLS_KEY: your own certificate\n"
        "  a proxy with a certificate in front, and MEDIAMILL_PUBLIC_URL=https://… "
        "(docs/how-to/proxies.md)\n"
        "  --allow-plain-http: on a network where you trust everybody",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int, remedy: str = ANOTHER) -> socket.socket:
    """Open the listening socket; raises `Failure` that says what is in the way, and what to do."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise Failure(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}.",
            remedy,
        ) from None
    return listener


def local_address(settings: Settings) -> str:
    """Return the address by which this machine reaches what listens there.

    A certificate that was given is good for the public name, not for this machine's own.
    """
    given = settings.tls_certificate not in ("", str(own_certificate(settings.home)))
    if given and settings.public_url.startswith("https://"):
        return settings.public_url.rstrip("/")
    return settings.model_copy(update={"public_url": ""}).address


def address_of(settings: Settings, listener: socket.socket) -> Settings:
    """Return the settings with the port that was bound, and the address that users see."""
    bound = settings.model_copy(update={"port": listener.getsockname()[1]})
    return bound.model_copy(update={"public_url": bound.address})
