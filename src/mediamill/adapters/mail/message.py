"""A letter as the bytes of a mail (RFC 5322, 2045–2047, 3834, 6532)."""

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime

import idna

from mediamill.adapters.mail.port import Letter
from mediamill.core.errors import DeliveryRefused

KEY = re.compile(r"[A-Za-z0-9._-]{1,200}")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
LONGEST_SUBJECT = 200


class Whole(EmailPolicy):
    """A policy that leaves addresses of the web as they are, however long their lines get.

    The library would encode them for want of a place to fold, and nobody decodes these headers.
    """

    def fold(self, name: str, value: str) -> str:
        return self._whole(name, value) or super().fold(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        whole = self._whole(name, value)
        return whole.encode("ascii") if whole else super().fold_binary(name, value)

    def _whole(self, name: str, value: str) -> str:
        return f"{name}: {value}{self.linesep}" if name.lower() in WHOLE else ""


WHOLE = frozenset({"list-unsubscribe", "list-unsubscribe-post", "message-id"})
NARROW = Whole(linesep="\r\n")
WIDE = NARROW.clone(utf8=True)
"""For recipients whose names are not ASCII (SMTPUTF8)."""


def message_of(letter: Letter, sender: Address) -> EmailMessage:
    """Make the mail; raises `DeliveryRefused` for a recipient that is no address."""
    if not KEY.fullmatch(letter.key):
        raise ValueError(f"{letter.key!r} cannot be part of a Message-ID")
    to = recipient(letter.to)
    mail = EmailMessage(policy=NARROW if to.username.isascii() else WIDE)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = one_line(letter.subject)[:LONGEST_SUBJECT]
    mail["Date"] = format_datetime(letter.date)
    mail["Message-ID"] = f"<{letter.key}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    for name, value in letter.headers.items():
        mail[name] = one_line(value)
    mail.set_content(letter.text, cte="quoted-printable")
    mail.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return mail


def recipient(text: str) -> Address:
    """Read a bare address, with its domain as mail servers know it; raises `DeliveryRefused`."""
    try:
        return address_of(text)
    except ValueError:
        raise DeliveryRefused("The address of the account is none that mail can go to.") from None


def address_of(text: str, name: str = "") -> Address:
    """Read `user@domain`; raises `ValueError`."""
    user, at, domain = text.rpartition("@")
    if not at or not user or CONTROLS.search(text) or re.search(r"[\s<>,;:\"\\()\[\]]", text):
        raise ValueError("it is no address like mill@example.org")
    try:
        domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError("it has no domain that mail can go to") from None
    if not DOMAIN.fullmatch(domain):
        raise ValueError("it has no domain that mail can go to")
    return Address(name, user, domain)


def one_line(text: str) -> str:
    """Return a text without what could begin another header, or would be taken for encoded."""
    return CONTROLS.sub(" ", text).replace("=?", "= ?").strip()
