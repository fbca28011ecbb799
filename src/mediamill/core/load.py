"""How busy the machine is, or the container that has a limit: Linux's own numbers."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
"""Where a container sees its own group (cgroup v2)."""


@dataclass(frozen=True)
class Load:
    """What is used of a machine; sizes in bytes."""

    busy: float
    """Seconds that its processors have worked, all together, since it started."""
    cpus: float
    """Processors that the work is of: the machine's, or those of a container that has a limit."""
    total: int
    available: int


def read_load(proc: Path = PROC, group: Path = CGROUP) -> Load | None:
    """Return the load now; None where the system does not tell."""
    try:
        quota, period = _words(group / "cpu.max", "max 100000")
        limit = _words(group / "memory.max", "max")[0]
        memory = _table(proc / "meminfo")
        total, available = memory["MemTotal"] << 10, memory["MemAvailable"] << 10
        if limit != "max":
            used = int((group / "memory.current").read_text())
            cached = _table(group / "memory.stat").get("inactive_file", 0)  # goes when it must
            total = min(total, int(limit))
            available = max(0, min(available, total - used + cached))
        if quota == "max":  # the work of all, so the processors of all
            return Load(_worked(proc), float(os.cpu_count() or 1), total, available)
        cpus = float(len(os.sched_getaffinity(0)))
        busy = _table(group / "cpu.stat")["usage_usec"] / 1_000_000
        return Load(busy, min(cpus, int(quota) / int(period)), total, available)
    except (OSError, KeyError, ValueError, AttributeError):  # not Linux, or not all of it
        return None


def allowed_cpus(group: Path = CGROUP) -> int:
    """Return how many processors this process may keep busy.

    Those it runs on, or what a limit of its container comes to, rounded up. Such a limit is of
    time, so the kernel lists all processors nevertheless.
    """
    cpus = len(os.sched_getaffinity(0))
    try:
        quota, period = _words(group / "cpu.max", "max 100000")
        return cpus if quota == "max" else max(1, min(cpus, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # not Linux's second version of control groups
        return cpus


def _worked(proc: Path) -> float:
    """Sum what `/proc/stat` counts as work: not idle, not waiting for a disk, no guest twice."""
    first = (proc / "stat").read_text().partition("\n")[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, *rest = map(int, first[1:])
    stolen = sum(rest[:1])
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def _words(path: Path, missing: str) -> list[str]:
    """Read a file of one line; a group at the root has no limits, and no such file."""
    return (path.read_text() if path.exists() else missing).split()


def _table(path: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    lines = (line.replace(":", " ").split() for line in path.read_text().splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) > 1}
