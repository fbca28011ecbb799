"""A sign-in on its way through the issuer: kept by the browser that began it, nowhere else.

    cookie = base64url( HMAC-SHA-256 (32 bytes) ‖ JSON [state, back, user, session, expiry] )

The state that the issuer sends back names the cookie, so several tabs may be on their way at once,
and an answer counts only in the browser that began. Nonce and PKCE's verifier are made of the state
and the key: the browser never has the verifier.
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

CONTEXT = b"mediamill sign-in 1\n"
"""So that nothing else that this key may sign is taken for a sign-in."""
LIFETIME = 10 * MINUTE
LONGEST = 2_000
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
    """Begins sign-ins, and knows them again; with several servers, all have the same key."""

    key: bytes
    clock: Clock

    def begin(self, back: str, user: str = "", session: str = "") -> Flow:
        expires = self.clock.now() + LIFETIME
        return Flow(secrets.token_urlsafe(32), back, user, session, expires)

    def write(self, flow: Flow) -> str:
        """Return what the browser keeps."""
        said = msgspec.json.encode(flow)
        return _text(self._mac(b"flow\n" + said) + said)

    def read(self, kept: str, state: str) -> Flow:
        """Return the flow that a state belongs to; raises `Unauthenticated`."""
        flow = self._genuine(kept)
        if flow is None or not hmac.compare_digest(flow.state.encode(), state.encode()):
            raise Unauthenticated(NOT_BEGUN)
        if flow.expires <= self.clock.now():
            raise Unauthenticated(NOT_BEGUN)
        return flow

    def challenge(self, flow: Flow, redirect_uri: str) -> Challenge:
        """Return what the issuer is asked with, the same each time."""
        state = flow.state.encode()
        nonce, verifier = self._mac(b"nonce\n" + state), self._mac(b"verifier\n" + state)
        return Challenge(flow.state, redirect_uri, nonce=_text(nonce), verifier=_text(verifier))

    def _genuine(self, kept: str) -> Flow | None:
        if len(kept) > LONGEST or not kept.isascii():
            return None
        with suppress(ValueError):
            data = base64.b64decode(kept + "=" * (-len(kept) % 4), b"-_", validate=True)
            if hmac.compare_digest(data[:32], self._mac(b"flow\n" + data[32:])):
                return msgspec.json.decode(data[32:], type=Flow)
        return None

    def _mac(self, said: bytes) -> bytes:
        return hmac.digest(self.key, CONTEXT + said, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
