"""Every line that is logged has an action of one meaning, and stands in docs/reference/logs.md."""

from pathlib import Path

import pytest

from tests.docs.test_docs import reference

GOOD = 'log.info("file kept", action="file_kept", size=1)\n'


def mistakes(folder: Path) -> list[str]:
    """List what is wrong with the lines that modules log."""
    texts: dict[str, str] = {}
    found = []
    for line in reference.log_lines(folder):
        if not line.action:
            found.append(f"{line.where}:{line.number} has no action that is written out")
        elif texts.setdefault(line.action, line.text) != line.text:
            found.append(f"{line.where}:{line.number} says something else by {line.action}")
    return found


def test_every_line_has_an_action_that_means_one_thing():
    assert mistakes(reference.SOURCES) == []
    assert len({line.action for line in reference.log_lines()}) > 150


@pytest.mark.parametrize(
    "line",
    [
        'log.info("file gone", size=1)',
        'log.info("file gone", action=f"file_{what}")',
        'log.warning("file gone", action="file_kept")',
    ],
)
def test_one_that_is_wrong_is_found(line, tmp_path):
    """The planted fault."""
    (tmp_path / "a.py").write_text(GOOD)
    assert mistakes(tmp_path) == []
    (tmp_path / "b.py").write_text(f"{GOOD}{line}\n")
    assert len(mistakes(tmp_path)) == 1
