"""Each tutorial does, word for word, what it shows: a fresh home, a real service, one shell."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, ROOT, SHELLS, Block, Terminal, blocks
from tests.support.processes import free_port

TUTORIALS = sorted(DOCS.glob("tutorials/*.md"))
KAFKA = "stream.md"
"""The one that needs a broker."""


def run(page: Path, terminal: Terminal) -> None:
    """Follow a page to its end; fails where something else comes than is shown."""
    try:
        for block in blocks(page):
            if not block.reason and (block.language in SHELLS or block.title):
                wrong = terminal.follow(block)
                assert not wrong, wrong
    finally:
        terminal.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "page", [page for page in TUTORIALS if page.name != KAFKA], ids=lambda page: page.stem
)
def test_a_tutorial_does_what_it_shows(page: Path, tmp_path: Path):
    # the port of the model that the tutorials start themselves
    run(page, Terminal(tmp_path, replaced={"8100": str(free_port())}))


@pytest.mark.timeout(400)
def test_the_one_on_streams_does_too(kafka, tmp_path: Path):
    run(DOCS / "tutorials" / KAFKA, Terminal(tmp_path, replaced={"127.0.0.1:9092": kafka.brokers}))


@pytest.mark.scan
@pytest.mark.timeout(900)
def test_one_after_the_other_they_do_too(tmp_path: Path):
    """One home, in the order of the navigation, as somebody does them who is new here."""
    order = re.findall(r"tutorials/([\w-]+\.md)", (ROOT / "mkdocs.yml").read_text())
    assert sorted(order) == [page.name for page in TUTORIALS]
    home, port = tmp_path / "home", str(free_port())
    home.mkdir()
    folder = tmp_path / "first"
    for name in order:
        if name == KAFKA:
            continue
        page = DOCS / "tutorials" / name
        apart = re.search(r"export MEDIAMILL_HOME=~/(\S+?)`", page.read_text())
        if apart:  # the page sends who has done another to an empty folder
            folder = tmp_path / page.stem
        folder.mkdir(exist_ok=True)
        settings = {"HOME": str(home)} | ({"MEDIAMILL_HOME": str(home / apart[1])} if apart else {})
        terminal = Terminal(folder, environment=settings, replaced={"8100": port})
        if not apart:  # and is where the one before has left off
            terminal.type("cd sample 2>/dev/null || true")
        run(page, terminal)


PAGE = """
```console
$ mkdir {folder}; cd {folder}
$ echo file_01KAHRQPV0V3E3M2X5E2C8T2QG; echo 12 files
file_01KAHRQPV0V3E3M2X5E2C8T2QH	{shown} files
```

```json title="a.json"
{{"a": 1}}
```

```sh
{command}
```
"""


@pytest.mark.parametrize(
    ("shown", "command", "wrong"),
    [
        ("12", "test file_01KAHRQPV0V3E3M2X5E2C8T2QH = file_01KAHRQPV0V3E3M2X5E2C8T2QG", ""),
        ("…", "cat a.json", ""),
        ("13", "true", "shows"),
        ("12", "false", "ends with 1"),
        ("12", "cat b.json", "ends with 1"),
        ("12", "test file_01KAHRQPV0V3E3M2X5E2C8T2QH = job_01", "ends with 1"),
    ],
)
def test_what_is_not_as_shown_is_found(shown, command, wrong, tmp_path):
    """The planted faults: an output, an exit code, a file that is not there, an id."""
    from tests.docs.blocks import parsed

    terminal = Terminal(tmp_path)
    text = PAGE.format(folder="x", shown=shown, command=command)
    try:
        told = [terminal.follow(block) for block in parsed(text, "a.md")]
    finally:
        terminal.close()
    found: list[str] = [one for one in told if one]
    assert len(found) == bool(wrong)
    assert all(wrong in one for one in found)


@pytest.mark.parametrize(
    ("typed", "serves"),
    [
        ("$ mediamill up", True),
        ("$ export A=b\n$ mediamill up\nready", True),
        ("$ A=b mediamill up", True),
        ("$ mediamill up &", False),
        ("$ mediamill up\n$ ls", False),
    ],
)
def test_a_block_that_ends_in_the_service_has_a_terminal_of_its_own(typed, serves):
    assert Block("a.md", 1, "console", "", typed + "\n", "").serves() is serves
