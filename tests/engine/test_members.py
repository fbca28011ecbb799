"""Which members of an archive a job takes."""

import pytest

from mediamill.engine.gathering.members import selection


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
