"""docs/licences.md says which licences there are, and no other gets in."""

from importlib import metadata

import licences
import pytest


def test_the_page_is_up_to_date_and_all_are_allowed():
    assert list(licences.problems()) == []
    text = licences.PAGE.read_text()
    assert licences.page(text) == text, "run scripts/licences.py"


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("Apache-2.0 AND GPL-3.0-only", False),
        ("(MIT AND ISC) OR GPL-2.0-only", True),
        ("MIT AND (ISC OR GPL-2.0-only)", True),
        ("MIT AND (LGPL-3.0-only OR GPL-2.0-only)", False),
        ("MIT AND ISC OR GPL-2.0-only AND MIT", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("MIT WITH anything", False),
        ("(MIT", False),
        ("MIT)", False),
        ("", False),
    ],
)
def test_expressions_are_read_as_spdx_means_them(expression, fits):
    assert licences.permissive(expression) is fits


def test_an_exception_is_of_one_package_under_one_licence():
    assert licences.allowed("certifi", "MPL-2.0")
    assert not licences.allowed("certifi", "GPL-3.0-only")
    assert not licences.allowed("another", "MPL-2.0")


class Told(dict):
    """Metadata of a package that nobody has."""

    def get_all(self, _name):
        return self.get("Classifier")


@pytest.mark.parametrize(
    "about",
    [
        {"License-Expression": "AGPL-3.0-or-later"},
        {"License": "GPL-3.0-only"},
        {"License": "free, more or less"},
        {"Classifier": ["License :: OSI Approved :: GNU General Public License (GPL)"]},
        {"Classifier": ["License :: OSI Approved :: MIT License",
                        "License :: OSI Approved :: BSD License"]},
        {},
    ],
)  # fmt: skip
def test_a_licence_that_is_planted_is_found(about, monkeypatch):
    real = metadata.metadata
    monkeypatch.setattr(
        licences.metadata,
        "metadata",
        lambda name: Told(about) if name == "anyio" else real(name),
    )
    (problem,) = licences.problems()
    assert problem.startswith("anyio: ")


def test_what_is_not_installed_said_for_or_needed_is_found(monkeypatch):
    monkeypatch.delitem(licences.DECLARED, "async-timeout")
    monkeypatch.delitem(licences.USES, "anyio")
    monkeypatch.setitem(licences.USES, "left-pad", "padding")
    monkeypatch.setitem(licences.EXCEPTIONS, "gone", ("GPL-3.0-only", "it was needed once"))
    found = sorted(licences.problems())
    assert [problem.partition(":")[0] for problem in found] == [
        "anyio", "async-timeout", "gone", "left-pad"
    ]  # fmt: skip


def test_a_script_of_the_pages_must_be_permissive(monkeypatch):
    monkeypatch.setattr(licences, "assets", lambda: [("planted", "LGPL-3.0-only")])
    (problem,) = licences.problems()
    assert problem.startswith("planted (page): ")


def test_a_page_that_is_wrong_would_be_found():
    text = licences.PAGE.read_text()
    wrong = text.replace("| fastapi | API | MIT |", "| fastapi | API | ISC |")
    assert wrong != text == licences.page(wrong)
