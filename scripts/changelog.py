"""Read CHANGELOG.md, and say where it leaves the form of Keep a Changelog 1.1.0.

python scripts/changelog.py           tell what is wrong with it; 1 when something is
python scripts/changelog.py 0.2.0     print what it says of a version
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from locked import ROOT

PAGE = ROOT / "CHANGELOG.md"
UNRELEASED = "Unreleased"
GROUPS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
NOTED = ("Changed", "Deprecated", "Removed")
"""What may ask something of those who upgrade."""

HEAD = re.compile(r"^## \[(?P<version>[^]]+)\](?: - (?P<date>\S+))?(?P<yanked> \[YANKED\])?$")
SEMANTIC = re.compile(r"(\d+)\.(\d+)\.(\d+)(-[0-9A-Za-z.-]+)?")
INLINE = re.compile(rf"(?:{'|'.join(NOTED)}): ")
"""An entry among others that says itself what it is."""
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Entry:
    """One point of a version."""

    group: str
    text: str
    """In one line."""

    @property
    def names(self) -> list[str]:
        """What it names in code."""
        return CODE.findall(self.text)

    @property
    def beginning(self) -> str:
        """Its first four words."""
        return " ".join(self.text.split()[:4])


@dataclass(frozen=True)
class Version:
    """What was changed in one version."""

    version: str
    date: str | None
    text: str
    """All below its heading."""

    def groups(self) -> list[str]:
        """Return the headings below it, in order."""
        return re.findall(r"^### (.+)$", self.text, re.MULTILINE)

    def entries(self) -> Iterator[Entry]:
        """Yield its points, those of other points included in these."""
        for part in re.split(r"^(?=### )", self.text, flags=re.MULTILINE)[1:]:
            group = part.partition("\n")[0].removeprefix("### ")
            for found in re.finditer(r"^- (.+(?:\n(?:  .*|\n(?=  )))*)", part, re.MULTILINE):
                text = " ".join(found[1].split())
                if inline := INLINE.match(text):
                    yield Entry(inline[0].removesuffix(": "), text[inline.end() :])
                else:
                    yield Entry(group, text)


def main(words: list[str]) -> int:
    """Check the page, or print what it says of a version."""
    text = PAGE.read_text()
    if words:
        print(notes(text, words[0]))
        return 0
    wrong = list(problems(text))
    for problem in wrong:
        print(f"CHANGELOG.md: {problem}")
    return 1 if wrong else 0


def versions(text: str) -> Iterator[Version]:
    """Yield the versions of a change log, in its order."""
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]:
        head, _, rest = part.partition("\n")
        if found := HEAD.match(head):
            yield Version(found["version"], found["date"], rest)


def notes(text: str, version: str) -> str:
    """Return what is said of a version; raises `SystemExit` when nothing is."""
    for one in versions(text):
        if one.version == version:
            return one.text.strip() + "\n"
    raise SystemExit(f"CHANGELOG.md has no section [{version}].")


def problems(text: str) -> Iterator[str]:
    """Yield where a change log leaves the form."""
    if not text.startswith("# Changelog\n"):
        yield "does not begin with “# Changelog”"
    for line in re.findall(r"^## .*$", text, re.MULTILINE):
        if not HEAD.match(line):
            yield f"“{line}” is not “## [1.2.3] - 2026-11-23”"
    listed = list(versions(text))
    if not listed or listed[0].version != UNRELEASED:
        yield f"does not begin with what is [{UNRELEASED}]"
    for one in listed:
        yield from _problems_of(one)
    released = [(_number(one.version), one.date or "") for one in listed[1:]]
    if released != sorted(released, reverse=True) or len(set(released)) != len(released):
        yield "does not list the newest version first, each once"


def _problems_of(one: Version) -> Iterator[str]:
    if one.version != UNRELEASED:
        if SEMANTIC.fullmatch(one.version) is None:
            yield f"[{one.version}] is not a semantic version"
        if not _day(one.date):
            yield f"[{one.version}] has no date as 2026-11-23"
        if not list(one.entries()):
            yield f"[{one.version}] says nothing"
    elif one.date:
        yield f"[{UNRELEASED}] has a date"
    groups = one.groups()
    for name in groups:
        if name not in GROUPS:
            yield f"[{one.version}] has “### {name}”, which is none of {', '.join(GROUPS)}"
    if len(set(groups)) != len(groups):
        yield f"[{one.version}] has a group twice"
    loose = one.text.partition("### ")[0]
    if re.search(r"^- ", loose, re.MULTILINE):
        yield f"[{one.version}] has points outside its groups"


def _day(text: str | None) -> bool:
    try:
        return text is not None and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _number(version: str) -> tuple[int | str, ...]:
    """Return what versions are sorted by: what comes before a release is less than that."""
    found = SEMANTIC.fullmatch(version)
    if found is None:
        return ()
    *numbers, before = found.groups()
    return (*map(int, numbers), int(not before), before or "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
