"""Machines that are network namespaces: one bridge, an address each, links that can be cut.

Needs root and iproute2. Everything has a name of its own and is gone when the block ends.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from tests.support.services import unavailable

NETWORK = "198.18"
"""Addresses for tests of networks (RFC 2544): nobody's are hidden."""
_numbers = count()


def ip(*words: str, check: bool = True) -> None:
    """Run `ip`."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"ip {' '.join(words)}: {done.stderr}")


@dataclass(frozen=True)
class Machine:
    """A namespace on the bridge."""

    name: str
    link: str
    """The bridge's end of its wire."""

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command is preceded by to run there; its process id stays."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Take its wire off: nothing comes or goes, and nobody is told."""
        ip("link", "set", self.link, "down")

    def mend(self) -> None:
        """Put its wire on again."""
        ip("link", "set", self.link, "up")


@dataclass(frozen=True)
class Network:
    """A bridge, the address at which the host is on it, and the machines."""

    bridge: str
    address: str
    subnet: str
    machines: tuple[Machine, ...]


@contextmanager
def network(machines: int) -> Iterator[Network]:
    """Give machines on a bridge; skips, or fails where services are required."""
    if os.getuid() != 0 or shutil.which("ip") is None:
        unavailable("network namespaces need root and iproute2: apt install iproute2")
    number = next(_numbers)
    prefix = f"{NETWORK}.{(os.getpid() + number) % 256}"
    mark = f"mm{os.getpid() % 1_000_000}n{number % 1000}"
    made = Network(
        mark, f"{prefix}.1", f"{prefix}.0/24",
        tuple(Machine(f"{mark}-{n}", f"{mark}v{n}") for n in range(machines)),
    )  # fmt: skip
    try:
        _make(made, prefix)
        yield made
    finally:
        for machine in made.machines:
            ip("link", "del", machine.link, check=False)
            ip("netns", "del", machine.name, check=False)
        ip("link", "del", made.bridge, check=False)


def _make(made: Network, prefix: str) -> None:
    ip("link", "add", made.bridge, "type", "bridge")
    ip("addr", "add", f"{made.address}/24", "dev", made.bridge)
    ip("link", "set", made.bridge, "up")
    for place, machine in enumerate(made.machines):
        ip("netns", "add", machine.name)
        wire = ("link", "add", machine.link, "type", "veth", "peer", "name", "eth0")
        ip(*wire, "netns", machine.name)
        ip("link", "set", machine.link, "master", made.bridge, "up")
        ip("-n", machine.name, "addr", "add", f"{prefix}.{place + 2}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", machine.name, "link", "set", device, "up")
