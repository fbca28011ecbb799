"""What the tests know of a broker that runs."""

from dataclasses import dataclass
from urllib.parse import quote

from tests.support.certificates import Certificates
from tests.support.daemons import Daemon


@dataclass
class Broker:
    """A server that takes connections in the clear and under TLS."""

    plain: str
    encrypted: str
    daemon: Daemon
    tls_port: int
    certificates: Certificates
    user: str
    password: str

    @property
    def port(self) -> int:
        return self.daemon.port

    def url(self, port: int = 0, password: str = "", **options: str) -> str:
        return self._url(self.plain, port or self.port, password, options)

    def tls_url(self, port: int = 0, **options: str) -> str:
        return self._url(self.encrypted, port or self.tls_port, "", options)

    def _url(self, scheme: str, port: int, password: str, options: dict[str, str]) -> str:
        who = f"{quote(self.user)}:{quote(password or self.password, safe='')}"
        query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
        return f"{scheme}://{who}@127.0.0.1:{port}{'?' if query else ''}{query}"
