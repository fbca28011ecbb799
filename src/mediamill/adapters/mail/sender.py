"""Who our mails come from: `from=mill@example.org`, or `from=Mill <mill@example.org>`."""

from email.headerregistry import Address
from email.utils import parseaddr

from mediamill.adapters.mail.message import address_of

NAME = "Mediamill"


def sender_of(text: str) -> Address:
    """Read it; raises `ValueError`."""
    name, address = parseaddr(text) if "<" in text else (NAME, text)
    try:
        return address_of(address.strip(), name)
    except ValueError as error:
        raise ValueError(f"from: {error}") from None
