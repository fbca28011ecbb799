"""What makes a token of an issuer good: who signed it, for whom, when, and what it is for.

The rules are those of RFC 7519 and RFC 8725, of OpenID Connect Core 3.1.3.7 for id tokens, and of
RFC 9068 for access tokens. Issuers write access tokens in many ways, so what is asked of one is
proof that it is an access token at all, and that it is for us:

- `typ: at+jwt` (RFC 9068), `token_use: access` (Cognito), `typ: Bearer` among the claims
  (Keycloak), or a scope, which id tokens do not have; and nothing that only an id token has;
- the audience that the setting names. Without one, a client of ours in `client_id`, and as the
  audience too where there is any.
"""

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from mediamill.adapters.identity.address import Address
from mediamill.adapters.identity.keys import KINDS
from mediamill.core.errors import Unauthenticated

LARGEST = 16 << 10
LEEWAY = 60
"""Seconds that the issuer's clock may be off."""
ACCESS_TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
ID_TYPES = frozenset({"", "jwt"})
ONLY_IN_ID_TOKENS = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
MAX_SUBJECT = 255
HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}

FROM_THE_FUTURE = "This token is not good yet: the clocks of its issuer and of this service differ."

Claims = dict[str, Any]
Find = Callable[[str | None, str], Awaitable[Key]]
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class _Registry(jws.JWSRegistry):
    """Lets headers be as long as issuers with certificates in them write them."""

    max_header_length = LARGEST


_REGISTRY = _Registry(algorithms=list(KINDS), strict_check_header=False)


@dataclass(frozen=True)
class Header:
    alg: str
    kid: str | None
    type: str


async def opened(token: str, types: frozenset[str], find: Find) -> tuple[Header, Claims]:
    """Return what a token says, once its signature holds; raises `Unauthenticated`."""
    if len(token) > LARGEST or not _COMPACT.fullmatch(token):
        raise Unauthenticated("This is not a token that an issuer signed.")
    header = read_header(token.partition(".")[0], types)
    key = await find(header.kid, header.alg)
    try:
        payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload
        claims = msgspec.json.decode(payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError):
        raise Unauthenticated("The signature of this token is not right.") from None
    if not isinstance(claims, dict):
        raise Unauthenticated("This token says nothing.")
    return header, claims


def read_header(text: str, types: frozenset[str]) -> Header:
    """Read a header; raises `Unauthenticated` for an algorithm or a type that is not taken.

    Keys that a header brings, or says where to fetch, are not looked at.
    """
    try:
        said = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Unauthenticated("This token has no header.")
    alg, kid, typ = said.get("alg"), said.get("kid"), said.get("typ", "")
    if not isinstance(alg, str) or alg not in KINDS:
        raise Unauthenticated("This token is signed in a way that is not taken.")
    if not isinstance(kid, str | None) or not isinstance(typ, str) or typ.lower() not in types:
        raise Unauthenticated("This token is not of a type that is taken here.")
    if "crit" in said or "b64" in said:
        raise Unauthenticated("This token asks for what is not known here.")
    return Header(alg, kid, typ.lower())


def check_common(claims: Claims, issuer: str, now: int) -> None:
    """Raise `Unauthenticated` unless issuer, subject and times are right; `now` in milliseconds."""
    subject, seconds = claims.get("sub"), now / 1000
    if claims.get("iss") != issuer:
        raise Unauthenticated("This token is of another issuer.")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT or "\0" in subject:
        raise Unauthenticated("This token is nobody’s.")
    if _time(claims, "exp") <= seconds - LEEWAY:
        raise Unauthenticated("This token has expired: get a new one.")
    for name in ("nbf", "iat"):
        if name in claims and _time(claims, name) > seconds + LEEWAY:
            raise Unauthenticated(FROM_THE_FUTURE)


def check_access(header: Header, claims: Claims, address: Address) -> None:
    """Raise `Unauthenticated` unless the claims are those of an access token for us."""
    if not _is_access(header, claims):
        raise Unauthenticated("This is not an access token.")
    if claims.get("cnf") is not None:
        raise Unauthenticated("This token is bound to a key: it is not for a bearer.")
    audiences = _audiences(claims)
    if address.audience:
        right = address.audience in audiences
    else:
        ours = address.our_clients
        named = claims.get("client_id", claims.get("azp"))
        right = isinstance(named, str) and named in ours
        right = right and (not audiences or not ours.isdisjoint(audiences))
        right = right and (header.type.endswith("at+jwt") or claims.get("token_use") == "access")
    if not right:
        raise Unauthenticated("This token was not made for this service.")


def check_id(header: Header, claims: Claims, client_id: str, nonce: str, access: str) -> None:
    """Raise `Unauthenticated` unless this is the id token of a sign-in that we began."""
    audiences, party = _audiences(claims), claims.get("azp")
    if client_id not in audiences or party not in (None, client_id):
        raise Unauthenticated("The issuer signed in somebody for another service.")
    if len(audiences) > 1 and party is None:
        raise Unauthenticated("The issuer does not say for which service it signed somebody in.")
    _time(claims, "iat")
    told = claims.get("nonce")
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), nonce.encode()):
        raise Unauthenticated("This sign-in was not begun here.")
    if claims.get("token_use", "id") != "id":
        raise Unauthenticated("The issuer sent another token than that of a sign-in.")
    if "at_hash" in claims and access and claims["at_hash"] != _half_hash(header.alg, access):
        raise Unauthenticated("The tokens that the issuer sent do not belong together.")


def _is_access(header: Header, claims: Claims) -> bool:
    if ONLY_IN_ID_TOKENS & claims.keys() or "events" in claims:
        return False
    use, kind = claims.get("token_use"), claims.get("typ")
    if use not in (None, "access") or kind not in (None, "Bearer"):
        return False
    proven = header.type.endswith("at+jwt") or use == "access" or kind == "Bearer"
    return proven or "scope" in claims or "scp" in claims


def _audiences(claims: Claims) -> list[str]:
    said = claims.get("aud", [])
    found = [said] if isinstance(said, str) else said
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Unauthenticated("This token’s audience cannot be read.")
    return found


def _time(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, bool) and isinstance(value, int | float):
        with suppress(OverflowError):  # an integer may have hundreds of digits
            if math.isfinite(value):
                return float(value)
    raise Unauthenticated(f"This token does not say when it is good ({name}).")


def _half_hash(alg: str, text: str) -> str:
    """Return the left half of a token's hash (OpenID Connect Core 3.1.3.6)."""
    whole = HASHES.get(alg[-3:], hashlib.sha512)(text.encode()).digest()
    return base64.urlsafe_b64encode(whole[: len(whole) // 2]).decode().rstrip("=")
