"""A mail server on 127.0.0.1 (aiosmtpd) that can be down, hang and refuse; it keeps its mails."""

import asyncio
import ssl
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.support.certificates import Certificates

USER, PASSWORD = "mill@example.org", "p@ss/word%"


@dataclass
class Taken:
    """A mail as it arrived."""

    sender: str
    to: list[str]
    data: bytes
    encrypted: bool
    user: str

    @property
    def mail(self) -> EmailMessage:
        made = message_from_bytes(self.data, policy=default)
        assert isinstance(made, EmailMessage)
        return made

    @property
    def id(self) -> str:
        return str(self.mail["Message-ID"])


async def nothing() -> None:
    """Do nothing."""


@dataclass
class MailServer:
    """With certificates it offers STARTTLS, and AUTH under it; `implicit` begins with TLS."""

    certificates: Certificates | None = None
    implicit: bool = False
    port: int = 0
    password: str = PASSWORD
    received: list[Taken] = field(default_factory=list)
    to: dict[str, str] = field(default_factory=dict)
    """Answers to recipients that are not simply taken."""
    data: str = ""
    """The answer to all mails, if they are not simply taken."""
    taken: Callable[[], Awaitable[None]] = nothing
    """Awaited when a mail was taken, before that is said."""
    hanging: bool = False
    """Whether it takes connections and says nothing."""
    connections: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.BaseTransport] = field(default_factory=set)

    @property
    def listening(self) -> bool:
        return self._server is not None and self._server.is_serving()

    async def up(self) -> "MailServer":
        loop, context = asyncio.get_running_loop(), self._context()
        begins = context if self.implicit else None
        self._server = await loop.create_server(self._talk, "127.0.0.1", self.port, ssl=begins)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def down(self) -> None:
        """Stop listening: connections are refused, and those there are end."""
        if self._server is not None:
            self._server.close()
            for transport in [*self._open]:
                transport.abort()  # type: ignore[attr-defined]
            await self._server.wait_closed()
            self._server = None

    def _context(self) -> ssl.SSLContext | None:
        if self.certificates is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        return context

    def _talk(self) -> asyncio.Protocol:
        self.connections += 1
        if self.hanging:
            return Silent(self._open)
        encrypts = self.certificates is not None
        with warnings.catch_warnings(action="ignore"):  # of what is encrypted from the beginning
            return self._conversation(encrypts)

    def _conversation(self, encrypts: bool) -> "Noted":
        return Noted(
            self._open,
            self,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            tls_context=None if self.implicit else self._context(),
            require_starttls=encrypts and not self.implicit,
            auth_required=encrypts,
            auth_require_tls=not self.implicit,
            authenticator=self._known,
            loop=asyncio.get_running_loop(),
        )

    def _known(self, server: SMTP, session: Any, envelope: Any, way: str, data: Any) -> AuthResult:
        good = (data.login, data.password) == (USER.encode(), self.password.encode())
        return AuthResult(success=good, auth_data=data.login.decode(), handled=False)

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if answer := self.to.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.data:
            return self.data
        assert isinstance(envelope.content, bytes)
        secure = server.transport.get_extra_info("ssl_object") is not None
        user = str(session.auth_data or "")
        taken = Taken(
            envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content, secure, user
        )
        self.received.append(taken)
        await self.taken()
        return "250 taken"


class Noted(SMTP):
    """A conversation whose connection can be cut from outside."""

    def __init__(self, among: set[asyncio.BaseTransport], *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._among = among

    def connection_made(self, transport: Any) -> None:
        self._among.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._among.discard(self.transport)
        super().connection_lost(error)


class Silent(asyncio.Protocol):
    """Takes a connection and says nothing."""

    def __init__(self, among: set[asyncio.BaseTransport]) -> None:
        self._among = among

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._among.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._among.discard(self._transport)
