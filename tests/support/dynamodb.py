"""Real DynamoDB servers on 127.0.0.1: DynamoDB Local, and ministack as a second opinion."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.buckets import bucket_server
from tests.support.maven import library
from tests.support.processes import free_port, until_open

POM = Path(__file__).parent / "dynamodb_local" / "pom.xml"
BRIEF = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A server of a few minutes: compiling it well takes more time than it gives."""
MAIN = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"


@contextmanager
def dynamodb_server(kind: str, folder: Path) -> Iterator[str]:
    """Run `local` or `ministack`; give its endpoint. Without one it skips, or fails in CI."""
    if kind == "ministack":
        with bucket_server("ministack", folder, services="dynamodb") as server:
            yield server.endpoint
        return
    jars, port = library("dynamodb-local", POM), free_port()
    command = [
        "java", *BRIEF, f"-Djava.library.path={jars}", "-cp", f"{jars}/*", MAIN,
        "-inMemory", "-port", str(port), "-disableTelemetry",
    ]  # fmt: skip
    with (folder / "dynamodb.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder
        )
    try:
        until_open(process, port, folder / "dynamodb.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
