"""How busy the machine is, or the container that has a limit."""

import os

import pytest

from mediamill.core.load import allowed_cpus, read_load
from mediamill.core.settings import Settings
from mediamill.parts import cpu_slots

STAT = "cpu  100 20 30 5000 60 7 8 9 0 0\ncpu0 1 2 3\n"
MEMINFO = "MemTotal:       8000 kB\nMemFree: 1 kB\nMemAvailable:   5000 kB\n"


@pytest.fixture
def folders(tmp_path):
    for name in ("proc", "group"):
        (tmp_path / name).mkdir()
    (tmp_path / "proc/stat").write_text(STAT)
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    return tmp_path / "proc", tmp_path / "group"


def limit(group, cpu: str, memory: str) -> None:
    (group / "cpu.max").write_text(cpu)
    (group / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    (group / "memory.max").write_text(memory)
    (group / "memory.current").write_text("1000000")
    (group / "memory.stat").write_text("anon 1\ninactive_file 400000\n")


def test_a_machine_tells_what_all_on_it_use(folders, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    load = read_load(*folders)
    assert load.cpus == 8, "all of the work is not compared with the processors of one process"
    assert (load.total, load.available) == (8000 * 1024, 5000 * 1024)
    assert load.busy == pytest.approx((100 + 20 + 30 + 7 + 8 + 9) / 100)
    limit(folders[1], "max 100000", "max")
    assert read_load(*folders) == load, "a container without limits is the machine"


def test_a_container_with_limits_tells_what_it_uses_itself(folders):
    limit(folders[1], "50000 100000", "2000000")
    load = read_load(*folders)
    assert (load.busy, load.cpus) == (2.5, 0.5)
    assert (load.total, load.available) == (2_000_000, 1_400_000)


def test_work_is_counted_by_the_limit_of_a_container(folders, monkeypatch):
    _, group = folders
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(32)})
    assert allowed_cpus(group) == 32, "no such file: no limit"
    for limited, cpus in {"max 100000": 32, "400000 100000": 4, "250000 100000": 3, "9900000 1": 32,
                          "1000 100000": 1, "": 32, "words": 32}.items():  # fmt: skip
        (group / "cpu.max").write_text(limited)
        assert allowed_cpus(group) == cpus, limited
    (group / "cpu.max").write_text("400000 100000")
    monkeypatch.setattr(allowed_cpus, "__defaults__", (group,))
    assert cpu_slots(Settings()) == 4
    assert cpu_slots(Settings(slots=7)) == 7


def test_where_the_system_does_not_tell_there_is_none(tmp_path):
    assert read_load(tmp_path, tmp_path) is None
