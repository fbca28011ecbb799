"""`mediamill demo`: one clip through a real service, over HTTP, from upload to unzipped frames."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.following import follow
from mediamill.cli.remote.home import Credentials, read_credentials
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.transfer.saving import publish, unfinished

T = TypeVar("T")

START_SECONDS = 60
STOP_SECONDS = 35
MARK = ".mediamill-demo"
"""Names a folder as the output of a demo."""


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option(
    "-o", "--output", default="demo-out", show_default=True, type=click.Path(file_okay=False),
    help="Folder for the frames; an earlier demo there is replaced.",
)  # fmt: skip
def demo(file: str | None, output: str) -> None:
    """Turn a clip into frames through a real service.

    Starts the service on a free port with a home of its own, uploads FILE (or a clip that is made
    up) over HTTP, runs extract-frames, downloads the zip, unpacks it, and ends the service.
    """
    began = time.monotonic()
    refuse_foreign(Path(output))
    with tempfile.TemporaryDirectory(prefix="mediamill-demo-") as home:
        clip = Path(file) if file else _made_up(Path(home))
        frames = _through_service(Path(home), clip, Path(output))
    seconds = time.monotonic() - began
    click.echo(f"\n{len(frames)} frames are in {frames[0].parent}/, {seconds:.1f} s in all.")
    click.echo("Next: `make up` (or `mediamill up`) starts the service for good.")


def _made_up(folder: Path) -> Path:
    from mediamill.media.video.pattern import write_pattern

    return _timed("make a clip", lambda: write_pattern(folder / "pattern.mp4"), lambda _: "10 s")


def _through_service(home: Path, clip: Path, output: Path) -> list[Path]:
    with _service(home) as kept, Client(kept.server, kept.token) as client:
        row = _timed("upload", lambda: client.put_file(clip, clip.name, _silent), lambda r: r["id"])
        job = _timed("extract frames", lambda: _job(client, row["id"]), lambda j: j["state"])
        with unfinished(output.parent) as archive:
            path = f"/v1/jobs/{job['id']}/download"
            _timed(
                "download", lambda: client.download(path, archive, lambda _size: _silent),
                lambda _: f"{archive.stat().st_size:,} bytes",
            )  # fmt: skip
            return _timed("unzip", lambda: _unpack(archive, output), lambda f: f"{len(f)} files")


def _job(client: Client, file_id: str) -> dict[str, Any]:
    """Run extract-frames over one file to its end; raises `Failure` when it did not succeed."""
    steps = [{"operation": "extract-frames", "parameters": {}}]
    body = {"files": [file_id], "steps": steps, "name": "demo"}
    job = follow(client, client.request("POST", "/v1/jobs", json=body))
    if job["state"] != "succeeded":
        items = client.get(f"/v1/jobs/{job['id']}/items")["data"]
        why = "; ".join(str(item.get("error")) for item in items if item.get("error"))
        raise Failure(f"The job {job['state']}: {why or job.get('error')}")
    return job


def refuse_foreign(output: Path) -> None:
    """Refuse a folder that holds anything but an earlier demo, which would be replaced."""
    if output.exists() and not (output / MARK).exists() and any(output.iterdir()):
        raise Failure(f"{output} holds something else than a demo. Name a new folder with -o.")


def _unpack(archive: Path, output: Path) -> list[Path]:
    refuse_foreign(output)
    with unfinished(output.parent) as temporary:
        shutil.unpack_archive(archive, temporary, "zip")
        (temporary / MARK).touch()
        publish(temporary, output, overwrite=True)
    images = {".jpg", ".png", ".webp"}
    return sorted(path for path in output.rglob("*") if path.suffix in images)


@contextmanager
def _service(home: Path) -> Iterator[Credentials]:
    """Start `mediamill up` on a free port, wait for its answer, and end it afterwards."""
    log = home / "service.log"
    command = [sys.executable, "-m", "mediamill", "up", "--port", "0", "--home", str(home / "home")]
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        )
    try:
        yield _timed("start the service", lambda: _ready(process, home / "home", log), _server_of)
    finally:
        _timed("stop the service", lambda: _stop(process), lambda code: f"exit code {code}")


def _ready(process: "subprocess.Popen[bytes]", home: Path, log: Path) -> Credentials:
    """Wait for the token that the service writes once it answers."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if (kept := read_credentials(home)) is not None:
            return kept
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise Failure("The service did not start:\n" + log.read_text(errors="replace")[-4000:])


def _stop(process: "subprocess.Popen[bytes]") -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _silent(_count: int) -> None:
    """Show no progress of bytes."""


def _server_of(kept: Credentials) -> str:
    return kept.server


def _timed(name: str, work: Callable[[], T], note: Callable[[T], str]) -> T:
    """Do a step and print how long it took."""
    began = time.monotonic()
    made = work()
    click.echo(f"  {name:<18} {time.monotonic() - began:6.2f} s   {note(made)}")
    return made
