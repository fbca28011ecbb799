"""Push folders to a server: only what is not there yet, a few files at a time, until all is said.

Files are walked, measured and sent in batches, so that a folder of any size takes little memory.
Run again it goes on where it stopped: what has arrived is found by its digest, what was being
uploaded is resumed.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import click
from rich.progress import Progress

from mediamill.cli.remote.client import Client
from mediamill.cli.terminal.failures import Failure, Refused
from mediamill.cli.terminal.spelling import spelled
from mediamill.cli.transfer.pushed import Memory
from mediamill.cli.transfer.sending import Sender
from mediamill.client.shipping import PATIENT, Said
from mediamill.client.sources import CHUNK

T = TypeVar("T")

BATCH = 200
LONGEST_TAG = 100
ENDS_ALL = frozenset({401, 403, 507})
"""Refusals that would meet every file."""


@dataclass(frozen=True)
class Found:
    """A file below a folder that was named; `folder` is where it stands there."""

    path: Path
    folder: str = ""


@dataclass(frozen=True)
class Options:
    """What is said of every file."""

    tags: tuple[str, ...] = ()
    project: str = ""
    folder_tags: bool = True

    def tags_of(self, found: Found) -> tuple[str, ...]:
        """Return a file's tags: those given, and `folder:…` for where it stood."""
        if not found.folder or not self.folder_tags:
            return self.tags
        place = "".join(c if c.isprintable() and c != "," else "_" for c in found.folder)
        return (*self.tags, f"folder:{place[-(LONGEST_TAG - 7) :]}")


@dataclass(frozen=True)
class Parcel:
    """A local file with its digest, and what is said of it."""

    path: Path
    size: int
    sha256: str
    said: Said
    folder: str = ""
    """Where it stands below the folder that was named."""

    @property
    def name(self) -> str:
        return spelled(self.path.name)

    def read(self, start: int) -> Iterator[bytes]:
        """Read from `start` to what was its end; one that has become shorter ends early."""
        with self.path.open("rb") as stream:
            stream.seek(start)
            while start < self.size and (chunk := stream.read(min(CHUNK, self.size - start))):
                start += len(chunk)
                yield chunk


def walk(paths: Sequence[str], *, follow: bool = False) -> Iterator[Found]:
    """List the files named, then those of folders by name, without hidden ones and links.

    `follow` takes links too, each folder once.
    """
    for name in paths:
        path = Path(name)
        if path.is_dir():
            yield from _below(path, "", follow, set())
        else:
            yield Found(path)


def _below(folder: Path, place: str, follow: bool, seen: set[tuple[int, int]]) -> Iterator[Found]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        click.echo(f"{folder}: {error.strerror}", err=True)
        return
    for name in names:
        path = folder / name
        if path.is_symlink() and not follow:
            continue
        if path.is_dir():
            yield from _below(path, f"{place}/{name}".lstrip("/"), follow, seen)
        elif path.is_file():
            yield Found(path, place)


class Push:
    """One run: sends what is not there and counts what became of each file."""

    def __init__(
        self,
        client: Client,
        memory: Memory,
        options: Options,
        progress: Progress,
        *,
        parallel: int,
        as_json: bool,
        settled: Callable[[Parcel, str], None] | None = None,
    ) -> None:
        """`settled` is told of each file that is on the server then, and its id there."""
        self.client, self.memory, self.options = client, memory, options
        self._patient = client.api.having(PATIENT)
        self.sender, self.parallel, self.as_json = Sender(client), parallel, as_json
        self.settled = settled
        self.counts: Counter[str] = Counter()
        self.refused: list[tuple[Path, str]] = []
        self._progress = progress
        self._task = progress.add_task("Pushing", total=0)
        self._total = 0

    def run(self, found: Iterator[Found]) -> None:
        """Push every file; raises `Refused` and `Unreachable` only for what would meet them all."""
        with ThreadPoolExecutor(self.parallel, thread_name_prefix="push") as pool:
            try:
                while batch := list(islice(found, BATCH)):
                    self._batch(pool, batch)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _batch(self, pool: ThreadPoolExecutor, batch: list[Found]) -> None:
        measuring = {pool.submit(self._measure, found): found for found in batch}
        alike: dict[str, list[Parcel]] = {}
        for future in as_completed(measuring):
            if parcel := self._outcome(future, measuring[future].path):
                alike.setdefault(parcel.sha256, []).append(parcel)
        here = self._here(list(alike))
        self._join(here, alike)
        sending: dict[Future[str], Parcel] = {}
        for sha256, parcels in alike.items():
            if sha256 in here:
                for parcel in parcels:
                    self._settle(parcel, "present", here[sha256])
            else:
                sending[pool.submit(self._send, parcels[0])] = parcels[0]
        for sent in as_completed(sending):
            first = sending[sent]
            if file := self._outcome(sent, first.path):
                self._settle(first, "uploaded", file)
                for parcel in alike[first.sha256][1:]:
                    self._settle(parcel, "present", file)

    def _measure(self, found: Found) -> Parcel:
        sha256, size = self.memory.digest(found.path), found.path.stat().st_size
        self._total += size
        self._progress.update(self._task, total=self._total)
        said = Said(self.options.tags_of(found), self.options.project)
        return Parcel(found.path, size, sha256, said, found.folder)

    def _send(self, parcel: Parcel) -> str:
        mark = self.memory.bookmark(self.client.server, parcel.sha256)

        def advance(count: int) -> None:
            self._progress.advance(self._task, count)

        return str(self.sender.send(parcel, parcel.said, mark, advance)["id"])

    def _here(self, digests: list[str]) -> dict[str, str]:
        """Ask which bytes are on the server, by digest; their files' ids come back."""
        if not digests:
            return {}
        known = self._patient.files.check(digests)
        return {row["sha256"]: row["file"] for row in known if row["file"]}

    def _join(self, here: dict[str, str], alike: dict[str, list[Parcel]]) -> None:
        """Give files that are there the project and the tags of this push."""
        if here and self.options.project:
            self._patient.projects.add(self.options.project, list(dict.fromkeys(here.values())))
        by_tags: dict[tuple[str, ...], list[str]] = {}
        for sha256, file in here.items():
            for parcel in alike[sha256]:
                if tags := tuple(parcel.said.tags):
                    by_tags.setdefault(tags, []).append(file)
        for tags, files in by_tags.items():
            self._patient.files.tag(list(dict.fromkeys(files)), add=tags)

    # -- outcomes -------------------------------------------------------------------------------

    def _outcome(self, future: Future[T], path: Path) -> T | None:
        """Return what came of one file's step, None when it was refused."""
        try:
            return future.result()
        except Refused as refusal:
            if refusal.status in ENDS_ALL:
                raise
            self._refuse(path, refusal.message, refusal.code)
        except OSError as error:
            self._refuse(path, error.strerror or str(error), "unreadable")
        return None

    def _settle(self, parcel: Parcel, state: str, file: str) -> None:
        self.counts[state] += 1
        if self.settled is not None:
            self.settled(parcel, file)
        if state == "present":
            self._progress.advance(self._task, parcel.size)
        if self.as_json:
            self._line(path=str(parcel.path), state=state, file=file, sha256=parcel.sha256)
        else:
            click.echo(f"{file}\t{parcel.path}")

    def _refuse(self, path: Path, reason: str, code: str) -> None:
        self.counts["refused"] += 1
        self.refused.append((path, reason))
        if self.as_json:
            self._line(path=str(path), state="refused", code=code, error=reason)

    def summary(self) -> None:
        """Say at the end how many files came to what, and why some were refused."""
        counts = {name: self.counts[name] for name in ("uploaded", "present", "refused")}
        if self.as_json:
            self._line(summary=counts)
        for path, reason in self.refused:
            click.echo(f"{path}: {reason}", err=True)
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        click.echo(f"{said}.", err=True)

    @staticmethod
    def _line(**fields: object) -> None:
        click.echo(json.dumps(fields, ensure_ascii=False))


def checked(found: Iterator[Found], paths: Sequence[str]) -> Iterator[Found]:
    """Return the files; raises `Failure` when there is none."""
    first = next(found, None)
    if first is None:
        raise Failure("There is no file in " + ", ".join(paths) + ".", "Name a file or a folder.")
    yield first
    yield from found
