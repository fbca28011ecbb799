"""A mail server on 127.0.0.1 that can be down; it keeps what it was given."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class MailServer:
    """Speaks as much SMTP as `smtplib` asks for."""

    port: int = 0
    received: list[str] = field(default_factory=list)
    """The subjects of the mails that it took."""
    _server: asyncio.Server | None = None

    @property
    def listening(self) -> bool:
        return self._server is not None and self._server.is_serving()

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Stop listening: connections are refused."""
        self._server.close()
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                subject = next(x for x in text.splitlines() if x.startswith("Subject: "))
                self.received.append(subject.removeprefix("Subject: "))
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 good\r\n")
            if word == b"QUIT":
                break
        writer.close()
