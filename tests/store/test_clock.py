"""The time of an SQLite file: one for all who have it open, whatever their clocks say."""

import asyncio
import os
import subprocess
import sys
import time

import pytest

from mediamill.store.opening import open_store
from mediamill.store.sql.sqlite.clock import SharedClock

QUARTER = 900


@pytest.fixture
def wall(monkeypatch):
    """Set the machine's clock: call it with the seconds that it is wrong."""
    right = time.time_ns

    def set_wrong(seconds):
        monkeypatch.setattr(time, "time_ns", lambda: right() + seconds * 10**9)

    return set_wrong


def near(clock, seconds=0):
    return abs(clock.now() - (time.clock_gettime_ns(time.CLOCK_REALTIME) // 10**6 + seconds * 1000))


def test_it_is_the_machines_time(tmp_path):
    clock = SharedClock(tmp_path / "a.db")
    assert near(clock) < 1000
    assert (tmp_path / "a.db-clock").stat().st_mode & 0o777 == 0o600
    clock.close()


@pytest.mark.parametrize("wrong", [QUARTER, -QUARTER])
def test_a_clock_that_is_set_changes_nothing(tmp_path, wall, wrong):
    clock = SharedClock(tmp_path / "a.db")
    wall(wrong)
    assert near(clock) < 1000
    later = SharedClock(tmp_path / "a.db")
    assert abs(later.now() - clock.now()) < 5
    clock.close()
    assert abs(SharedClock(tmp_path / "a.db").now() - later.now()) < 5
    later.close()


def test_once_nobody_has_it_open_the_time_is_set_anew(tmp_path, wall):
    SharedClock(tmp_path / "a.db").close()
    wall(QUARTER)
    clock = SharedClock(tmp_path / "a.db")
    assert near(clock, QUARTER) < 1000
    clock.close()


def test_what_an_earlier_start_of_the_machine_left_is_not_believed(tmp_path):
    (tmp_path / "a.db-clock").write_text("5 another start of it")
    clock = SharedClock(tmp_path / "a.db")
    assert near(clock) < 1000
    clock.close()


def test_what_another_machine_counts_is_not_believed(tmp_path):
    """Two that count time differently can share no time; each goes by its own clock then."""
    first = SharedClock(tmp_path / "a.db")
    (tmp_path / "a.db-clock").write_text("5 another machine")
    second = SharedClock(tmp_path / "a.db")
    assert near(second) < 1000
    first.close()
    second.close()


HOLD = """
import sys, time
from mediamill.store.sql.sqlite.clock import SharedClock
clock = SharedClock(sys.argv[1])
print(clock.now() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 10**6, flush=True)
sys.stdin.read()
"""


def test_processes_agree_and_a_killed_one_lets_go(tmp_path, wall):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "a.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        theirs = int(other.stdout.readline())
        wall(QUARTER)
        clock = SharedClock(tmp_path / "a.db")
        assert abs(clock.now() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 10**6 - theirs) < 5
        clock.close()
        other.kill()
    clock = SharedClock(tmp_path / "a.db")
    assert near(clock, QUARTER) < 1000
    clock.close()


async def test_a_store_lets_go_of_its_clock(tmp_path, wall):
    before = len(os.listdir("/proc/self/fd"))
    stores = [await open_store(f"sqlite:///{tmp_path}/a.db") for _ in range(3)]
    wall(QUARTER)
    times = await asyncio.gather(*(store.now() for store in stores))
    assert max(times) - min(times) < 1000
    assert abs(times[0] - time.clock_gettime_ns(time.CLOCK_REALTIME) // 10**6) < 10_000
    for store in stores:
        await store.close()
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # the loop's own may come late
