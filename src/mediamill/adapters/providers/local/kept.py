"""The models that this machine keeps, in `MEDIAMILL_HOME/models`.

    models/vit-gpt2/                              put there by hand
    models/Xenova/vit-gpt2-image-captioning/      fetched: `mediamill models fetch …`
        mediamill-model.json                      where from, which revision, SHA-256 of each file

A name leads to a folder in there and nowhere else. A path leads wherever it says; only who sets up
the machine may say one.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mediamill.core.errors import ProviderRefused

MANIFEST = "mediamill-model.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")


class KeptFile(msgspec.Struct, frozen=True):
    """A file of a fetched model, as it came; `sha256` in hexadecimal."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """Where a fetched model is from. `revision` is a commit, which never changes."""

    id: str
    revision: str
    variant: str
    files: tuple[KeptFile, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over names and digests of the files, in hexadecimal."""
        lines = sorted(f"{file.sha256}  {file.name}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def is_path(model: str) -> bool:
    """Whether an address means a folder by its path, not by its name."""
    return model.startswith(("/", "~", "."))


def check_name(name: str) -> str:
    """Return a name of one part or two; raises `ValueError` for what is none."""
    if NAME.fullmatch(name) is None or ".." in name:
        raise ValueError(f"“{name}” is no name of a model, such as owner/name")
    return name


def folder_of(model: str, models: Path | None, *, paths: bool) -> Path:
    """Return where a model is kept, whether it is there or not.

    Raises `ValueError` for a path where none may be given, and for what is neither a path nor a
    name; `ProviderRefused` for a name that leads out of `models`.
    """
    if is_path(model):
        if not paths:
            raise ValueError("only the settings of the service may name a folder; name a model")
        return Path(model).expanduser().absolute()
    check_name(model)
    if models is None:
        raise ValueError("there is no folder of models; name a folder by its path")
    folder = models / model
    if not folder.resolve().is_relative_to(models.resolve()):
        raise ProviderRefused(f"The model {model} is a link out of {models}.")
    return folder


def manifest_of(folder: Path) -> Manifest | None:
    """Read where a model is from; None for one that was put there by hand."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def kept(models: Path) -> Iterator[tuple[str, Path]]:
    """List name and folder of each model, by name."""
    for folder in sorted(_folders(models)):
        if any(folder.glob("*.onnx")) or any(folder.glob("onnx/*.onnx")):
            yield str(folder.relative_to(models)), folder


def _folders(models: Path) -> Iterator[Path]:
    for first in models.glob("[!.]*"):
        if first.is_dir():
            yield first
            yield from (second for second in first.glob("[!.]*") if second.is_dir())


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def differing(folder: Path, manifest: Manifest) -> list[str]:
    """List the files that are no longer as they came; reads all of them."""
    return [
        file.name for file in manifest.files
        if not (folder / file.name).is_file() or digest_of(folder / file.name) != file.sha256
    ]  # fmt: skip
