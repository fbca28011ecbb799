"""Where the service listens: the socket, its address, and the refusal of plain HTTP."""

import ipaddress
import socket

from mediamill.cli.terminal.failures import Failure
from mediamill.core.settings import Settings

BACKLOG = 2048


def refuse_plain_http(settings: Settings, *, allowed: bool) -> None:
    """Raise `Failure` when passwords would travel in the clear beyond this machine."""
    if allowed or settings.public_url.startswith("https://") or _is_loopback(settings.host):
        return
    raise Failure(
        f"Listening on {settings.host} without TLS would send passwords and files in the clear.",
        "Put a proxy with a certificate in front and set MEDIAMILL_PUBLIC_URL=https://…, or pass "
        "--allow-plain-http on a network that you trust.",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int) -> socket.socket:
    """Open the listening socket; raises `Failure` that says what is in the way."""
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
            "Stop what uses it, or choose another: --port 0 picks a free one.",
        ) from None
    return listener


def local_address(host: str, port: int) -> str:
    """Return the address by which this machine reaches what listens there."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def address_of(settings: Settings, listener: socket.socket) -> Settings:
    """Return the settings with the port that was bound, and the address that users see."""
    port = listener.getsockname()[1]
    public = settings.public_url.rstrip("/") or local_address(settings.host, port)
    return settings.model_copy(update={"port": port, "public_url": public})
