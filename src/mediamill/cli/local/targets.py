"""Where `mediamill run` puts what it made: a folder of files, or one stored zip."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, cast

from mediamill.cli.local.layout import Layout
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.inputs import Input
from mediamill.cli.transfer.saving import publish, refuse_existing, unfinished
from mediamill.media.archive.names import Names, safe_name, with_suffix
from mediamill.media.archive.read import Member, open_member, read_members
from mediamill.media.archive.write import ArchiveWriter
from mediamill.operations.work import Output

CHUNK = 1 << 20
MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Made:
    """What one input became: finished files outside of any slot's scratch, data, and a report."""

    files: Sequence[Output] = ()
    data: Mapping[str, Any] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    """The input's `sha256`, `size` and `media_type`."""
    partners: Mapping[Path, str] = field(default_factory=dict)
    """Other inputs that were mixed in, with their SHA-256."""


class Target(Protocol):
    """Takes what was made, input by input, in the order of the inputs."""

    @property
    def folder(self) -> Path:
        """Return a folder of the same file system, for temporary files."""

    def lay_out(self, layout: Layout) -> None:
        """Have pictures lie as a set of annotations has them."""

    def expect(self, item: Input) -> None:
        """Raise `Failure` when the frames of this input would meet something that exists."""

    def add(self, item: Input, made: Made) -> list[str]:
        """Put the results of one input in place; return where they are."""

    def named(self, places: Sequence[str]) -> list[str]:
        """Return what places are called in the manifest: as seen from where that is."""

    def note(self, line: bytes) -> None:
        """Add a line to the manifest, which says how things were made."""

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a text that is about all of it, such as annotations."""

    def finish(self) -> None:
        """Make what was added complete."""

    def close(self) -> None:
        """Remove what was not finished."""


def target_of(output: str, *, overwrite: bool) -> Target:
    """Choose by name; raises `Failure` when an archive exists and may not be replaced."""
    path = Path(output)
    if path.suffix.lower() != ".zip" or path.is_dir():
        if path.exists() and not path.is_dir():
            raise Failure(f"{path} is a file.", "Name a folder, or a file that ends with .zip.")
        return FolderTarget(path, overwrite=overwrite)
    if not overwrite:
        refuse_existing(path)
    return ZipTarget(path, overwrite=overwrite)


def is_frames(output: Output) -> bool:
    """Tell whether an output is an archive of frames, which is shown as a folder."""
    return output.media_type == "application/zip" and "frames" in output.info


class Naming:
    """Names of results: those of the operation, below the folder that the input stood in.

    Where there is a layout, pictures lie as that says.
    """

    def __init__(self) -> None:
        self._names, self.layout = Names(), cast("Layout | None", None)

    def file(self, item: Input, output: Output) -> str:
        """Return a free relative path for a file that was made of an input."""
        name = safe_name(output.name)
        if self.layout is not None and output.media_type.startswith("image/"):
            return self._names.claim(self.layout.place(item, name))
        return self.of(item, name)

    def of(self, item: Input, name: str) -> str:
        """Return a free relative path for a result."""
        return self._names.claim((PurePosixPath(item.folder) / name).as_posix())

    @staticmethod
    def stem(item: Input) -> str:
        """Return the name of the folder of an input's frames."""
        return PurePosixPath(safe_name(item.name)).stem or "item"


class FolderTarget:
    """Files in a folder; archives of frames become folders of frames."""

    def __init__(self, folder: Path, *, overwrite: bool) -> None:
        self.folder, self._overwrite, self._naming = folder, overwrite, Naming()
        self._naming.of(Input(folder), MANIFEST)
        if not _ours(folder / MANIFEST):
            message = f"{folder / MANIFEST} is not of a run, and would be written to."
            raise Failure(message, "Name another folder.")

    def lay_out(self, layout: Layout) -> None:
        self._naming.layout = layout

    def expect(self, item: Input) -> None:
        if not self._overwrite:
            refuse_existing(self.folder / item.folder / self._naming.stem(item))

    def add(self, item: Input, made: Made) -> list[str]:
        places = [self._file(item, output) for output in made.files]
        if made.data is not None:
            places.append(self._data(item, made.data))
        return [str(place) for place in places]

    def named(self, places: Sequence[str]) -> list[str]:
        return [Path(place).relative_to(self.folder).as_posix() for place in places]

    def note(self, line: bytes) -> None:
        with (self.folder / MANIFEST).open("ab") as manifest:
            manifest.write(line + b"\n")

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        with unfinished(self.folder) as temporary:
            with temporary.open("xb") as out:
                out.writelines(chunks)
            publish(temporary, self.folder / name, overwrite=self._overwrite)

    def finish(self) -> None:
        """Do nothing: every file is complete already."""

    def close(self) -> None:
        """Do nothing: there is nothing unfinished between two inputs."""

    def _file(self, item: Input, output: Output) -> Path:
        if not is_frames(output):
            place = self.folder / self._naming.file(item, output)
            publish(output.path, place, overwrite=self._overwrite)
            return place
        place = self.folder / self._naming.of(item, self._naming.stem(item))
        with unfinished(self.folder) as temporary:
            _unpack(output.path, temporary)
            publish(temporary, place, overwrite=self._overwrite)
        return place

    def _data(self, item: Input, data: Mapping[str, Any]) -> Path:
        place = self.folder / self._naming.of(item, with_suffix(item.name, ".result.json"))
        with unfinished(self.folder) as temporary:
            temporary.write_text(data_text(data), encoding="utf-8")
            publish(temporary, place, overwrite=self._overwrite)
        return place


class ZipTarget:
    """One stored zip, which appears under its name when it is complete."""

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.folder, self._path, self._overwrite = path.parent, path, overwrite
        self._naming, self._open = Naming(), ExitStack()
        self._writer: ArchiveWriter | None = None
        self._notes = bytearray()
        self._naming.of(Input(path), MANIFEST)

    def lay_out(self, layout: Layout) -> None:
        self._naming.layout = layout

    def expect(self, item: Input) -> None:
        """Accept every input: names are made free within the archive."""

    def add(self, item: Input, made: Made) -> list[str]:
        writer = self._writer or self._begin()
        names = [name for output in made.files for name in self._file(writer, item, output)]
        if made.data is not None:
            name = self._naming.of(item, with_suffix(item.name, ".result.json"))
            names.append(writer.add(name, data_text(made.data).encode()).name)
        return names

    def named(self, places: Sequence[str]) -> list[str]:
        return [*places]

    def note(self, line: bytes) -> None:
        self._notes += line + b"\n"

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        (self._writer or self._begin()).add(name, b"".join(chunks))

    def finish(self) -> None:
        if self._writer is not None:
            if self._notes:
                self._writer.add(MANIFEST, bytes(self._notes))
            self._writer.close()
            self._stream.close()
            publish(self._temporary, self._path, overwrite=self._overwrite)

    def close(self) -> None:
        self._open.close()

    def _begin(self) -> ArchiveWriter:
        self._temporary = self._open.enter_context(unfinished(self.folder))
        self._stream = self._open.enter_context(self._temporary.open("xb"))
        self._writer = ArchiveWriter(self._stream)
        return self._writer

    def _file(self, writer: ArchiveWriter, item: Input, output: Output) -> Iterator[str]:
        if not is_frames(output):
            name = self._naming.file(item, output)
            chunks = _chunks(output.path)
            yield writer.add_chunks(name, chunks, output.size, output.crc32).name
            return
        place = self._naming.of(item, self._naming.stem(item))
        with output.path.open("rb") as stream:
            for member in read_members(stream):
                chunks = _member_chunks(stream, member)
                writer.add_chunks(f"{place}/{member.name}", chunks, member.size, member.crc32)
        yield f"{place}/"


def _ours(manifest: Path) -> bool:
    """Tell whether lines may be added to a manifest: to one that a run wrote, or to none."""
    try:
        with manifest.open("rb") as stream:
            first = json.loads(stream.readline() or b"{}")
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return not first or (isinstance(first, dict) and {"input", "steps"} <= first.keys())


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _member_chunks(stream: Any, member: Member) -> Iterator[bytes]:
    with open_member(stream, member) as reader:
        while chunk := reader.read(CHUNK):
            yield chunk


def _unpack(archive: Path, folder: Path) -> None:
    """Write the members of an archive below a new folder."""
    folder.mkdir()
    with archive.open("rb") as stream:
        for member in read_members(stream):
            place = folder / member.name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                for chunk in _member_chunks(stream, member):
                    file.write(chunk)


def data_text(data: Mapping[str, Any]) -> str:
    """Return what a file of data says."""
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
