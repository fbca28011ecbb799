"""Passwords hashed with Argon2id off the event loop, and the checks of what people type.

Lengths follow NIST SP 800-63B-4, section 3.1.1.2: what alone signs somebody in has at least 15
characters, and at least 8 where it never does (`MEDIAMILL_PASSWORD_LENGTH`); long ones are welcome,
nothing is cut off, and there are no rules about which. What is tried first is refused
(`commonest.py`).
Each hash takes 64 MiB and tens of milliseconds, so only a few run at once and a flood is refused.
"""

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pwdlib import PasswordHash

from mediamill.core.errors import InvalidInput, Unavailable
from mediamill.services.accounts.commonest import weakness

MIN_LENGTH, MAX_LENGTH = 8, 1024
MAX_NAME = 100
CUSTOMER = re.compile(r"\w[\w ._-]{0,63}")
SERVICE = "mediamill"
CONCURRENT = 2
MAX_WAITING = 64

_ATOM = r"[^@\s\x00-\x1f\x7f\"(),:;<>\[\\\]]"
ADDRESS = re.compile(rf"{_ATOM}{{1,64}}@{_ATOM}+")
DUMMY = (
    "$argon2id$v=19$m=65536,t=3,p=4$IlEE3rxxM7pFN0wwGThe0A"
    "$7K4rr/L8juneM/g3SeMDKwaixYpKs34yIhjR/8TRY+g"
)
"""A hash of nothing anybody knows: verified when there is no account, to take the same time."""


class Passwords:
    """Hash and verify, a bounded number at a time; new ones have `least` characters.

    `names` are what the service is known by.
    """

    def __init__(
        self, hasher: PasswordHash | None = None, least: int = MIN_LENGTH,
        names: Sequence[str] = (SERVICE,),
    ) -> None:  # fmt: skip
        self._hasher = hasher or PasswordHash.recommended()
        self.least, self._names = least, names
        self._permits = asyncio.Semaphore(CONCURRENT)
        self._waiting = 0

    async def hash(self, password: str, words: Sequence[str] = (), field: str = "password") -> str:
        """Hash a new password; raises `InvalidInput` about `field` for one that will not do.

        `words` are the user's address and name.
        """
        try:
            text = normalised(password)
        except InvalidInput as error:
            raise invalid(field, error.message) from None
        if not self.least <= len(text) <= MAX_LENGTH:
            raise invalid(
                field,
                f"A password has {self.least} to {MAX_LENGTH:,} characters: take several words.",
            )
        if why := weakness(text, (*self._names, *words)):
            raise invalid(field, why)
        async with self._permit():
            return await asyncio.to_thread(self._hasher.hash, text)

    async def verify(self, password: str, hashed: str) -> tuple[bool, str | None]:
        """Tell whether a password is right, and its new hash if the old one's costs are outdated.

        An empty `hashed` is never right, and takes as long.
        """
        try:
            text = normalised(password)[: MAX_LENGTH + 1]
        except InvalidInput:
            text, hashed = "", ""
        async with self._permit():
            right, fresh = await asyncio.to_thread(
                self._hasher.verify_and_update, text, hashed or DUMMY
            )
        return right and bool(hashed), fresh

    @asynccontextmanager
    async def _permit(self) -> AsyncIterator[None]:
        """Wait for a turn to hash; refused at once when too many wait already."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many people are signing in right now; try again in a moment.")
        self._waiting += 1
        try:
            async with self._permits:
                yield
        finally:
            self._waiting -= 1


def normalised(password: str) -> str:
    """Return a password in one spelling, however the keyboard composed its characters."""
    text = unicodedata.normalize("NFKC", password)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid("password", "A password is text.") from None
    return text


def clean_address(email: str) -> str:
    """Return an e-mail address trimmed and in lower case; raises `InvalidInput`."""
    address = unicodedata.normalize("NFC", email.strip()).lower()
    if len(address) > 254 or not ADDRESS.fullmatch(address) or not _encodable(address):
        raise invalid("email", "This is not an e-mail address.")
    domain = address.rpartition("@")[2]
    if any(not label or len(label) > 63 for label in domain.split(".")):
        raise invalid("email", "This is not an e-mail address.")
    return address


def clean_name(name: str) -> str:
    """Return a name trimmed; raises `InvalidInput` unless it is one line of 100 at most."""
    text = unicodedata.normalize("NFC", name.strip())
    if len(text) > MAX_NAME:
        raise invalid("name", f"A name has at most {MAX_NAME} characters.")
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in text):
        raise invalid("name", "A name is one line of text.")
    return text


def clean_customer(label: str) -> str:
    """Return the label of a customer trimmed; raises `InvalidInput`. Empty takes it away.

    It goes into figures, which name no person, so it is no address.
    """
    text = label.strip()
    if text and CUSTOMER.fullmatch(text) is None:
        message = "A customer is a label of 64 at most: letters, digits, spaces, . _ and -."
        raise invalid("customer", message)
    return text


def invalid(field: str, message: str) -> InvalidInput:
    """Make the error that shows beside one field."""
    return InvalidInput.at(field, message)


def _encodable(text: str) -> bool:
    return not any(unicodedata.category(char) == "Cs" for char in text)
