"""Codes of authenticator apps (RFC 6238), and recovery codes.

SHA-1, six digits and 30 seconds are what every app does; some take other parameters for these
without saying so. A recovery code is 120 random bits: no guessing finds one in a copy of the
database (ASVS 5.0.0, 6.5.2, wants 112), so their SHA-256 is kept and no slow hash, which would
have to be tried ten times over.
"""

import base64
import hashlib
import hmac
import io
import re
import secrets

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET_BYTES = 20
"""As many as the hash has: what RFC 4226, section 4, asks for."""
DIGITS, STEP_SECONDS = 6, 30
AROUND = 1
"""Steps before and after the present one whose codes are taken: clocks and people are slow."""
RECOVERY_CODES, RECOVERY_BYTES, GROUP = 10, 15, 4
_LOOKALIKES = str.maketrans("01", "ol")
"""No recovery code has these digits: who reads one off a paper may type them."""
_DIGITS = re.compile(rf"[0-9]{{{DIGITS}}}")


def new_secret() -> str:
    """Make what app and service share, in base 32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def step_of(secret: str, code: str, now: int) -> int | None:
    """Return the time step whose code this is, of those around a time (ms); None for a wrong one.

    All of them are compared, each in constant time.
    """
    if not is_present_code(code):
        return None
    hotp = HOTP(base64.b32decode(secret), DIGITS, SHA1())  # noqa: S303 - of RFC 6238
    present, found = now // 1000 // STEP_SECONDS, None
    for step in range(max(0, present - AROUND), present + AROUND + 1):
        if hmac.compare_digest(hotp.generate(step), code.encode()):
            found = step
    return found


def is_present_code(typed: str) -> bool:
    """Tell whether this looks like the code of an app, rather than a recovery code."""
    return _DIGITS.fullmatch(typed) is not None


def otpauth(secret: str, issuer: str, account: str) -> str:
    """Write the address that an app takes: `otpauth://totp/…`."""
    totp = TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - of RFC 6238
    return totp.get_provisioning_uri(account.replace(":", " "), issuer.replace(":", " "))


def qr_code(text: str) -> str:
    """Draw a text as a QR code: a whole SVG file, black on white with the margin it needs."""
    out = io.BytesIO()
    made = segno.make_qr(text, error="m")
    made.save(out, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False)
    return out.getvalue().decode()


def new_recovery_codes() -> list[str]:
    """Make recovery codes, as people get them: `abcd-efgh-ijkl-mnop-qrst-uvwx`."""
    return [_new_recovery_code() for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> str:
    """Return what is kept of a recovery code, however it was typed."""
    return hashlib.sha256(tidied(code).replace("-", "").encode(errors="replace")).hexdigest()


def tidied(typed: str) -> str:
    """Return a code without spaces, in lower case, its lookalikes as they were printed."""
    text = "".join(typed.split())
    return text if is_present_code(text) else text.lower().translate(_LOOKALIKES)


def _new_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))
