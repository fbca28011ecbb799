"""Who may see `/metrics` of the API: this machine, and the networks that a setting names.

There is nothing of users in it, but what a business spends and how many customers it has is not
everybody's. Nobody signs in there, so the address is all that there is to go by. It is that of who
asks where a trusted proxy passed the request on; where another did, nobody knows it.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from fastapi import Request

from mediamill.core.errors import Forbidden
from mediamill.web.proxies import VEILED, Network, read_trusted

SETTING = "MEDIAMILL_METRICS_ALLOW"
LOOPBACK = read_trusted("127.0.0.0/8 ::1")


def read_watchers(text: str) -> tuple[Network, ...]:
    """Read the setting; raises `ConfigurationError`."""
    return (*LOOPBACK, *read_trusted(text, SETTING))


def refuse_unwatching(request: Request) -> None:
    """Raise `Forbidden` unless who asks may see the numbers of this web application."""
    watchers: Sequence[Network] = request.app.state.watchers
    client = request.client
    veiled = request.scope["state"].get(VEILED, False)
    if client is None or veiled or not _within(client.host, watchers):
        raise Forbidden(f"Numbers are told to this machine and to {SETTING} only.")


def _within(text: str, networks: Sequence[Network]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks)
