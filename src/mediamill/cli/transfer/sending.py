"""Send bytes until they are there, as `mediamill.client` does."""

from typing import Any

from mediamill.cli.remote.client import Advance, Client
from mediamill.client.sending import shipping
from mediamill.client.shipping import Bookmark, Said
from mediamill.client.sources import Source


class Sender:
    """Sends sources to one server."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(
        self, source: Source, said: Said, bookmark: Bookmark, advance: Advance
    ) -> dict[str, Any]:
        """Return the server's record of the file.

        `advance` is told of bytes that arrived. Raises `Refused`, `Unreachable`, and what reading
        the source raises.
        """
        calls = self.client.api.calls
        flow = shipping(calls.port, source, said, bookmark, advance, calls.notice, if_absent=True)
        return {**self.client.api.run(flow)}

    def passes(self, size: int) -> bool:
        """Tell whether so many bytes may come in one request; what is small is not asked about."""
        return self.client.api.run(self.client.api.calls.port.passes(size))
