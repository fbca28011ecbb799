"""The keys that an issuer signs with: its JWKS, kept, and asked for again on a key's first sight.

A token names its key; nothing else in a token says where keys are. Only public keys of the listed
kinds are taken: a symmetric one among them, or one meant for encryption, is as good as absent.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from joserfc import jwk
from joserfc.errors import JoseError

from mediamill.adapters.identity.remembering import Remembered
from mediamill.core.errors import Unauthenticated, Unavailable

KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"), "Ed25519": ("OKP", "Ed25519"),
}  # fmt: skip
"""Algorithms that are taken, and the type and curve of the keys they need."""
MOST_KEYS = 100
LEAST_RSA_BITS = 2048


@dataclass(frozen=True)
class PublicKey:
    """A key that signatures are judged by, and what may be judged by it."""

    kid: str | None
    type: str
    curve: str | None
    alg: str | None
    key: jwk.Key

    def fits(self, kid: str | None, alg: str) -> bool:
        """Tell whether a token of this header may be signed with it."""
        right = (self.type, self.curve) == KINDS[alg] and self.alg in (None, alg)
        return right and (kid is None or self.kid == kid)


class Keys:
    """Finds the key of a token."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[dict[str, Any]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        async def asked() -> tuple[PublicKey, ...]:
            return read_keys(await ask())

        self._keys = Remembered(asked, clock)

    async def known(self) -> int:
        """Return how many keys there are; raises what keeps them from being known, or none is."""
        keys = await self._keys.get()
        if not keys:
            raise Unavailable("The issuer has no key that is taken here.")
        return len(keys)

    async def find(self, kid: str | None, alg: str, *, at_once: bool = False) -> jwk.Key:
        """Return the one key that fits a header.

        One not known is asked for, seldom, so that made-up names do not make us a nuisance;
        `at_once` where the issuer itself has just named it. Raises `Unauthenticated` when there is
        no such key, `Unavailable` when the issuer cannot be asked.
        """
        found = _only(await self._keys.get(), kid, alg)
        if found is None:
            answered = await self._keys.renew(at_once=at_once)
            found = _only(await self._keys.get(), kid, alg)
            if found is None and not answered:
                raise Unavailable("Whose key signed this token cannot be asked right now.")
        if found is None:
            raise Unauthenticated("This token is signed with a key that the issuer does not have.")
        return found


def _only(keys: tuple[PublicKey, ...], kid: str | None, alg: str) -> jwk.Key | None:
    fitting = [each.key for each in keys if each.fits(kid, alg)]
    return fitting[0] if len(fitting) == 1 else None


def read_keys(document: dict[str, Any]) -> tuple[PublicKey, ...]:
    """Return the usable keys of a JWKS; raises `Unavailable` for what is none."""
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise Unavailable("The issuer's keys are not where it says.")
    return tuple(key for entry in entries[:MOST_KEYS] if (key := _read(entry)) is not None)


def _read(entry: Any) -> PublicKey | None:
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ("verify",)):
        return None
    if entry["kty"] == "RSA" and not _long_enough(entry.get("n")):
        return None
    told = {name: entry[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in entry}
    try:
        key = jwk.import_key(told)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    kid, alg = entry.get("kid"), entry.get("alg")
    if not isinstance(kid, str | None) or not isinstance(alg, str | None):
        return None
    return PublicKey(kid, entry["kty"], entry.get("crv"), alg, key)


def _long_enough(modulus: object) -> bool:
    """Tell whether a modulus, written in base 64, has as many bits as a key needs."""
    return isinstance(modulus, str) and len(modulus.lstrip("A")) * 6 >= LEAST_RSA_BITS
