"""Which partners an input gets: as many as there are, none of its own bytes, by bytes alone."""

import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mediamill.engine.partnering import Ring, drawn


def digest(value: int) -> str:
    return hashlib.sha256(str(value).encode()).hexdigest()


def ring_of(values: list[int]) -> Ring:
    ring = Ring()
    for item, value in enumerate(values):
        ring.add(digest(value), item)
    return ring.closed()


@given(
    st.lists(st.integers(0, 12), max_size=12), st.integers(0, 12), st.integers(1, 6), st.integers()
)
def test_as_many_as_are_wanted_and_there(values: list[int], own: int, wanted: int, seed: int):
    found = drawn(ring_of(values), seed, digest(own), wanted)
    others = [item for item, value in enumerate(values) if value != own]
    assert len(set(found)) == len(found) == min(wanted, len(others))
    assert set(found) <= set(others)


def test_the_order_of_inputs_changes_nothing():
    values = list(range(50))
    turned = values[::-1]
    for own in values:
        there = drawn(ring_of(values), 5, digest(own), 3)
        again = drawn(ring_of(turned), 5, digest(own), 3)
        assert [values[item] for item in there] == [turned[item] for item in again]


def test_a_small_change_of_the_set_changes_few_choices():
    values = list(range(1_000))
    before, after = ring_of(values), ring_of(values[10:])
    changed = [
        own
        for own in values[10:]
        if [values[one] for one in drawn(before, 1, digest(own), 1)]
        != [values[10:][one] for one in drawn(after, 1, digest(own), 1)]
    ]
    assert len(changed) < 40


def test_no_input_is_everyones_partner():
    ring = ring_of(list(range(1_000)))
    often = Counter(one for own in range(1_000) for one in drawn(ring, 3, digest(own), 1))
    assert often.most_common(1)[0][1] < 20
