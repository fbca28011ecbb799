"""Ids in order, and reservations that do not meet."""

import pytest

from mediamill.core import ids
from mediamill.core.ids import Reservation, new_id, new_value


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time stand still, behind what this process has told already."""
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)


def test_ids_of_a_moment_are_in_order(still):
    made = [new_id("file") for _ in range(1000)]
    assert made == sorted(set(made))


def test_reservations_of_a_moment_do_not_meet(still):
    """They did: of two requests of a millisecond the second was refused by the first’s ids."""
    first, second = (Reservation(new_value(), attempt=1) for _ in range(2))
    mine = {first.take("file") for _ in range(100)}
    assert mine.isdisjoint(second.take("file") for _ in range(100))


def test_attempts_do_not_meet_either(still):
    value = new_value()
    attempts = [Reservation(value, attempt) for attempt in range(1, 20)]
    made = [attempt.take("file") for attempt in attempts for _ in range(50)]
    assert len(set(made)) == len(made)
