"""Which certificates a command believes: those of the system, and the one that was made here."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit


def own_certificate(home: Path) -> Path:
    """Return where a service keeps the certificate that it made."""
    return home / "tls" / "own.pem"


def trusting(server: str, home: Path) -> ssl.SSLContext | bool:
    """Return what httpx takes as `verify`; the own certificate counts on this machine only."""
    from mediamill.cli.remote.client import on_loopback

    own = own_certificate(home)
    if not (urlsplit(server).scheme == "https" and on_loopback(server) and own.exists()):
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(own)
    return context
