"""A strict S3 server on 127.0.0.1: Ceph's `radosgw` over one monitor and one OSD in memory.

Debian packages `radosgw`, `ceph-mon`, `ceph-osd`, `ceph-common`. It knows neither the checksum
headers of Amazon nor a conditional put that is atomic, and copies nothing that is encrypted.
"""

import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.buckets import BucketServer
from tests.support.processes import free_port, until_open
from tests.support.services import unavailable

PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd", "ceph")
KMS_KEY = "mill-key"
OPTIONS = "&checksum=when_required&encryption=none"

CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{monitor}
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {folder}
admin socket =
log file = {folder}/$name.log
log to stderr = false
mon cluster log file = {folder}/cluster.log
mon data = {folder}/mon
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
mon data avail warn = 1
paxos propose interval = 0.02
paxos min wait = 0.01
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
rgw num control oids = 1
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable usage log = false
rgw thread pool size = 32
rgw crypt require ssl = false
rgw crypt default encryption key = MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = {key}=ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=
"""


class Cluster:
    """The folder, the commands and the processes of a small Ceph."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.monitor, self.port = folder, free_port(), free_port()
        self.running: list[subprocess.Popen[bytes]] = []
        self._environment = {**os.environ, "CEPH_CONF": str(folder / "ceph.conf")}

    def start(self) -> None:
        """Start one after the other; each needs those before it."""
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        for name in ("mon", "osd"):
            (self.folder / name).mkdir()
        text = CONFIGURATION.format(
            fsid=fsid, monitor=self.monitor, folder=self.folder, key=KMS_KEY
        )
        (self.folder / "ceph.conf").write_text(text)
        self._keys()
        place = f"[v2:127.0.0.1:{self.monitor}]"
        monmap = str(self.folder / "monmap")
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", place, monmap)
        keyring = str(self.folder / "keyring")
        self.run("ceph-mon", "--mkfs", "-i", "a", "--keyring", keyring, "--monmap", monmap)
        self.serve("ceph-mon", "-i", "a", "-f")
        self.run("ceph", "osd", "new", osd, "0")
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.serve("ceph-osd", "-i", "0", "-f")
        secret = ("--access-key=test", "--secret-key=test")
        self.run("radosgw-admin", "user", "create", "--uid=test", "--display-name=test", *secret)
        listen = f"--rgw-frontends=beast endpoint=127.0.0.1:{self.port} tcp_nodelay=1"
        gateway = self.serve("radosgw", "-f", "-n", "client.admin", listen)
        until_open(gateway, self.port, self.folder / "radosgw.out")

    def _keys(self) -> None:
        everything = [x for part in ("mon", "osd", "mgr") for x in ("--cap", part, "allow *")]
        for n, name in enumerate(("mon.", "client.admin", "osd.0")):
            create = ("-C",) if not n else ()
            where = str(self.folder / "keyring")
            self.run("ceph-authtool", *create, where, "--gen-key", "-n", name, *everything)

    def run(self, *command: str) -> None:
        """Run a command to its end; raises with what it said."""
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")

    def serve(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start a process that runs until `end`."""
        with (self.folder / f"{command[0]}.out").open("wb") as log:
            process = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.running.append(process)
        return process

    def end(self) -> None:
        """End all processes; what they hold is in memory and forgotten."""
        for process in reversed(self.running):
            process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def rados_server(folder: Path) -> Iterator[BucketServer]:
    """Run `radosgw`; skips, or fails where services are required."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        unavailable(f"{', '.join(missing)} missing: apt install radosgw ceph-mon ceph-osd")
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield BucketServer("radosgw", cluster.port, options=OPTIONS)
    finally:
        cluster.end()
