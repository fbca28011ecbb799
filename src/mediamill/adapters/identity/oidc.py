"""Sign-in through an issuer by OpenID Connect: Cognito, Keycloak, any; `oidc+https://…`.

For pages, the code flow with PKCE; for programs, access tokens as RFC 9068 has them, and as Cognito
and Keycloak write theirs. Nothing is asked of the issuer before it is needed. What it says of
itself and its keys is kept for ten minutes, and for an hour while it does not answer.

The client secret is read anew for each sign-in, so one that was rotated where it is kept is used.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import structlog

from mediamill.adapters.identity.address import SETTING, Address
from mediamill.adapters.identity.calls import Answer, Calls
from mediamill.adapters.identity.keys import Keys
from mediamill.adapters.identity.port import Challenge, Person
from mediamill.adapters.identity.remembering import Remembered
from mediamill.adapters.identity.tokens import (
    ACCESS_TYPES,
    ID_TYPES,
    Claims,
    check_access,
    check_common,
    check_id,
    opened,
)
from mediamill.core.errors import ConfigurationError, Forbidden, Unauthenticated, Unavailable
from mediamill.core.sourced import Sourced

LONGEST_CODE = 4096
MAX_NAME, MAX_EMAIL = 100, 254
PASSING = frozenset({"temporarily_unavailable", "server_error"})
BEGIN_AGAIN = "This sign-in took too long, or was used already: begin again."

log = structlog.get_logger(__name__)


class OidcIdentity:
    def __init__(
        self, address: Address, source: Sourced, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address, self._source = address, source
        self._calls = Calls(address.ca)
        self._discovery = Remembered(self._discover, clock)
        self._keys = Keys(self._ask_keys, clock)

    @classmethod
    async def open(cls, source: Sourced) -> "OidcIdentity":
        """Make the backend of a setting; raises `ConfigurationError`."""
        return cls(Address.of(await source.current()), source)

    @property
    def passwords(self) -> bool:
        return self._address.passwords

    @property
    def label(self) -> str:
        return self._address.label

    @property
    def issuer(self) -> str:
        return self._address.issuer

    @property
    def appoints(self) -> bool:
        return bool(self._address.admins)

    # -- the code flow --------------------------------------------------------------------------

    async def begin(self, challenge: Challenge) -> str:
        hashed = hashlib.sha256(challenge.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._address.client_id,
            "redirect_uri": challenge.redirect_uri,
            "scope": self._address.scopes,
            "state": challenge.state,
            "nonce": challenge.nonce,
            "code_challenge": base64.urlsafe_b64encode(hashed).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return _with(await self._endpoint("authorization_endpoint"), asked)

    async def finish(self, answer: Mapping[str, str], challenge: Challenge, now: int) -> Person:
        await self._check_answer(answer)
        tokens = await self._exchange(answer["code"], challenge)
        id_token, access = tokens.get("id_token"), tokens.get("access_token", "")
        if not isinstance(id_token, str) or not isinstance(access, str):
            raise Unauthenticated("The issuer did not say who signed in.")

        async def find(kid: str | None, alg: str) -> Any:
            return await self._keys.find(kid, alg, at_once=True)

        header, claims = await opened(id_token, ID_TYPES, find)
        check_common(claims, self.issuer, now)
        check_id(header, claims, self._address.client_id, challenge.nonce, access)
        return self._person(await self._completed(claims, access))

    async def _check_answer(self, answer: Mapping[str, str]) -> None:
        """Raise unless the answer is from our issuer, and a code (RFC 9207, RFC 6749 4.1.2.1)."""
        said = (await self._discovery.get()).get("authorization_response_iss_parameter_supported")
        issuer = answer.get("iss")
        if issuer != self.issuer and (issuer is not None or said is True):
            raise Unauthenticated("This answer is not from the issuer that was asked.")
        if (error := answer.get("error")) is not None:
            _refuse(error, self.label)
        if not 1 <= len(answer.get("code", "")) <= LONGEST_CODE:
            raise Unauthenticated(BEGIN_AGAIN)

    async def _exchange(self, code: str, challenge: Challenge) -> dict[str, Any]:
        """Trade a code for tokens; once more with a fresh secret where ours is refused."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": challenge.redirect_uri,
            "code_verifier": challenge.verifier,
        }
        secret = self._secret(await self._source.current())
        answer = await self._post_token(form, secret)
        if _wrong_client(answer):
            fresh = self._secret(await self._source.renewed())
            answer = await self._post_token(form, fresh) if fresh != secret else answer
        if _wrong_client(answer):
            message = f"{SETTING}: the issuer does not take this client_id and client_secret."
            raise ConfigurationError(message, setting=SETTING)
        if answer.status != 200:
            log.info("code refused", action="code_refused", status=answer.status)
            raise Unauthenticated(BEGIN_AGAIN)
        return answer.said

    async def _post_token(self, form: dict[str, str], secret: str) -> Answer:
        document = await self._discovery.get()
        endpoint = self._address.checked(document.get("token_endpoint"), "token_endpoint")
        client = {"client_id": self._address.client_id}
        if not secret:
            return await self._calls.post(endpoint, {**form, **client})
        methods = document.get("token_endpoint_auth_methods_supported")
        if isinstance(methods, list) and "client_secret_basic" not in methods:
            return await self._calls.post(endpoint, {**form, **client, "client_secret": secret})
        pair = f"{quote_plus(self._address.client_id)}:{quote_plus(secret)}"
        basic = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return await self._calls.post(endpoint, form, basic)

    def _secret(self, url: str) -> str:
        return Address.of(url).client_secret

    async def _completed(self, claims: Claims, access: str) -> Claims:
        """Ask for what the id token lacks; only what is said of the same subject counts."""
        document = await self._discovery.get()
        if "email" in claims or not access or "userinfo_endpoint" not in document:
            return claims
        endpoint = self._address.checked(document["userinfo_endpoint"], "userinfo_endpoint")
        answer = await self._calls.get(endpoint, access)
        if answer.status != 200 or answer.said.get("sub") != claims["sub"]:
            return claims
        return {**claims, "email_verified": False, **answer.said}

    # -- tokens of programs ---------------------------------------------------------------------

    async def bearer(self, token: str, now: int) -> Person:
        header, claims = await opened(token, ACCESS_TYPES, self._keys.find)
        check_common(claims, self.issuer, now)
        check_access(header, claims, self._address)
        return self._person(claims)

    # -- what the issuer says of itself ---------------------------------------------------------

    async def leaving(self, back: str) -> str | None:
        document = await self._discovery.get()
        if "end_session_endpoint" not in document:
            return None
        endpoint = self._address.checked(document["end_session_endpoint"], "end_session_endpoint")
        client = {"client_id": self._address.client_id}
        return _with(endpoint, {**client, "post_logout_redirect_uri": back, "logout_uri": back})

    async def probe(self) -> str:
        await self._discovery.get()
        await self._keys.known()
        return f"{self.issuer} answers as {self.label}"

    async def _endpoint(self, name: str) -> str:
        return self._address.checked((await self._discovery.get()).get(name), name)

    async def _discover(self) -> dict[str, Any]:
        """Fetch the issuer's document, which must be about the issuer that is configured."""
        address = self._address
        answer = await self._calls.get(address.discovery)
        if answer.status != 200 or not answer.said:
            where = _plain(address.discovery)
            raise Unavailable(f"There is no description of the issuer at {where}.")
        if answer.said.get("issuer") != address.issuer:
            named = repr(answer.said.get("issuer"))[:300]
            message = f"{SETTING}: the issuer calls itself {named}, not {address.issuer!r}."
            raise ConfigurationError(message, setting=SETTING)
        return answer.said

    async def _ask_keys(self) -> dict[str, Any]:
        url = self._address.jwks or await self._endpoint("jwks_uri")
        answer = await self._calls.get(url)
        if answer.status != 200:
            raise Unavailable(f"There are no keys of the issuer at {_plain(url)}.")
        return answer.said

    def _person(self, claims: Claims) -> Person:
        """Read who claims are about; an e-mail address counts only when it is verified."""
        email = claims.get("email")
        verified = claims.get("email_verified") in (True, "true")
        names = ("name", "preferred_username", "username", "cognito:username", "client_id")
        name = next((n for each in names if isinstance(n := claims.get(each), str) and n), "")
        shown = "".join(char if char.isprintable() else " " for char in name).strip()
        return Person(
            issuer=self.issuer,
            subject=claims["sub"],
            email=email if verified and isinstance(email, str) and len(email) <= MAX_EMAIL else "",
            name=shown[:MAX_NAME],
            admin=self._is_admin(claims) if self._address.admins else None,
        )

    def _is_admin(self, claims: Claims) -> bool:
        groups = claims.get(self._address.groups)
        return self._address.admins in (groups if isinstance(groups, list) else [groups])


def _refuse(error: str, label: str) -> None:
    """Raise what an error that the issuer sent the browser back with means."""
    known = error if error.isascii() and error.replace("_", "").isalnum() else "unknown"
    log.info("sign-in declined", action="sign_in_declined", code=known[:50])
    if error == "access_denied":
        raise Forbidden(f"The sign-in with {label} was cancelled, or you may not use this service.")
    if error in PASSING:
        raise Unavailable(f"{label} cannot sign you in right now: try again in a moment.")
    raise Unauthenticated(f"{label} did not sign you in ({known[:50]}): begin again.")


def _wrong_client(answer: Answer) -> bool:
    return answer.status == 401 or answer.said.get("error") in (
        "invalid_client", "unauthorized_client",
    )  # fmt: skip


def _with(endpoint: str, parameters: dict[str, str]) -> str:
    joint = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint}{joint}{urlencode(parameters)}"


def _plain(url: str) -> str:
    return urlsplit(url)._replace(query="").geturl()


plugin = OidcIdentity
