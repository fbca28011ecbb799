"""Which files a command works on: those named, and all in the folders named."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.spelling import spelled


@dataclass(frozen=True)
class Input:
    """A local file; `folder` is where it stood below the folder that was named, else empty.

    `path` opens it; `name` and `folder` are text that can be written anywhere (`spelled`).
    """

    path: Path
    folder: Path = Path()
    named: bool = True
    """Whether it was named itself, rather than found in a folder."""

    @property
    def name(self) -> str:
        """What it is called."""
        return spelled(self.path.name)


def gather(paths: Sequence[str]) -> list[Input]:
    """List the files named, then those of folders in the order of their names.

    Hidden files and folders are left out. Raises `Failure` when nothing is left.
    """
    found = [item for path in paths for item in _below(Path(path))]
    if not found:
        raise Failure("There is no file in " + ", ".join(paths) + ".", "Name a file or a folder.")
    return found


def _below(path: Path) -> Iterator[Input]:
    if not path.is_dir():
        yield Input(path)
        return
    for root, folders, names in os.walk(path):
        folder = Path(root)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = folder / name
            if not name.startswith(".") and file.is_file():
                yield Input(file, Path(spelled(folder.relative_to(path))), named=False)
