"""A few at a time go through a gate; the others come back about when it is their turn."""

from mediamill.engine.gates import FIRST_GUESS, MOST_MS, REMEMBERED, Gates, enter_all


class Hand:
    """A clock that is moved by hand."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_so_many_go_in_and_the_next_when_one_has_left():
    gates = Gates(2, Hand())
    assert [gates.enter("a") for _ in range(2)] == [0, 0]
    assert gates.enter("a") > 0
    assert gates.enter("b") == 0, "another place"
    gates.leave("a", 0.1)
    assert gates.enter("a") == 0


def test_those_who_wait_come_one_after_the_other():
    gates, apart = Gates(2, Hand()), FIRST_GUESS * 1000 / 2
    for _ in range(2):
        gates.enter("a")
    assert [gates.enter("a") for _ in range(3)] == [apart, 2 * apart, 3 * apart]


def test_the_slower_it_is_the_later_they_come_but_never_too_late():
    clock = Hand()
    gates = Gates(1, clock)
    for _ in range(30):
        gates.enter("a")
        gates.leave("a", 15.0)
    gates.enter("a")
    assert 14_000 < gates.enter("a") <= 15_000
    assert max(gates.enter("a") for _ in range(100)) == MOST_MS


def test_a_visit_that_came_to_nothing_says_nothing_of_the_pace():
    gates = Gates(1, Hand())
    for seconds in (None, None):
        gates.enter("a")
        gates.leave("a", seconds)
    gates.enter("a")
    assert gates.enter("a") == FIRST_GUESS * 1000


def test_all_or_none():
    wide, narrow = Gates(3, Hand()), Gates(1, Hand())
    doors = [(wide, "owner"), (narrow, "hook")]
    assert enter_all(doors) == 0
    assert enter_all(doors) > 0
    for _ in range(2):
        assert wide.enter("owner") == 0, "it kept a place though it did not go in"
    assert wide.enter("owner") > 0


def test_places_that_nobody_is_at_are_forgotten():
    clock = Hand()
    gates = Gates(1, clock)
    gates.enter("inside")
    for n in range(3 * REMEMBERED):
        gates.enter(str(n))
        gates.enter(str(n))
        gates.leave(str(n), 0.1)
        clock.at += 1
    assert len(gates._doors) <= REMEMBERED
    assert gates.enter("inside") > 0
