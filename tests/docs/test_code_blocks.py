"""Every code block of the pages is run, or says why not; and those that are not can be read.

Tutorials are run by `test_tutorials.py`, word for word. The blocks of how-tos, reference and
README are run against one service with something in it (`prepared.py`): there each command must
end well. What stands in `NOT_RUN` is counted, so that it does not grow unseen.
"""

import ast
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mediamill.web.app import description
from tests.docs.blocks import ROOT, SHELLS, Block, Terminal, blocks, pages, parsed
from tests.docs.prepared import prepared_service

FOLLOWED = [page for page in pages() if page.parent.name != "tutorials"]
NOT_RUN = 89
"""Blocks of shells that are not run, with a reason beside each."""


WRITTEN = {("docs/reference/client.md", "python"), ("docs/reference/api.md", "sh")}
"""What is written from the code: signatures, which are no programs, and requests to every route,
whose ids are made up."""


def all_blocks() -> list[Block]:
    found = [block for page in pages() for block in blocks(page)]
    return [one for one in found if (one.page, one.language) not in WRITTEN or one.language == "sh"]


SERVERS = r"(?:127\.0\.0\.1:8750|\$S|\$MILL|\$SERVER|mill\.example\.org)"


def paths_of(text: str) -> Iterator[str]:
    """Yield the paths of the API that a text asks for."""
    for path in re.findall(SERVERS + r"(/v1/[^\s\"'?\\]*)", text):
        yield path.rstrip("/")


def known(path: str) -> bool:
    """Return whether a path, with ids or variables in it, is one that is served."""
    asked = path.split("/")
    for template in description()["paths"]:
        served = template.split("/")
        longer = served[-1] == "{path}" and len(asked) > len(served)
        pairs = zip(asked, served, strict=False)
        if (longer or len(asked) == len(served)) and all(
            said == meant or meant.startswith("{") for said, meant in pairs
        ):
            return True
    return False


def mistakes(block: Block) -> list[str]:
    """Return what is wrong with a block as it is written."""
    text, found = block.text, []
    try:
        match block.language:
            case "json":
                for one in documents(text):
                    json.loads(one)
            case "toml":
                tomllib.loads(text)
            case "yaml":
                [*yaml.safe_load_all(text)]
            case "python":
                ast.parse(text)
    except (ValueError, SyntaxError, yaml.YAMLError) as error:
        found.append(f"{block}: {error}")
    if block.language in SHELLS:
        script = "\n".join(command for command, _ in block.steps())
        script = re.sub(r"<[a-z ]+>", "x", script)
        done = subprocess.run(
            ["bash", "-n"], input=script, capture_output=True, text=True, check=False
        )
        found += [f"{block}: {done.stderr}"] if done.returncode else []
    if block.language in (*SHELLS, "http"):
        found += [f"{block}: no route {path}" for path in paths_of(text) if not known(path)]
    if block.language == "http":
        asked = re.findall(r"^[A-Z]+ (/\S+?)(?:\?\S*)?$", text, re.MULTILINE)
        found += [f"{block}: no route {path}" for path in asked if not known(path)]
    return found


def documents(text: str) -> list[str]:
    """Part lines of JSON, and fill in what `…` stands for."""
    text = re.sub(r"(?<=[\[{,]) *…(?= *[\]}])", "", text.replace(", …", ""))
    text = re.sub(r": …", ": null", text)
    lines = text.strip().splitlines()
    each = all(line.startswith("{") and line.endswith("}") for line in lines)
    return lines if each else [text]


def test_every_block_can_be_read():
    assert [wrong for block in all_blocks() for wrong in mistakes(block)] == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("json", '{"a": 1,}'),
        ("toml", "a = "),
        ("yaml", "a: [1"),
        ("python", "def a(:"),
        ("console", "$ echo 'a"),
        ("console", "$ curl $S/v1/fils"),
        ("sh", "curl http://127.0.0.1:8750/v1/jobs/job_1/nothing"),
        ("http", "POST /v1/nothing\n{}"),
    ],
)
def test_one_that_cannot_is_found(language: str, text: str):
    """The planted faults."""
    (block,) = parsed(f"```{language}\n{text}\n```\n", "a.md")
    assert len(mistakes(block)) == 1


def test_what_is_not_run_says_why_and_is_counted():
    left = [block for block in all_blocks() if block.reason]
    assert all(len(block.reason) > 10 for block in left)
    listed = "\n".join(f"{block}: {block.reason}" for block in left)
    assert len(left) <= NOT_RUN, f"more blocks are not run:\n{listed}"


def test_python_is_formatted():
    shown = [block for block in all_blocks() if block.language == "python"]
    for block in shown:
        done = subprocess.run(
            [Path(sys.executable).parent / "ruff", "format", "--check", "--quiet", "-"],
            input=block.text,
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{block} is not formatted"
    assert len(shown) > 5


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    with prepared_service(tmp_path_factory.mktemp("prepared")) as made:
        yield made


def done(block: Block, terminal: Terminal, folder: Path) -> str:
    """Do what a block shows; one that starts a service has a home of its own."""
    if not block.serves():
        return terminal.follow(block)
    alone = Terminal(Path(tempfile.mkdtemp(dir=folder)), compares=False)
    try:
        return alone.follow(block)
    finally:
        alone.close()


@pytest.mark.scan
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_can_be_done(page: Path, prepared, tmp_path: Path):
    shown = [
        block
        for block in parsed(prepared.here(page.read_text()), str(page.relative_to(ROOT)))
        if block.language in SHELLS and not block.reason
        if (block.page, block.language) not in WRITTEN
    ]
    if not shown:
        return
    terminal = prepared.shell(tmp_path / "here")
    try:
        wrong = [told for block in shown if (told := done(block, terminal, tmp_path))]
    finally:
        terminal.close()
    assert not wrong, "\n".join(wrong)
