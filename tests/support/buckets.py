"""Real S3 servers on 127.0.0.1, started and ended by process id."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import free_port, until_open
from tests.support.services import unavailable

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass
class BucketServer:
    """A running server; `environment` is what a client of it needs."""

    kind: str
    port: int
    host: str = "127.0.0.1"
    environment: dict[str, str] = field(default_factory=lambda: dict(KEYS))
    options: str = ""
    """What every URL says to this kind of server, beginning with `&`."""

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    def url(self, place: str, **options: object) -> str:
        """Return the URL of a bucket or a folder in one."""
        given = "".join(f"&{name}={value}" for name, value in options.items())
        return f"s3://{place}?endpoint={self.endpoint}&region=us-east-1{self.options}{given}"

    def client(self):
        """Return a second client, so that what ours wrote is judged by another one."""
        import boto3

        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip


@contextmanager
def bucket_server(
    kind: str, folder: Path, services: str = "s3", host: str = "127.0.0.1"
) -> Iterator[BucketServer]:
    """Run `ministack` or `moto_server`; skips, or fails where services are required."""
    program = Path(sys.executable).parent / kind
    if not program.exists():
        unavailable(f"{kind} is missing: install the dev group")
    server = BucketServer(kind, free_port(), host)
    command = [str(program)]
    if kind == "moto_server":
        command += ["-H", host, "-p", str(server.port)]
    settings = {"BIND_HOST": host, "GATEWAY_PORT": str(server.port), "AUTH": "true",
                "SERVICES": services, "HOME": str(folder), "TMPDIR": str(folder),
                "STATE_DIR": str(folder / "state")}  # fmt: skip
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
            env={**os.environ, **settings},
        )  # fmt: skip
    try:
        until_open(process, server.port, folder / f"{kind}.log", host)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
