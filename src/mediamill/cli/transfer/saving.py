"""Put what was fetched or made in its place whole: a temporary file beside it, then a rename."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mediamill.cli.remote.client import Advance, Client
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.progress import bar

UNFINISHED = ".mediamill-"
"""How names of unfinished things begin."""


def fetch(client: Client, path: str, target: Path | None, *, overwrite: bool) -> Path:
    """Download into a file, or into a folder under the server's name; return where it is.

    What a command that was ended has fetched is gone on with by the next.
    """
    target = target or Path()
    if not target.is_dir() and not overwrite:
        refuse_existing(target)
    with made(target if target.is_dir() else target.parent), bar(in_bytes=True) as progress:

        def start(size: int) -> Advance:
            task = progress.add_task("Downloading", total=size or None)
            return lambda count: progress.advance(task, count)

        return client.save(path, target, start, overwrite=overwrite)


def place_of(output: str | None) -> Path | None:
    """Read where to save; a name that ends with a slash is a folder, which is made."""
    if output is None:
        return None
    place = Path(output)
    if output.endswith("/"):
        place.mkdir(parents=True, exist_ok=True)
    return place


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Give a fresh path in a folder, made as by `made`; what is left there is removed."""
    with made(folder):
        path = folder / f"{UNFINISHED}{uuid.uuid4().hex}"
        try:
            yield path
        finally:
            remove(path)


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder for the block; folders that were made and hold nothing then are removed."""
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"Cannot write to {folder}: {error.strerror}.") from None
    try:
        yield
    finally:
        with suppress(OSError):  # it holds something, and so do those above it
            for each in missing:
                each.rmdir()


def publish(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Move a finished file or folder of the same file system to its name, in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not overwrite:
        refuse_existing(target)
    if target.is_dir() and not target.is_symlink():
        aside = target.with_name(f"{UNFINISHED}{uuid.uuid4().hex}")
        target.rename(aside)
        temporary.rename(target)
        shutil.rmtree(aside)
    else:
        temporary.replace(target)


def refuse_existing(target: Path) -> None:
    """Raise `Failure` when something is there already."""
    if os.path.lexists(target):
        raise Failure(f"{target} exists.", "Pass --overwrite to replace it.")


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
