"""Images built by buildah from their Dockerfile, and processes in their root, without an engine.

No registry is at hand: what the Dockerfile calls its base is made by mmdebstrap, of the same
release, from the mirror that this machine's apt has. Isolation is a changed root, so it works where
neither namespaces of users nor control groups can be made; it takes the rights of root.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.daemons import program
from tests.support.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
BASE = re.compile(r"^ARG BASE=(\S+/debian:(\w+)-(\d{8})-slim@sha256:[0-9a-f]{64})$", re.MULTILINE)
(CLIENT,) = {*re.findall(r"postgresql(?:-client-|/)(\d+)", DOCKERFILE.read_text())}
"""The version of PostgreSQL that the image has the client programs of."""
AUTHORITY = "/run/authority.pem"
"""Where the builder sees whom this machine trusts, if pip was told so."""


@dataclass(frozen=True)
class Builder:
    """Buildah with a store of its own, which is deleted afterwards."""

    folder: Path

    def run(self, *arguments: object) -> str:
        """Run one of its commands; return what it prints, fail with what it says."""
        places = ("--root", self.folder / "root", "--runroot", self.folder / "run")
        command = [program("buildah", "buildah"), *places, "--storage-driver", "vfs", *arguments]
        done = subprocess.run(
            [*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
        return done.stdout.strip()

    def base(self) -> str:
        """Make what the Dockerfile begins with, of the release that it names; return its name."""
        found = BASE.search(DOCKERFILE.read_text())
        assert found, "the base is pinned by the date of its tag and by its digest"
        archive = self.folder / "base.tar"
        command = [
            program("mmdebstrap", "mmdebstrap"), "--quiet", "--variant=minbase",
            found[2], archive, *mirror(),
        ]  # fmt: skip
        subprocess.run([*map(str, command)], check=True)
        container = self.run("from", "scratch")
        self.run("add", "--quiet", container, archive, "/")
        self.run("commit", "--quiet", container, "localhost/base")
        self.run("rm", container)
        archive.unlink()
        return "localhost/base"

    def build(self, name: str, **arguments: str) -> "Image":
        """Do the steps of the Dockerfile; give the image, with its root laid out in a folder."""
        conf = self.folder / "pip.conf"
        trusted = _pip_conf(conf)
        volumes = ("--volume", f"{trusted}:{AUTHORITY}:ro") if trusted else ()
        given = [
            word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")
        ]
        self.run(
            "bud", "--isolation", "chroot", "--format", "docker", "--network", "host",
            "--pull-never", "--quiet", *given, *volumes, "--secret", f"id=pip,src={conf}",
            "--ignorefile", f"{DOCKERFILE}.dockerignore", "--file", DOCKERFILE, "--tag", name, ROOT,
        )  # fmt: skip
        told = json.loads(self.run("inspect", "--type", "image", f"localhost/{name}"))
        container = self.run("from", "--pull-never", f"localhost/{name}")
        return Image(Path(self.run("mount", container)), told["Docker"]["config"], told)


@dataclass(frozen=True)
class Image:
    """An image: the folder that is its root, its configuration, all that is told of it."""

    root: Path
    config: dict[str, Any]
    told: dict[str, Any]

    @property
    def packages(self) -> Path:
        """Where libraries lie."""
        (found,) = self.root.glob("usr/local/lib/mediamill/lib/python3.*/site-packages")
        return found


@contextmanager
def builder() -> Iterator[Builder]:
    """Give a builder for the length of the block; skips, or fails where services are required."""
    if os.getuid() != 0:
        unavailable("an image is built by root here")
    program("buildah", "buildah")
    folder = Path(tempfile.mkdtemp(prefix="mediamill-image-"))
    made = Builder(folder)
    try:
        yield made
    finally:
        made.run("umount", "--all")
        made.run("rm", "--all")
        shutil.rmtree(folder, ignore_errors=True)


def mirror() -> list[str]:
    """Return the archive of Debian that apt knows here; without one mmdebstrap has its own."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(LABEL)|$(CODENAME)"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    rows = [line.split("|") for line in told.splitlines()]
    found = [uri for uri, label, name in rows if label == "Debian" and "-" not in name]
    return found[:1]


def _pip_conf(path: Path) -> str:
    """Write what pip is told here, but for folders of this machine; return whom it trusts."""
    told = subprocess.run(
        ["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    rows = re.findall(r"^(?:global|:env:)\.([a-z-]+)='(.*)'$", told, re.MULTILINE)
    wanted = {key: value for key, value in rows if not value.startswith("/") and key != "no-input"}
    trusted = dict(rows).get("cert", "")
    lines = [f"{key} = {value}" for key, value in wanted.items()]
    path.write_text("\n".join(["[global]", *lines, *([f"cert = {AUTHORITY}"] if trusted else [])]))
    return trusted


@dataclass
class Contained:
    """A process in an image's root as an engine starts it: nothing to be written but what is given.

    Its root is read-only, its home and `/tmp` are folders of the test's; it is who the image says,
    without any capability, and has the image's variables alone. The network is this machine's.
    """

    image: Image
    home: Path
    arguments: tuple[str, ...]
    port: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    role: str = "image"
    child: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> Path:
        return self.home.parent / f"{self.home.name}.log"

    def log(self) -> str:
        return self.output.read_text(errors="replace")

    def command(self, *inside: str) -> list[str]:
        """Return what runs a command in there."""
        user, _, group = self.image.config["User"].partition(":")
        root, place = self.image.root, self.image.config["WorkingDir"]
        (home,) = self.image.config["Volumes"]
        mounts = [
            f"mount --bind {root} {root}",
            f"mount -o remount,bind,ro {root}",
            f"mount --bind {self.home} {root}{home}",
            f"mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs {root}/tmp",
            f"mount -t proc proc {root}/proc",
            f"mount -t tmpfs -o mode=755 tmpfs {root}/dev",
            *(
                f"touch {root}/dev/{name} && mount --bind /dev/{name} {root}/dev/{name}"
                for name in ("null", "zero", "full", "random", "urandom")
            ),
        ]
        variables = [*self.image.config["Env"], *(f"{k}={v}" for k, v in self.variables.items())]
        last = [
            "exec", "chroot", str(root), "/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}",
            "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all",
            "env", "-i", "-C", place, *variables, *inside,
        ]  # fmt: skip
        script = " && ".join([*mounts, '"$@"'])
        # `exec` of the shell takes its words from "$@"
        return [
            "unshare",
            "--mount",
            "sh",
            "-c",
            script.replace('"$@"', 'exec "$@"'),
            "sh",
            *last[1:],
        ]

    def start(self) -> None:
        inside = [*self.image.config["Entrypoint"], *self.arguments]
        with self.output.open("ab") as output:
            self.child = subprocess.Popen(
                self.command(*inside), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def run(self, *inside: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside it."""
        return subprocess.run(
            self.command(*inside), capture_output=True, text=True, check=False, timeout=300
        )

    def end(self) -> int:
        """Send the image's signal to stop, and wait; returns the exit code."""
        assert self.child is not None
        if self.child.poll() is None:
            self.child.send_signal(getattr(signal, self.image.config["StopSignal"]))
        try:
            return self.child.wait(60)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise
