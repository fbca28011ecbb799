"""A progress bar on stderr, where somebody watches; silent elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextmanager
def bar(*, in_bytes: bool = False, quiet: bool = False) -> Iterator[Progress]:
    """Show a bar that counts bytes or items."""
    counters = (
        (DownloadColumn(), TransferSpeedColumn())
        if in_bytes
        else (TextColumn("{task.fields[note]}"),)
    )
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), *counters,
        TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True)
    watched = sys.stderr.isatty() and not quiet
    with Progress(*columns, console=console, disable=not watched, transient=True) as progress:
        yield progress
