"""While a server is away a queue waits, is not stirred, and goes out soon once it is back."""

import heapq
from itertools import pairwise

import pytest

from mediamill.engine.pausing import Pause


class Hand:
    """A clock that the test moves."""

    now = 1_000.0

    def __call__(self):
        return self.now


def simulated(mails, away):
    """Let mails wait for a server that is away for some seconds; return how they came and went.

    Each comes back when it was told; a trial takes 20 s, and who failed comes after 60 s.
    """
    clock = Hand()
    pause, begun, visits, trials, sent = Pause(clock=clock), clock.now, 0, [], []
    due = [(clock.now, number, "waits", 0.0) for number in range(mails)]
    heapq.heapify(due)
    while due:
        clock.now, number, what, tried = heapq.heappop(due)
        there = clock.now >= begun + away
        if what == "tries":
            if there:
                pause.end()
                sent.append(clock.now - begun - away)
            else:
                pause.begin("away", tried)
                heapq.heappush(due, (clock.now + 60, number, "waits", 0.0))
            continue
        visits += 1
        if wait := pause.book():
            heapq.heappush(due, (clock.now + wait / 1000, number, "waits", 0.0))
            continue
        tried = pause.enter()
        trials += [] if there else [clock.now]
        heapq.heappush(due, (clock.now + (0.1 if there else 20), number, "tries", tried))
    return visits, trials, sent


def test_a_long_queue_is_not_stirred_and_goes_out_soon():
    visits, trials, sent = simulated(1_000, 3_600)
    assert len(sent) == 1_000
    assert max(sent) <= 330  # `most`, and the trial that was on
    assert visits <= 1_000 * (3_600 / 225 + 3)
    later = [moment for moment in trials if moment > trials[0]]
    assert all(following - moment >= 20 for moment, following in pairwise(later))


@pytest.mark.parametrize("mails", [1, 5, 20])
def test_a_short_queue_waits_no_longer_than_the_pause(mails):
    _, trials, sent = simulated(mails, 3_600)
    assert len(sent) == mails
    assert max(sent) <= 120 + 20 + 60 + mails
    assert len(set(trials)) >= 3_600 / 230


def test_several_that_fail_together_are_one_failure():
    clock = Hand()
    pause = Pause(clock=clock)
    tried = [pause.enter() for _ in range(4)]
    clock.now += 1
    for moment in tried:
        pause.begin("away", moment)
    assert pause.until - clock.now == pause.shortest
    clock.now = pause.until
    assert pause.book() == 0
    again = pause.enter()
    assert pause.book() > 0
    clock.now += 1
    pause.begin("away", again)
    assert pause.until - clock.now == 2 * pause.shortest


def test_a_long_queue_does_not_come_back_all_at_once():
    clock = Hand()
    pause = Pause(clock=clock)
    pause.begin("away", pause.enter())
    waits = sorted(pause.book() for _ in range(2_000))
    assert waits[-1] <= 300_100
    assert min(waits[place + 200] - waits[place] for place in range(1_800)) >= 5_000
