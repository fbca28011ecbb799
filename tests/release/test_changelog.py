"""CHANGELOG.md keeps the form of Keep a Changelog, and what changes has its note on upgrading."""

import re

import changelog
import pytest

from tests.release.conftest import ROOT

UPGRADING = ROOT / "docs/how-to/upgrading.md"
TEXT = changelog.PAGE.read_text()
WELL = """# Changelog

## [Unreleased]

### Added

- Something,
  on two lines.
- Changed: `this` is `that`.

## [0.2.0] - 2026-11-23

### Removed

- What was there for years is gone.

## [0.1.0] - 2026-10-01

### Fixed

- A fault.
"""


def lacking(log: str, notes: str) -> list[str]:
    """List what changed in a version and is not in that version's notes.

    An entry is there when all that it names in code is; one that names nothing when a note has its
    first four words, wherever these stand.
    """
    parts = re.split(r"^## ", notes, flags=re.MULTILINE)
    sections = {
        heading.partition(" - ")[0].strip("[]"): text
        for heading, _, text in (part.partition("\n") for part in parts)
    }
    missing = []
    for version in changelog.versions(log):
        section = " ".join(re.sub(r"\*\*|[\[\]]", "", sections.get(version.version, "")).split())
        missing += [
            f"{version.version}: {entry.beginning} …"
            for entry in version.entries()
            if entry.group in changelog.NOTED and not _told(entry, section)
        ]
    return missing


def _told(entry: changelog.Entry, section: str) -> bool:
    if entry.names:
        return all(f"`{name}`" in section for name in entry.names)
    return entry.beginning.lower() in section.lower()


def test_it_has_the_form():
    assert list(changelog.problems(TEXT)) == []
    assert list(changelog.problems(WELL)) == []
    told = [entry for version in changelog.versions(TEXT) for entry in version.entries()]
    assert len(told) > 50, "of all versions: a release begins a new one, which is empty"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Changelog", "# Changes"),
        ("## [Unreleased]\n", "## Unreleased\n"),
        ("## [Unreleased]\n", "## [Unreleased] - 2026-11-24\n"),
        ("## [Unreleased]\n", "## [0.3.0] - 2026-11-24\n"),
        ("## [0.2.0] - 2026-11-23", "## [0.2.0]"),
        ("## [0.2.0] - 2026-11-23", "## [0.2.0] - 23 November"),
        ("## [0.2.0] - 2026-11-23", "## [0.2.0] - 2026-13-23"),
        ("## [0.2.0] - 2026-11-23", "## [two] - 2026-11-23"),
        ("## [0.2.0] - 2026-11-23", "## [0.1.0] - 2026-10-01"),
        ("## [0.2.0] - 2026-11-23", "## [0.0.9] - 2026-11-23"),
        ("### Removed", "### Gone"),
        ("### Removed\n", ""),
        ("- A fault.\n", ""),
        ("- A fault.\n", "- A fault.\n\n### Fixed\n\n- Another.\n"),
    ],
)
def test_what_leaves_the_form_is_found(old, new):
    assert old in WELL
    assert list(changelog.problems(WELL.replace(old, new, 1)))


def test_what_comes_before_a_release_is_a_version_of_its_own():
    final, before = "## [0.2.0] - 2026-11-23", "## [0.2.0-rc.1] - 2026-11-23"
    tried = f"{before}\n\n### Fixed\n\n- A.\n\n"
    below = WELL.replace("## [0.1.0]", f"{tried}## [0.1.0]")
    assert list(changelog.problems(below)) == []
    assert list(changelog.problems(WELL.replace(final, f"{tried}{final}"))), "the other way round"


def test_entries_are_read_whole():
    first, second, third = changelog.versions(WELL)
    assert [entry.text for entry in first.entries()] == [
        "Something, on two lines.", "`this` is `that`."
    ]  # fmt: skip
    assert [entry.group for entry in first.entries()] == ["Added", "Changed"]
    assert (second.date, third.groups()) == ("2026-11-23", ["Fixed"])


def test_what_changed_or_went_has_a_note_on_upgrading():
    assert lacking(TEXT, UPGRADING.read_text()) == []


@pytest.mark.parametrize("heading", ["## 99.0.0", "## [99.0.0] - 2999-11-23"])
def test_what_is_released_by_the_page_passes(heading):
    """Its first step, done to copies."""
    page = (ROOT / "docs/how-to/releasing.md").read_text()
    assert re.search(r"rename `\[Unreleased\]` to `\[[\d.]+\] - \d{4}-\d\d-\d\d`", page)
    released = "## [Unreleased]\n\n## [99.0.0] - 2999-11-23"
    log = TEXT.replace("## [Unreleased]", released, 1)
    notes = UPGRADING.read_text()
    assert list(changelog.problems(log)) == []
    assert lacking(log, notes.replace("## Unreleased", heading, 1)) == []
    changed = [
        one for one in next(changelog.versions(TEXT)).entries() if one.group in changelog.NOTED
    ]
    assert len(lacking(log, notes)) == len(changed), "notes that were forgotten are found"


@pytest.mark.parametrize(
    ("notes", "missing"),
    [
        ("## Unreleased\n\n- `this`: `that`\n\n## 0.2.0\n\n- **What was there** for years\n", 0),
        ("## Unreleased\n\n- `this`\n\n## 0.2.0\n\n- What was there for years\n", 1),
        ("## Unreleased\n\n- What was there for years\n\n## 0.2.0\n\n- `this`, `that`\n", 2),
        ("## Unreleased\n\n- this, that\n\n## 0.2.0\n\n- What was there for years\n", 1),
        ("", 2),
    ],
)
def test_a_change_without_a_note_is_found(notes, missing):
    assert len(lacking(WELL, notes)) == missing
