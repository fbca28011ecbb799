"""The pages on security name tests that exist, and leave no requirement, boundary or attack out."""

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from mediamill.services.accounts.commonest import listed
from tests.adapters.fetch.test_guard import INNER
from tests.docs.asvs_ids import ids
from tests.media_factory import hostile_images, hostile_names
from tests.security.test_issuers_tokens import ATTACKS
from tests.security.test_smuggling import MESSAGES

ROOT = Path(__file__).resolve().parents[2]
ASVS, THREATS = ROOT / "docs/security/asvs.md", ROOT / "docs/security/threat-model.md"
PROMISES = ROOT / "SECURITY.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
SAYS = ("holds: ", "documented", "does not apply: ", "the operator’s: ", "**open**: ")
BOUNDARIES = {
    "browser and API", "program and API", "reverse proxy", "API and store", "API and blobs",
    "worker and slot", "slot and codecs", "worker and providers", "what is fetched and sent",
    "stream", "mail", "issuer", "the operator's command line", "backups", "functions and gateway",
}  # fmt: skip
STRIDE = "STRIDE"


@cache
def functions(path: str) -> frozenset[str]:
    """Return the tests of a file, those of classes and of the contracts that it inherits too."""
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_"
    )


def missing(text: str) -> list[str]:
    """Return the tests that a text names and that do not exist."""
    found = []
    for path, name in NAMED.findall(text):
        if not (ROOT / path).is_file():
            found.append(path)
        elif name and name not in functions(path):
            found.append(f"{path}::{name}")
    return found


@pytest.mark.parametrize("page", [ASVS, THREATS, PROMISES], ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page):
    assert missing(page.read_text()) == []


def test_a_test_that_does_not_exist_is_noticed():
    planted = "`tests/web/test_security.py::test_nothing_of_the_kind` `tests/web/test_none.py`"
    assert len(missing(planted)) == 2


def requirements() -> list[tuple[str, int, str, str]]:
    """Return number, level, what is said and what is named of each row of the page."""
    rows = re.findall(
        r"^\| ([\d.]+) \| (\d) \| (.*?) \| (.*?) ?\|$", ASVS.read_text(), re.MULTILINE
    )
    return [(number, int(level), said, by) for number, level, said, by in rows]


def test_every_requirement_of_levels_1_and_2_is_there_once():
    assert len(ids(2)) == 253
    assert {number: level for number, level, *_ in requirements()} == ids(2)
    assert max(Counter(number for number, *_ in requirements()).values()) == 1


def test_every_requirement_says_what_holds_it_or_why_not():
    for number, _, said, by in requirements():
        assert said.startswith(SAYS), number
        if said.startswith("holds"):
            assert NAMED.search(by), f"{number} names no test"
        elif said == "documented":
            (target,) = re.findall(r"\]\(([^)]+)\)", by)
            assert leads_somewhere(ASVS, target), f"{number}: {target}"
        else:
            assert len(said) > 20, f"{number} gives no reason"


def leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    text = (page.parent / path).read_text()
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return not anchor or anchor in {
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in heads
    }


def test_the_numbers_at_the_top_are_those_of_the_rows():
    text = ASVS.read_text()
    told = dict(re.findall(r"^\| ([^|\d]+) \| (\d+) \|$", text, re.MULTILINE))
    counted = Counter(said.partition(":")[0] for _, _, said, _ in requirements())
    assert {name.strip(): int(count) for name, count in told.items()} == dict(counted)
    (listed,) = re.findall(r"^\*\*Open\*\*: ([\d., ]+)\.", text, re.MULTILINE)
    assert listed.split(", ") == [n for n, _, said, _ in requirements() if said[:8] == "**open**"]


def boundaries() -> dict[str, list[str]]:
    """Return the rows of each boundary's table in the threat model."""
    parts = re.split(r"^### (.+)$", THREATS.read_text(), flags=re.MULTILINE)[1:]
    texts = {name.lower(): text for name, text in zip(parts[::2], parts[1::2], strict=True)}
    return {
        name: re.findall(r"^\| [STRIDE, ]+ \|.*$", text, re.MULTILINE)
        for name, text in texts.items()
    }


def test_every_boundary_is_there_and_held_by_tests():
    assert {name.lower() for name in BOUNDARIES} == boundaries().keys()
    for name, rows in boundaries().items():
        assert rows, f"{name} has no threats"
        for row in rows:
            assert NAMED.search(row) or "**open**" in row, f"{name}: {row}"


def test_every_letter_of_stride_is_thought_of():
    letters = Counter(
        letter
        for rows in boundaries().values()
        for row in rows
        for letter in row.split("|")[1].replace(" ", "").split(",")
    )
    assert letters.keys() == {*STRIDE}


def attacks() -> dict[str, str]:
    """Return the rows of S1 to S23."""
    return dict(re.findall(r"^\| (S\d+) \|(.+)\|$", PROMISES.read_text(), re.MULTILINE))


def test_every_attack_of_the_table_is_there():
    """S1 to S23, each with its tests, the short count and the one of the soak."""
    assert [*attacks()] == [f"S{n}" for n in range(1, 24)]
    for number, row in attacks().items():
        assert NAMED.search(row), number
        assert row.count("|") == 3, number


def test_the_counts_are_those_of_the_tests():
    names = len(json.loads(hostile_names().read_text()))
    counts = {
        "S4": f"{len(ATTACKS)} tokens", "S6": f"{len(listed()):,} refused",
        "S8": f"{len(hostile_images())} files", "S14": f"{names} naughty strings",
        "S16": f"{len(INNER)} spellings", "S20": f"{len(MESSAGES)} messages",
    }  # fmt: skip
    assert {number: told for number, told in counts.items() if told not in attacks()[number]} == {}
