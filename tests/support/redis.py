"""A real Redis on 127.0.0.1 with a password, in the clear and under TLS."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.brokers import Broker
from tests.support.certificates import certificates
from tests.support.daemons import Daemon, program
from tests.support.processes import free_port

PASSWORD = "s3cret/redis@1"


@contextmanager
def redis_server() -> Iterator[Broker]:
    """Run a server; skips, or fails where services are required."""
    found = program("redis-server", "redis-server")
    with tempfile.TemporaryDirectory(prefix="mediamill-redis-") as name:
        folder, port, tls = Path(name), free_port(), free_port()
        made = certificates(folder)
        command = [
            found, "--bind", "127.0.0.1", "--port", str(port), "--requirepass", PASSWORD,
            "--save", "", "--appendonly", "no", "--dir", name, "--tls-port", str(tls),
            "--tls-cert-file", str(made.certificate), "--tls-key-file", str(made.key),
            "--tls-ca-cert-file", str(made.authority), "--tls-auth-clients", "no",
        ]  # fmt: skip
        daemon = Daemon(command, port, folder)
        server = Broker("redis", "rediss", daemon, tls, made, "default", PASSWORD)
        daemon.start()
        try:
            yield server
        finally:
            daemon.end()
