"""Count and tell what becomes of many files: a line each, the failures and the sum on stderr."""

import json
from collections.abc import Callable
from typing import Any

import click

from mediamill.cli.terminal.failures import DONE, SOME_FAILED


class Tally:
    """What was brought, skipped and failed, told as it happens."""

    def __init__(
        self, done: str, *, as_json: bool = False, advance: Callable[[int], None] | None = None
    ) -> None:
        self._done, self._as_json = done, as_json
        self.advance: Callable[[int], None] = advance or (lambda _: None)
        self.brought = self.skipped = self.failed = 0

    def bring(self, row: dict[str, Any], source: str) -> None:
        """Tell of one that is done; `row` is the server's record, or has a name only."""
        self.brought += 1
        if self._as_json:
            click.echo(json.dumps({**row, "from": source}, ensure_ascii=False))
        else:
            click.echo("\t".join(filter(None, (row.get("id"), source))))

    def skip(self, source: str) -> None:
        """Count one that is there already."""
        self.skipped += 1

    def fail(self, source: str, reason: str) -> None:
        """Tell of one that failed."""
        self.failed += 1
        click.echo(f"{source}: {reason}", err=True)

    def sum(self) -> int:
        """Tell the counts; return the exit code."""
        counts = {self._done: self.brought, "there already": self.skipped, "failed": self.failed}
        click.echo(", ".join(f"{count} {what}" for what, count in counts.items()) + ".", err=True)
        return SOME_FAILED if self.failed else DONE
