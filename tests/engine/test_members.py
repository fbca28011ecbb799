"""Which members of an archive a job takes."""

import fnmatch
import random
import re

import pytest

from mediamill.core.errors import InvalidInput
from mediamill.engine.gathering.members import MAX_STARRED, check_patterns, selection
from mediamill.engine.gathering.patterns import matcher


@pytest.mark.parametrize(
    ("patterns", "path", "taken"),
    [
        (["train/*.jpg"], "train/deep/cat.jpg", True),
        (["train/*.jpg"], "test/cat.jpg", False),
        (["cat [1].jpg"], "cat [1].jpg", True),  # it is called so: picked, not described
        (["cat [1].jpg"], "cat 1.jpg", True),
        (["cat.jpg"], "a cat.jpg", False),
        (["cat.jpg", "*.png"], "dog.png", True),
        (["frames.jsonl"], "frames.jsonl", False),
    ],
)
def test_by_patterns_and_by_names(patterns, path, taken):
    assert selection(patterns, lambda _: True)(path) is taken


def test_who_was_picked_by_name_brings_nobody_else():
    known = {"cat [1].jpg", "cat 1.jpg", "cat 2.jpg"}
    chosen = selection(["cat [1].jpg", "cat [2].jpg"], lambda _: True, known)
    assert [path for path in sorted(known) if chosen(path)] == ["cat 2.jpg", "cat [1].jpg"]


def test_patterns_match_as_in_a_shell():
    draw = random.Random(11)
    for _ in range(3000):
        pattern = "".join(draw.choices("ab*?[]!-", k=draw.randint(1, 8)))
        path = "".join(draw.choices("ab[]!-*\n", k=draw.randint(0, 8)))
        wanted = re.match(fnmatch.translate(pattern), path) is not None
        assert matcher([pattern])(path) is wanted, (pattern, path)


def test_few_patterns_are_looked_for_all_along_each_name():
    """Names that were picked one by one are many; they cost no more than one."""
    check_patterns([f"{n}.jpg" for n in range(500 - MAX_STARRED)] + ["*.png"] * MAX_STARRED)
    with pytest.raises(InvalidInput, match="20 patterns"):
        check_patterns(["*.png"] * (MAX_STARRED + 1))
