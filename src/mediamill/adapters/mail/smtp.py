"""Mails to an SMTP server: `smtp://user:password@host:587?from=…`, `smtps://…:465?from=…`.

`smtp:` begins in the clear and goes on under TLS (STARTTLS), without which nothing else is said to
another machine unless `allow_plaintext=true`. `ca` is a file with the certificates that the
server's own is judged by, instead of the system's. On this machine TLS is used if `ca` is given.

A connection is made for each mail, and every step has its time. What the server says of the
recipient or of the mail for good (5xx) is final. What it says of us is the operator's to mend, so
the mail is kept: the password, the sender's address, that we may not relay, its policy (x.7.x).
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib

from mediamill.adapters.mail.message import DOMAIN, message_of
from mediamill.adapters.mail.port import Letter
from mediamill.adapters.mail.sender import sender_of
from mediamill.core.errors import ConfigurationError, DeliveryRefused, Unavailable
from mediamill.core.plaintext import ALLOWING, stays_here
from mediamill.core.sourced import Sourced
from mediamill.core.urls import options_of, telling

STEP_SECONDS, MAIL_SECONDS = 20.0, 60.0
"""How long the server may take for each step, and for the whole mail."""
QUIT_SECONDS = 1.0
PORTS = {"smtp": 587, "smtps": 465}
ABOUT_US = frozenset({421, 530, 535})
"""Codes after which no other mail is taken either: going down, and not signed in."""
FORM = "write smtp://user:password@host:587?from=mill@example.org, with %40 for @ in a name"
OURS = re.compile(r"(?i)5\d\d 5\.7\.|53[05]\b|.*(?<![@.-])\brelay(ing)?\b(?![@-]|\.\S)")
"""What a server says for good of a mail, and means us or our rights: they may be mended."""


@dataclass(frozen=True)
class Server:
    """What the URL says; who we are is in no text of it."""

    host: str
    port: int
    sender: Address
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: bool = False
    """Whether the connection begins with TLS."""
    starttls: bool = True
    ca: str | None = None

    @classmethod
    def of(cls, url: str) -> "Server":
        """Read a URL; raises `ValueError`, which never quotes it: it holds a password."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        except (ValueError, KeyError):
            raise ValueError(FORM) from None
        if not host or parts.path.strip("/") or parts.fragment:
            raise ValueError(FORM)
        options = options_of(parts.query, frozenset({"from", "ca", ALLOWING}))
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if bool(user) != bool(password):
            raise ValueError("give user and password, or neither")
        if "from" not in options and "@" not in user:
            raise ValueError("say who the mails come from: from=mill@example.org")
        tls, sender = parts.scheme == "smtps", sender_of(options.get("from", user))
        starttls = not tls and ("ca" in options or not _may_be_read(host, options.get(ALLOWING)))
        return cls(host, port, sender, user, password, tls, starttls, _usable(options.get("ca")))

    def context(self) -> ssl.SSLContext | None:
        """Return how the server is judged; None without TLS."""
        return trusting(self.ca) if self.tls or self.starttls else None

    def client(self) -> aiosmtplib.SMTP:
        """Return a connection to be made."""
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            timeout=STEP_SECONDS,
            use_tls=self.tls,
            start_tls=self.starttls,
            tls_context=self.context(),
            local_hostname=own_name(),
        )


@lru_cache(maxsize=1)
def own_name() -> str:
    """Return what we greet servers with: this machine's name, where that is one."""
    name = socket.gethostname()
    return name if DOMAIN.fullmatch(name) else "localhost"


_Act = Callable[[aiosmtplib.SMTP, Server], Awaitable[str]]


class Unknown(Exception):
    """The server does not take our name and password."""


def _may_be_read(host: str, allowed: str | None) -> bool:
    """Tell whether a connection may be in the clear; raises `ValueError`."""
    if allowed not in (None, "true", "false"):
        raise ValueError(f"{ALLOWING} is true or false")
    return allowed == "true" or stays_here(host)


def trusting(ca: str | None) -> ssl.SSLContext:
    """Return how servers are judged, read anew when the file has changed; raises `OSError`.

    Reading the system's certificates takes a while, in which nothing else is done.
    """
    path = ca or ssl.get_default_verify_paths().cafile
    return _trusting(ca, Path(path).stat().st_mtime_ns if path else 0)


@lru_cache(maxsize=4)
def _trusting(ca: str | None, changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def _usable(ca: str | None) -> str | None:
    if ca is None:
        return None
    try:
        trusting(ca)
    except OSError as error:  # no file, or no certificates in it
        raise ValueError(f"ca: {ca} cannot be used: {error.strerror}") from None
    return ca


class SmtpPost:
    """Hands letters to a server."""

    anywhere = False

    def __init__(self, url: Sourced) -> None:
        self._url = url

    @classmethod
    def open(cls, url: Sourced, text: str) -> "SmtpPost":
        """Make it of a URL; raises `ConfigurationError`."""
        read(text, url)
        return cls(url)

    async def send(self, letter: Letter) -> None:
        await self._with(lambda client, server: _hand(client, server, letter))

    async def probe(self) -> str:
        """Connect and sign in, sending nothing."""
        return await self._with(_described)

    async def close(self) -> None:
        """Do nothing: a connection lasts for one mail."""

    async def _with(self, act: "_Act") -> str:
        """Do something over a connection; a refused password is looked up once more."""
        try:
            text = await self._url.current()
            try:
                return await self._try(text, act)
            except Unknown:
                renewed = await self._url.renewed()
                if renewed == text:
                    raise
            return await self._try(renewed, act)
        except Unknown as refusal:
            raise Unavailable(str(refusal)) from None
        except ConfigurationError as error:  # it was right at the start, and may be mended
            raise Unavailable(error.message) from None

    async def _try(self, text: str, act: "_Act") -> str:
        server = read(text, self._url)
        async with _told(server), asyncio.timeout(MAIL_SECONDS):
            client = server.client()
            try:
                await client.connect()
                if server.user:
                    await _sign_in(client, server)
                return await act(client, server)
            finally:
                await _leave(client)


def read(text: str, url: Sourced) -> Server:
    """Read a URL; raises `ConfigurationError`."""
    with telling(url.setting or "MEDIAMILL_MAIL_URL"):
        return Server.of(text)


async def _sign_in(client: aiosmtplib.SMTP, server: Server) -> None:
    try:
        await client.login(server.user, server.password)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code < 500:
            raise
        raise Unknown(f"{server.host} refuses the user and password ({error.code})") from None


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye, and be gone at once: the letter is delivered by now, or it is not."""
    transport: Any = client.transport  # has `abort`, whoever made it
    with suppress(Exception):
        await client.quit(timeout=QUIT_SECONDS)
    with suppress(Exception):
        client.close()
    if transport is not None:
        transport.abort()


async def _described(client: aiosmtplib.SMTP, server: Server) -> str:
    how = "TLS" if server.tls else "STARTTLS" if server.starttls else "no encryption"
    signed = ", signed in" if server.user else ""
    return f"{server.host}:{server.port} answers, {how}{signed}, from {server.sender.addr_spec}"


async def _hand(client: aiosmtplib.SMTP, server: Server, letter: Letter) -> str:
    """Hand over one letter; return what the server said."""
    mail = message_of(letter, server.sender)
    to = str(mail["To"].addresses[0].addr_spec)
    wide = not to.isascii()
    options = ["SMTPUTF8"] if wide else []
    if wide and not client.supports_extension("smtputf8"):
        raise DeliveryRefused(f"{server.host} takes no mail to addresses with such letters.")
    _, said = await client.sendmail(
        server.sender.addr_spec, [to], mail.as_bytes(), mail_options=options
    )
    return said


@asynccontextmanager
async def _told(server: Server) -> AsyncIterator[None]:
    """Raise what the connection raises as an error of ours, which may be logged and shown."""
    name = f"The mail server {server.host}:{server.port}"
    try:
        yield
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refusal(name, error.recipients[0].code, error.recipients[0].message) from None
    except aiosmtplib.SMTPDataError as error:
        raise _refusal(name, error.code, error.message) from None
    except aiosmtplib.SMTPResponseException as error:
        raise Unavailable(f"{name} says {error.code} {_line(error.message)}.") from None
    except ssl.SSLCertVerificationError as error:
        raise Unavailable(f"{name} shows no certificate for it: {error.verify_message}.") from None
    except TimeoutError:
        raise Unavailable(f"{name} does not answer in time.") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        why = _line(str(error.__cause__ or error))
        raise Unavailable(f"{name} cannot be used: {why}.") from None


def _refusal(name: str, code: int, said: str) -> Exception:
    """Judge what is said of a recipient or a mail: others may well be taken, save after some."""
    line = f"{code} {_line(said)}"
    if code >= 500 and not OURS.match(line):
        return DeliveryRefused(f"{name} says {line}.")
    return Unavailable(f"{name} says {line}.", recipient=code not in ABOUT_US)


def _line(text: str) -> str:
    return " ".join(text.split())[:200].rstrip(".")


plugin = SmtpPost
