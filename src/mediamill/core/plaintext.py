"""Whether passwords and names may travel in the clear: on this machine only, unless allowed."""

import ipaddress

ALLOWING = "allow_plaintext"
"""The parameter of an address that allows it, `allow_plaintext=true`: for networks one trusts."""


def stays_here(host: str) -> bool:
    """Tell whether what is sent to a host never leaves this machine, as by a socket's path."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.startswith(("/", "@"))


def refuse_plaintext(host: str, allowed: str | None, instead: str) -> None:
    """Raise `ValueError` for an unencrypted connection that leaves the machine and is not allowed.

    `allowed` is the value of the address's `allow_plaintext`, if it has one; `instead` is what to
    write for an encrypted connection.
    """
    if allowed not in (None, "true", "false"):
        raise ValueError(f"{ALLOWING} is true or false")
    if allowed != "true" and not stays_here(host):
        raise ValueError(
            f"without TLS, passwords and the names of jobs would go to {host} in the clear: "
            f"write {instead}, or add {ALLOWING}=true on a network that you trust"
        )
