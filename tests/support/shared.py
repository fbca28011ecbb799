"""A folder that each process sees through a network file system of its own: sshfs over SFTP.

Each mount has its caches of names, absences and attributes, which is what tells a network file
system from a folder: what one writes, another may not see for a while. The kernel that tests run
on has no NFS; the server here is OpenSSH's, without ssh.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.services import unavailable

SERVER = "/usr/lib/openssh/sftp-server"
CACHED_SECONDS = 5
"""How long a mount believes what it knows of names and attributes: as NFS does, 3 to 60 s."""
CACHES = ("dcache", "entry", "negative", "attr")
OPTIONS = ("passive", *(f"{cache}_timeout={CACHED_SECONDS}" for cache in CACHES))


class Mount:
    """A mount of a folder at a place; both processes that make it are ours."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder, self.place, self.log = folder, place, place.with_suffix(".log")
        self._processes: list[subprocess.Popen[bytes]] = []

    def up(self) -> None:
        """Mount it, again if it broke."""
        if self._processes:
            self.down()
        self.place.mkdir(exist_ok=True)
        ours, theirs = socket.socketpair()
        server = subprocess.Popen([SERVER], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
        command = ["sshfs", "-f", "-o", ",".join(OPTIONS), f"server:{self.folder}", self.place]
        with self.log.open("wb") as log:
            client = subprocess.Popen(command, stdin=ours, stdout=ours, stderr=log)
        self._processes = [client, server]
        ours.close()
        theirs.close()
        until = time.monotonic() + 20
        while not self.place.is_mount():
            if client.poll() is not None or time.monotonic() > until:
                self.down()
                unavailable(f"sshfs mounts nothing here: {self.log.read_text()}")
            time.sleep(0.02)

    def cut(self) -> None:
        """Let it break: whatever is asked of it fails, until it is up again."""
        for process in self._processes:
            process.kill()
            process.wait()

    def down(self) -> None:
        """Take it away: what is left is an empty folder."""
        self.cut()
        subprocess.run(["umount", "-l", self.place], check=False, stderr=subprocess.DEVNULL)


@contextmanager
def mounts(folder: Path, count: int) -> Iterator[list[Mount]]:
    """Give so many mounts of one new folder; skips, or fails where services are required."""
    if not shutil.which("sshfs") or not Path(SERVER).exists():
        unavailable("sshfs is missing: apt install sshfs openssh-sftp-server")
    shared = folder / "shared"
    shared.mkdir()
    made = [Mount(shared, folder / f"mount-{n}") for n in range(count)]
    try:
        for mount in made:
            mount.up()
        yield made
    finally:
        for mount in made:
            mount.down()
