"""Certificates of the web's authorities, read once a process instead of by each client of httpx.

To read them costs 8 ms of processor time, as much as a short command that asks a server, and most
clients of tests speak plain HTTP with this machine. Whoever names certificates of their own, or
sets the variables that do, gets what they name.
"""

import os
import ssl
from collections.abc import Callable
from functools import cache
from typing import Any

import httpx._transports.default as transports

NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
Make = Callable[..., ssl.SSLContext]


def read_once() -> None:
    """Let all clients of this process, and of those forked from it, share what they believe."""
    found: dict[str, Any] = vars(transports)
    found["create_ssl_context"] = sharing(found["create_ssl_context"])


@cache
def read_once_for_aws() -> None:
    """Do the same for clients of AWS, which read them again for each, also for plain HTTP."""
    from aiobotocore.httpsession import AIOHTTPSession  # most processes have no client of AWS

    build, shared = AIOHTTPSession._build_ssl_contexts, []

    def contexts(session: Any, proxy: str | None) -> Any:
        if proxy or session._cert_file or session._verify is not True:
            return build(session, proxy)
        if not shared:
            shared.append(build(session, None))
        return shared[0]

    AIOHTTPSession._build_ssl_contexts = contexts


def sharing(make: Make) -> Make:
    """Return `make` that makes what nobody says more about once for each setting of variables."""

    @cache
    def made(trust_env: bool, *_variables: str | None) -> ssl.SSLContext:
        return make(verify=True, cert=None, trust_env=trust_env)

    def create_ssl_context(
        verify: Any = True, cert: Any = None, trust_env: bool = True
    ) -> ssl.SSLContext:
        if verify is not True or cert is not None:
            return make(verify=verify, cert=cert, trust_env=trust_env)
        return made(trust_env, *(os.environ.get(name) if trust_env else None for name in NAMES))

    return create_ssl_context
