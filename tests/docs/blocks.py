"""The code blocks of the pages, and a terminal that does what they show.

A block is run as it stands. One that cannot be has a comment before it that says why:

    <!-- not run: needs an AWS account -->

In a block of `console`, lines that begin with `$ ` are typed, lines that go on are indented by four
spaces, and the others are what is shown to come of it: ids stand for any id, always the same one
for the same, and `…` for anything. A block with a title is a file of that name. A block that ends
in `mediamill up` is typed into a terminal of its own, where the service stays until the next such
block.
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import free_port

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w+-]*)(?P<more>[^\n]*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
BEFORE = re.compile(r"<!-- not run: (?P<reason>(?:(?!-->).)+?) -->\s*\Z", re.DOTALL)
ID = re.compile(r"\b[a-z]{3,5}_[0-9A-HJKMNP-TV-Z]{26}\b")
SET = r"(?:\w+=(?:\"[^\"]*\"|'[^']*'|\S+) )*"
"""Settings before a command."""
PORT = 8750
"""That of the pages."""
END = "--- end of command"
SECONDS = 100
"""Longest that a command may take, also where eight tests share two cores."""
STRICT = 'set -E; curl() { command curl --fail-with-body "$@"; }'
"""Makes every command of a block count, and each request that is refused fail."""
SHELLS = ("console", "sh", "bash")


@dataclass(frozen=True)
class Block:
    """What a page shows between two fences."""

    page: str
    line: int
    language: str
    title: str
    text: str
    reason: str
    """Why it is not run; empty when it is."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def steps(self) -> list[tuple[str, str]]:
        """Return what is typed, and what is shown to come of it."""
        if self.language != "console":
            return [(self.text, "…")]
        found = []
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, *rest = part.splitlines()
            while rest and rest[0].startswith("    "):
                command += "\n" + rest.pop(0)
            found.append((command, "\n".join(rest)))
        return found

    def serves(self) -> bool:
        """Return whether it leaves a service running in its terminal."""
        steps = self.steps() if self.language == "console" else []
        return bool(steps) and re.match(rf"{SET}mediamill up\b[^&]*$", steps[-1][0]) is not None


def pages() -> list[Path]:
    """Return the pages that people follow and look things up in; decisions are history."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    return sorted(page for page in found if "adr" not in page.parts)


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page."""
    return [*parsed(page.read_text(), str(page.relative_to(ROOT)))]


def parsed(text: str, page: str) -> Iterator[Block]:
    """Yield the blocks of a text."""
    for match in FENCE.finditer(text):
        said = BEFORE.search(text, 0, match.start())
        title = re.search(r'title="([^"]+)"', match["more"])
        indent = len(match["indent"])
        lines = [line[indent:] for line in match["text"].splitlines()]
        yield Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match["language"],
            title[1] if title else "",
            "\n".join(lines) + "\n",
            " ".join(said["reason"].split()) if said else "",
        )


def comparable(shown: str) -> str:
    """Leave out how output is laid out: blanks, tabs and ends of lines."""
    return re.sub(r"\s+", "", shown)


def meets(shown: str, told: str, known: dict[str, str]) -> bool:
    """Return whether output is what is shown; learns which id stands for which."""
    names: list[str] = []

    def one(match: re.Match[str]) -> str:
        names.append(match[0])
        return f"@{len(names) - 1}@"

    marked = comparable(ID.sub(one, shown))
    pattern = re.escape(marked).replace("…", ".*?")
    for place, name in enumerate(names):
        kind = name.partition("_")[0]
        pattern = pattern.replace(f"@{place}@", f"({kind}_[0-9A-HJKMNP-TV-Z]{{26}})")
    match = re.fullmatch(pattern, comparable(told), re.DOTALL)
    if match is None:
        return False
    return all(
        known.setdefault(name, value) == value
        for name, value in zip(names, match.groups(), strict=True)
    )


@dataclass
class Terminal:
    """A shell in a folder of its own, and the service that a page starts beside it."""

    folder: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    """Which id stands for which of the page's."""
    replaced: dict[str, str] = field(default_factory=dict)
    """What else is called otherwise here than on the page."""
    compares: bool = True
    """Whether what comes is held against what is shown; else exit codes alone."""
    service: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.variables = {
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "MEDIAMILL_PORT": str(self.port),
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            **self.environment,
        }
        self.shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

        if not self.compares:
            # what is refused is only seen by a code, and by that of each command
            self.type("trap 'FAILED=$?' ERR; " + STRICT)

    def here(self, text: str) -> str:
        """Return a text of the page with the ids, ports and names of this terminal."""
        text = ID.sub(lambda match: self.known.get(match[0], match[0]), text)
        for name, value in {f":{PORT}": f":{self.port}", **self.replaced}.items():
            text = text.replace(name, value)
        return text

    def follow(self, block: Block) -> str:
        """Do what a block shows; returns what is wrong, or nothing."""
        if block.title:
            path = self.folder_now() / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.here(block.text))
            return ""
        if block.serves():
            return self.serve(block)
        for command, shown in block.steps():
            code, told = self.type(self.here(command))
            if code:
                return f"{block}: `{command}` ends with {code}:\n{told}"
            if self.compares and not meets(
                shown, told.replace(f":{self.port}", f":{PORT}"), self.known
            ):
                return f"{block}: `{command}` shows\n{told}\ninstead of\n{shown}"
        return ""

    def folder_now(self) -> Path:
        """Return where the shell is."""
        return Path(self.type("pwd")[1].strip())

    def type(self, command: str) -> tuple[int, str]:
        """Run a command; returns its exit code and what it writes."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        asked = f"FAILED=0\n{{ {command}\n}} </dev/null\n"
        self.shell.stdin.write(asked + f"""printf '\\n%s %s\\n' '{END}' "$(($? | FAILED))"\n""")
        self.shell.stdin.flush()
        lines: list[str] = []
        # a command that hangs is ended by pytest's own limit, which shows where
        for line in self.shell.stdout:
            if line.startswith(END):
                return int(line.split()[-1]), "".join(lines).removesuffix("\n")
            lines.append(line)
        return -1, "".join(lines) + "(the shell has ended)"

    def serve(self, block: Block) -> str:
        """Type a block into the other terminal, and wait until the service answers."""
        self.stop()
        output = self.folder / ".terminal"
        script = "set -e\n" + "\n".join(self.here(command) for command, _ in block.steps())
        script = re.sub(
            rf"^({SET})mediamill up", r"exec env \1mediamill up", script, flags=re.MULTILINE
        )
        log = self.folder / ".terminal.log"
        with output.open("wb") as out, log.open("wb") as logged:
            self.service = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder_now(),
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=logged,
            )
        if not self.answers():
            return f"{block}: the service did not start:\n{log.read_text()}"
        shown = "\n".join(text for _, text in block.steps()) if self.compares else ""
        until = time.monotonic() + SECONDS / 4
        while time.monotonic() < until:
            told = output.read_text().replace(f":{self.port}", f":{PORT}")
            if meets(f"…{shown}…", told, self.known):
                return ""
            time.sleep(0.1)
        return f"{block}: the service shows\n{told}\ninstead of\n{shown}"

    def answers(self) -> bool:
        """Wait for the service."""
        assert self.service is not None
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self.service.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=5):
                    return True
            except OSError:
                time.sleep(0.1)
        return False

    def stop(self) -> None:
        """End the service as Ctrl-C does."""
        if self.service is not None:
            self.service.send_signal(signal.SIGINT)
            self.service.wait(SECONDS)
            self.service = None

    def close(self) -> None:
        """End what was started."""
        self.stop()
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        for number in re.findall(r"\d+", self.type("jobs -p")[1]):
            os.kill(int(number), signal.SIGTERM)
        self.shell.stdin.close()
        self.shell.wait(SECONDS)
        self.shell.stdout.close()
