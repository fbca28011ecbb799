"""Open what `MEDIAMILL_IDENTITY_URL` names."""

from typing import Any

from mediamill.adapters.identity.port import Identity, Issuer
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.extras import needing
from mediamill.core.registry import Registry
from mediamill.core.sourced import Sourced, sourced

IDENTITIES: Registry[Any] = Registry(
    "mediamill.adapters.identity",
    "identity backend",
    exclude=frozenset({"address", "calls", "keys", "opening", "port", "remembering", "tokens"}),
)


async def open_identity(source: str | Sourced) -> Identity:
    """Make the backend of a URL; raises `ConfigurationError`. Nobody is asked anything yet.

    A plug-in is a class with `async open(cls, source: Sourced) -> Identity`.
    """
    given = sourced(source)
    scheme = (await given.current()).partition(":")[0].partition("+")[0]
    try:
        with needing(scheme, "MEDIAMILL_IDENTITY_URL"):
            kind = IDENTITIES.get(scheme)
    except NotFound as error:
        raise ConfigurationError(f"MEDIAMILL_IDENTITY_URL: {error.message}") from None
    identity: Identity = await kind.open(given)
    return identity


async def probe_identity(source: str | Sourced) -> str | None:
    """Say whether an issuer answers well; None where there is none. Raises as its port says."""
    identity = await open_identity(source)
    return await identity.probe() if isinstance(identity, Issuer) else None
