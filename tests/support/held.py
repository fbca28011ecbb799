"""`tests.support.cheap` whose items end when a test says so.

`python -m tests.support.held FOLDER up --home …`: the outcome of an input is not taken as long as
there is a file of the input's name in FOLDER. So a job goes on for as long as that takes, on a
machine of any speed, and costs nothing while it does.
"""

import asyncio
import sys
from pathlib import Path
from typing import Self

from pwdlib import PasswordHash

from mediamill.cli import main
from mediamill.engine.flush import Flush
from mediamill.services.previews import Previews
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.reuse import Reuse
from tests.support.cheap import cheap, nothing

LOOK_SECONDS = 0.05


class Held:
    """What waits in a folder; leaving the block lets all of it go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.let_go(*(path.name for path in self.folder.iterdir()))

    def hold(self, *names: str) -> None:
        """Take no outcome of inputs of these names."""
        for name in names:
            (self.folder / name).touch()

    def let_go(self, *names: str) -> None:
        """Take them."""
        for name in names:
            (self.folder / name).unlink()


def plant(folder: Path) -> None:
    """Let outcomes wait for the folder from now on, in this process."""
    real = Flush.add

    async def add(flush: Flush, result: Result, reuse: Reuse | None = None) -> None:
        while (folder / result.name).exists():
            await asyncio.sleep(LOOK_SECONDS)
        await real(flush, result, reuse)

    Flush.add = add


if __name__ == "__main__":
    PasswordHash.recommended = cheap
    Previews.warm = nothing
    plant(Path(sys.argv.pop(1)))
    main()
