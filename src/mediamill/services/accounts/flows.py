"""A sign-in on its way through the issuer: kept by the browser that began it, nowhere else.

    cookie = base64url( HMAC-SHA-256 (32 bytes) ‖ JSON [state, back, user, session, expiry] )

The state that the issuer sends back names the cookie, so several tabs may be on their way at once,
and an answer counts only in the browser that began. Nonce and PKCE's verifier are made of the state
and the key: the browser never has the verifier. The keys are those that sign links; one that has
changed meanwhile still counts.
"""

import base64
import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from mediamill.adapters.identity.port import Challenge
from mediamill.core.clock import MINUTE, Clock
from mediamill.core.errors import Unauthenticated
from mediamill.services.links.signing import Signer

CONTEXT = b"mediamill sign-in 1\n"
"""So that nothing else that this key may sign is taken for a sign-in."""
LIFETIME = 10 * MINUTE
LONGEST = 2_000
MAC = hashlib.sha256().digest_size
NOT_BEGUN = "This sign-in was not begun in this browser, or took too long: begin again."


class Flow(msgspec.Struct, frozen=True, array_like=True):
    """Where somebody goes back to, and, if they link an identity, who and in which session."""

    state: str
    back: str
    user: str
    session: str
    expires: int


@dataclass(frozen=True)
class Flows:
    """Begins sign-ins, and knows them again; with several servers, all have the same keys."""

    signer: Signer
    clock: Clock

    async def begin(
        self, redirect_uri: str, back: str, user: str = "", session: str = ""
    ) -> tuple[Challenge, str]:
        """Return what the issuer is asked with, and what the browser keeps."""
        expires = self.clock.now() + LIFETIME
        flow = Flow(secrets.token_urlsafe(32), back, user, session, expires)
        key, *_ = await self.signer.keys()
        said = msgspec.json.encode(flow)
        return _challenge(key, flow, redirect_uri), _text(_mac(key, b"flow", said) + said)

    async def resume(self, kept: str, state: str, redirect_uri: str) -> tuple[Flow, Challenge]:
        """Return the flow that a state belongs to, and its challenge; raises `Unauthenticated`."""
        data = _read(kept)
        if data is None:  # nothing that any key can have signed
            raise Unauthenticated(NOT_BEGUN)
        found = _genuine(data, await self.signer.keys())
        if found is None:  # another server may have a newer key
            found = _genuine(data, await self.signer.keys(renew=True))
        if found is None:
            raise Unauthenticated(NOT_BEGUN)
        flow, key = found
        ours = hmac.compare_digest(flow.state.encode(), state.encode())
        if not ours or flow.expires <= self.clock.now():
            raise Unauthenticated(NOT_BEGUN)
        return flow, _challenge(key, flow, redirect_uri)


def _challenge(key: bytes, flow: Flow, redirect_uri: str) -> Challenge:
    """Return what the issuer is asked with: the same each time."""
    state = flow.state.encode()
    nonce, verifier = _text(_mac(key, b"nonce", state)), _text(_mac(key, b"verifier", state))
    return Challenge(flow.state, redirect_uri, nonce=nonce, verifier=verifier)


def _read(kept: str) -> tuple[bytes, bytes, Flow] | None:
    """Take apart what has the form of a flow: its signature, what that covers, what it says."""
    if not 0 < len(kept) <= LONGEST or not kept.isascii():
        return None
    with suppress(ValueError, RecursionError):
        data = base64.b64decode(kept + "=" * (-len(kept) % 4), b"-_", validate=True)
        return data[:MAC], data[MAC:], msgspec.json.decode(data[MAC:], type=Flow)
    return None


def _genuine(data: tuple[bytes, bytes, Flow], keys: list[bytes]) -> tuple[Flow, bytes] | None:
    """Return a flow that one of the keys has signed, and that key."""
    signature, said, flow = data
    for key in keys:
        if hmac.compare_digest(signature, _mac(key, b"flow", said)):
            return flow, key
    return None


def _mac(key: bytes, use: bytes, said: bytes) -> bytes:
    return hmac.digest(key, CONTEXT + use + b"\n" + said, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
