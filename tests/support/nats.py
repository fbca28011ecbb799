"""A real NATS on 127.0.0.1 with a password: one in the clear, one under TLS."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.brokers import Broker
from tests.support.certificates import certificates
from tests.support.daemons import Daemon, program
from tests.support.processes import free_port

USER, PASSWORD = "mill", "s3cret/nats@1"


@contextmanager
def nats_server() -> Iterator[Broker]:
    """Run the two; skips, or fails where services are required."""
    found = program("nats-server", "nats-server")
    with tempfile.TemporaryDirectory(prefix="mediamill-nats-") as name:
        folder, port, tls = Path(name), free_port(), free_port()
        made = certificates(folder)
        common = [found, "-a", "127.0.0.1", "--user", USER, "--pass", PASSWORD]
        keys = [f"--tlscert={made.certificate}", f"--tlskey={made.key}"]
        plain = Daemon([*common, "-p", str(port)], port, folder)
        secure = Daemon([*common, "-p", str(tls), "--tls", *keys], tls, folder)
        try:
            plain.start()
            secure.start()
            yield Broker("nats", "tls", plain, tls, made, USER, PASSWORD)
        finally:
            plain.end()
            secure.end()
