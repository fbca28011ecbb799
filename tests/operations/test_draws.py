"""Draws depend on nothing but what they are for, and are even."""

import numpy as np

from mediamill.operations.draws import Draws


def test_the_same_for_the_same_and_no_other():
    def some(seed: int = 1, digest: str = "a", copy: int = 1) -> tuple[float, ...]:
        draws = Draws(seed, digest, copy)
        return tuple(draws.uniform(name, 0, 1) for name in ("x", "y", "x"))

    assert some() == some()
    assert len({*some(), *some(seed=2), *some(digest="b"), *some(copy=2)}) == 12


def test_other_draws_do_not_matter():
    one, other = Draws(1, "a"), Draws(1, "a")
    other.integer("before", 0, 9)
    assert one.uniform("x", 0, 1) == other.uniform("x", 0, 1)


def test_known_values_never_change():
    """What these are was made once; replaying an old result needs them."""
    draws = Draws(42, "ab" * 32, 3)
    found = (draws.uniform("rotate", -20, 20), draws.integer("left", 0, 99), draws.key("noise"))
    assert found == (-0.888067, 27, 0x5BD39E8CEDDC2DD304357BDB00814BEA)
    assert draws.drawn == {"rotate": -0.888067, "left": 27}


def test_they_are_even_and_reach_their_ends():
    draws = Draws(0, "a")
    floats = np.array([draws.uniform("x", 2, 4) for _ in range(4000)])
    assert floats.min() >= 2
    assert floats.max() <= 4
    counts = np.histogram(floats, 10, (2, 4))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 30  # chi squared, 9 degrees: 1 in 2,000
    steps = [draws.integer("n", 3, 9, 2) for _ in range(400)]
    assert {*steps} == {3, 5, 7, 9}
    assert 0.26 < sum(draws.chance("c", 0.3) for _ in range(2000)) / 2000 < 0.34
    assert {draws.chance("never", 0) for _ in range(50)} == {False}
    assert {draws.chance("always", 1) for _ in range(50)} == {True}


def test_orders_are_even():
    draws, seen = Draws(0, "a"), {}
    for _ in range(1200):
        order = tuple(draws.order("o", "abc"))
        seen[order] = seen.get(order, 0) + 1
    assert len(seen) == 6
    assert min(seen.values()) > 140
    assert str(draws.drawn["o"]) in {"123", "132", "213", "231", "312", "321"}
