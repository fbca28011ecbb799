"""The documentation says what the code does: reference parts, links, words and examples."""

import importlib.util
import re
import shlex
import sys
from pathlib import Path

import click
import pytest

from mediamill.cli.root import root
from mediamill.cli.terminal import failures
from mediamill.core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def load_reference():
    sys.path.insert(0, str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts/reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load_reference()


@pytest.mark.parametrize("page", reference.PARTS)
def test_reference_parts_are_up_to_date(page: str):
    stale = reference.stale_lines(ROOT / "docs" / page)
    assert not stale, f"run scripts/reference.py:\n{stale}"


@pytest.mark.parametrize(
    ("page", "old", "new"),
    [
        ("reference/settings.md", "`MEDIAMILL_LEASE_SECONDS`", "`MEDIAMILL_LEASE`"),
        ("reference/errors.md", "| 507 |", "| 500 |"),
        ("reference/operations.md", "`max_frames`", "`frames`"),
        ("reference/metrics.md", "mediamill_http_requests_total", "mediamill_requests"),
        ("reference/cli.md", "--overwrite ", "--force "),
    ],
)
def test_a_page_that_is_wrong_would_be_found(page: str, old: str, new: str, tmp_path: Path):
    text = (ROOT / "docs" / page).read_text()
    before, mark, part = text.partition("<!-- begin ")
    assert old in part
    wrong = tmp_path / page
    wrong.parent.mkdir()
    wrong.write_text(before + mark + part.replace(old, new))
    assert reference.update(wrong, check=True)


def test_exit_codes_are_those_of_the_code():
    documented = re.findall(r"^\| (\d+) \|", failures.__doc__, re.MULTILINE)
    names = ("DONE", "SOME_FAILED", "USAGE", "REFUSED", "UNREACHABLE", "DEFECT", "INTERRUPTED")
    assert [int(code) for code in documented] == [getattr(failures, name) for name in names]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_tree_lead_somewhere(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_that_are_mentioned_exist(page: Path):
    known = {f"MEDIAMILL_{name.upper()}" for name in Settings.model_fields}
    known |= {"MEDIAMILL_SERVER", "MEDIAMILL_TOKEN", "MEDIAMILL_PROVIDER_KEY"}
    known |= {"MEDIAMILL_SAMPLES", "MEDIAMILL_HOSTILE"}
    known |= {"MEDIAMILL_REQUIRE_SERVICES", "MEDIAMILL_CAPTIONER"}
    mentioned = set(re.findall(r"\bMEDIAMILL_[A-Z][A-Z_]*[A-Z]\b", page.read_text()))
    assert mentioned - known == set()


def commands_shown() -> list[tuple[str, str]]:
    """List the command lines that the pages show, with the page."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```(?:console|sh|bash)\n(.*?)```", page.read_text(), re.DOTALL):
            lines = re.findall(r"^\$ (?:\.venv/bin/)?(mediamill .*)$", block, re.MULTILINE)
            found += [(page.name, line) for line in lines]
    return found


@pytest.mark.parametrize(("page", "line"), commands_shown())
def test_commands_that_are_shown_can_be_parsed(page: str, line: str, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("clips", "frames/clip", "photos", "shapes/images"):
        (tmp_path / folder).mkdir(parents=True)
    pictures = [f"shapes/images/shapes_{number:02}.jpg" for number in range(3)]
    others = ("clip.mp4", "dog.jpg", "instances.json", "shapes/instances.json", "empty.jpg")
    for file in (*others, *pictures, "frames/clip/frame-000000-0.jpg"):
        (tmp_path / file).touch()
    words = shlex.split(line, comments=True)[1:]
    context: click.Context = root.make_context("mediamill", words)
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest and context.command.invoke_without_command:
            break
        name, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = set()
    for page in PAGES:
        shown |= set(re.findall(r"`make ([a-z]+)", page.read_text()))
        shown |= set(re.findall(r"^\$ make ([a-z]+)", page.read_text(), re.MULTILINE))
    assert shown <= targets
    assert {"demo", "up", "test"} <= shown


def test_every_attack_names_tests_that_exist():
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if "`tests/" in line]
    assert len(rows) > 10
    for row in rows:
        folder = ROOT
        for name in re.findall(r"`([\w/]+\.py)`", row):
            path = ROOT / name if "/" in name else folder / name
            assert path.is_file(), f"{name} in: {row}"
            folder = path.parent
