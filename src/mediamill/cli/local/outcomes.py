"""Say what became of each input of `mediamill run`, while it runs and at the end."""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

import click

from mediamill.cli.local.targets import Made
from mediamill.cli.terminal.inputs import Input
from mediamill.cli.terminal.progress import bar
from mediamill.cli.terminal.spelling import spelled


@dataclass(frozen=True)
class Done:
    """The outcome of one input: what was made and where it is, or why not."""

    item: Input
    made: Made | None = None
    places: tuple[str, ...] = ()
    code: str = ""
    error: str = ""
    skipped: bool = False
    """It was found in a folder and is nothing the operation takes."""
    seconds: float = 0.0

    def failing(self, code: str, error: str, *, skipped: bool = False) -> "Done":
        """Return the outcome as a failure."""
        return replace(self, made=None, code=code, error=error, skipped=skipped)

    @property
    def state(self) -> str:
        if self.skipped:
            return "skipped"
        return "failed" if self.code else "succeeded"

    def line(self) -> dict[str, Any]:
        """Return the outcome as the JSON line of `--json`."""
        head = {"input": spelled(self.item.path), "state": self.state, "seconds": self.seconds}
        if self.code:
            return {**head, "code": self.code, "error": spelled(self.error)}
        data = self.made.data if self.made else None
        places = [spelled(place) for place in self.places]
        line = {**head, "outputs": places, **({"data": data} if data else {})}
        return {**line, "report": dict(self.made.report)} if self.made else line

    @property
    def note(self) -> str:
        """What is to be said beside the places: a video that is cut off."""
        report = self.made.report if self.made else {}
        if not report.get("truncated"):
            return ""
        return f" (the video is cut off after {report.get('last_good_time', 0):.1f} s)"


class Reporter:
    """Shows a bar on stderr, prints outcomes as they come, and counts them."""

    def __init__(self, total: int, *, as_json: bool) -> None:
        self.counts = {"succeeded": 0, "failed": 0, "skipped": 0}
        self._total, self._as_json = total, as_json
        self._running: dict[int, float] = {}
        self._began = time.monotonic()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._bar = self._stack.enter_context(bar())
        self._task = self._bar.add_task("Working", total=self._total, note="")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def failed(self) -> int:
        return self.counts["failed"]

    def progress(self, index: int, fraction: float) -> None:
        """Note how far one input is."""
        self._running[index] = fraction
        self._show()

    def settle(self, done: Done) -> None:
        """Count and print an outcome."""
        self.counts[done.state] += 1
        self._show()
        if self._as_json:
            self._bar.console.file.flush()
            click.echo(json.dumps(done.line(), ensure_ascii=False))
        elif done.state == "succeeded":
            places = ", ".join(done.places) or "nothing"
            click.echo(spelled(f"{done.item.path} → {places}{done.note}"))
        elif done.state == "failed":
            click.echo(spelled(f"{done.item.path}: {done.error}"), err=True)

    def summary(self) -> None:
        """Say how many inputs ended how, and how long it took."""
        parts = [f"{count} {state}" for state, count in self.counts.items() if count]
        seconds = time.monotonic() - self._began
        click.echo(f"{', '.join(parts)} in {seconds:.1f} s.", err=True)

    def _show(self) -> None:
        settled = sum(self.counts.values())
        moving = sum(fraction for fraction in self._running.values())
        done = max(float(settled), min(moving, self._total))
        note = f"{settled} of {self._total}"
        self._bar.update(self._task, completed=done, note=note)
