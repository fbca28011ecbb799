"""Put one file on a server: in one request, or in several where that may not bring it whole."""

import hashlib
from pathlib import Path
from typing import Any

from mediamill.cli.remote.client import Advance, Client
from mediamill.cli.terminal.spelling import spelled
from mediamill.cli.transfer.pushing import Parcel
from mediamill.cli.transfer.sending import Sender
from mediamill.client.shipping import Nowhere, Said


def put(client: Client, path: Path, advance: Advance) -> dict[str, Any]:
    """Upload a file; return the server's record of it."""
    sender, size = Sender(client), path.stat().st_size
    if sender.passes(size):
        return client.put_file(path, spelled(path.name), advance)
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    said = Said()
    return sender.send(Parcel(path, size, sha256, said), said, Nowhere(), advance)
