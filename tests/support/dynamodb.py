"""Real DynamoDB servers on 127.0.0.1: DynamoDB Local, and ministack as a second opinion."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.buckets import bucket_server
from tests.support.processes import free_port, until_open
from tests.support.services import unavailable

POM = Path(__file__).parent / "dynamodb_local" / "pom.xml"
CACHE = Path(tempfile.gettempdir()) / f"mediamill-dynamodb-local-{os.getuid()}"
BRIEF = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""A server of a few minutes: compiling it well takes more time than it gives."""
MAIN = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"


def _library() -> Path:
    """Return the folder of DynamoDB Local, fetched by Maven once for all who test at a time."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        unavailable("DynamoDB Local needs Java and Maven: apt install default-jre-headless maven")
    CACHE.mkdir(exist_ok=True, mode=0o700)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "whole").exists():
            fetch = ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies"]
            done = subprocess.run(
                [*fetch, f"-DoutputDirectory={CACHE / 'lib'}"],
                capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            if done.returncode:
                unavailable(f"DynamoDB Local cannot be fetched: {done.stdout[-500:]}")
            (CACHE / "whole").touch()
    return CACHE / "lib"


@contextmanager
def dynamodb_server(kind: str, folder: Path) -> Iterator[str]:
    """Run `local` or `ministack`; give its endpoint. Without one it skips, or fails in CI."""
    if kind == "ministack":
        with bucket_server("ministack", folder, services="dynamodb") as server:
            yield server.endpoint
        return
    library, port = _library(), free_port()
    command = [
        "java", *BRIEF, f"-Djava.library.path={library}", "-cp", f"{library}/*", MAIN,
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
