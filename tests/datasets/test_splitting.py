"""Splits: groups stay whole, ratios within the bound, the same whatever the order of rows."""

import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamill.datasets.splitting import Image, divide, merged

RATIOS = {"train": 0.8, "validation": 0.1, "test": 0.1}
images = st.lists(
    st.tuples(st.integers(0, 12), st.frozensets(st.sampled_from("abcde"), max_size=3)),
    min_size=1,
    max_size=120,
).map(
    lambda rows: [
        Image(f"file_{n:03}", f"g{group}", tuple(sorted(classes)))
        for n, (group, classes) in enumerate(rows)
    ]
)
ratios = (
    st.tuples(*[st.integers(0, 10)] * 3)
    .filter(any)
    .map(lambda n: dict(zip(("train", "validation", "test"), n, strict=True)))
)


def of_groups(rows, division):
    found = defaultdict(set)
    for row in rows:
        found[row.group].add(division.splits[row.key])
    return found


@settings(max_examples=60, deadline=None)
@given(images, ratios, st.integers(0, 3), st.booleans())
def test_groups_stay_whole_and_ratios_within_the_bound(rows, wanted, seed, stratify):
    division = divide(rows, wanted, seed, stratify=stratify)
    assert all(len(splits) == 1 for splits in of_groups(rows, division).values())
    largest = max(Counter(row.group for row in rows).values())
    whole, taking = sum(wanted.values()), sum(ratio > 0 for ratio in wanted.values())
    counts = Counter(division.splits.values())
    for split, ratio in wanted.items():
        off = abs(counts[split] - len(rows) * ratio / whole)
        assert off <= max(1, taking - 1) * (1 - 1 / taking) * largest + 1e-6
        assert off <= division.bound + 1e-6
        assert ratio or not counts[split]
    shuffled = random.Random(7).sample(rows, len(rows))
    assert divide(shuffled, wanted, seed, stratify=stratify).splits == division.splits


@settings(max_examples=30, deadline=None)
@given(images, images)
def test_what_is_placed_stays_and_its_group_joins_it(first, more):
    placed = divide(first, RATIOS, 1).splits
    kept = [Image(r.key, r.group, r.classes, placed[r.key]) for r in first]
    later = [Image(f"later_{r.key}", r.group, r.classes) for r in more]
    division = divide([*kept, *later], RATIOS, 2)
    assert all(division.splits[row.key] == row.split for row in kept)
    assert all(len(splits) == 1 for splits in of_groups([*kept, *later], division).values())


def test_classes_are_spread_as_wanted():
    """2,000 images of six classes that differ much in number, several in an image."""
    draw = random.Random(3)
    rows = [
        Image(f"f{n}", f"f{n}", tuple(c for c, p in zip("abcdef", SHARES, strict=True)
                                      if draw.random() < p))
        for n in range(2_000)
    ]  # fmt: skip
    division = divide(rows, RATIOS, 5)
    for name, counts in division.classes.items():
        total = sum(counts.values())
        for split, ratio in RATIOS.items():
            assert counts.get(split, 0) == pytest.approx(ratio * total, abs=3), name
    assert division.counts == {"train": 1600, "validation": 200, "test": 200}


SHARES = (0.5, 0.3, 0.1, 0.05, 0.02, 0.01)


def test_another_seed_is_another_split():
    rows = [Image(f"f{n}", f"f{n}") for n in range(100)]
    assert divide(rows, RATIOS, 1).splits != divide(rows, RATIOS, 2).splits
    assert divide(rows, RATIOS, 1, keep=False).splits == divide(rows, RATIOS, 1).splits


def test_labels_of_any_kind_join():
    keys = ["a", "b", "c", "d", "e"]
    found = merged(keys, {"a": "video", "b": "video"}, {"b": "same", "d": "same", "e": ""})
    assert found == {"a": "a", "b": "a", "c": "c", "d": "a", "e": "e"}


def test_classes_of_one_image_each_do_not_fill_one_split():
    """Each lacks most where most is wanted: the shares of the whole hold nevertheless."""
    rows = [Image(f"f{n}", f"f{n}", (f"class {n}",)) for n in range(100)]
    assert divide(rows, RATIOS, 1).counts == {"train": 80, "validation": 10, "test": 10}
