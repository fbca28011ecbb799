"""A real PostgreSQL server on 127.0.0.1, in a folder of its own, ended by process id."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from mediamill.store.opening import open_store
from tests.support.certificates import certificates
from tests.support.processes import free_port
from tests.support.services import unavailable

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
}


@dataclass
class PostgresServer:
    """A running server; each database that is made in it is empty."""

    programs: Path
    folder: Path
    port: int
    durable: bool = False
    """Whether a commit waits for the disk."""
    listens: str = ""
    """An address of ours that it listens on too, for whoever is on that network."""
    _template: str = ""
    """The database with all tables, once there is one."""
    settings: Mapping[str, str] = field(default_factory=dict)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def database(self, name: str) -> str:
        """Make a database; return its URL."""
        return self._make(name, "template0")

    def prepared(self, name: str) -> str:
        """Make a database that has its tables already; return its URL."""
        if not self._template:
            self._template = "prepared"
            url = self.database(self._template)
            with ThreadPoolExecutor(1) as aside:  # from whatever event loop
                aside.submit(asyncio.run, _prepare(url)).result()
        return self._make(name, self._template)

    def _make(self, name: str, template: str) -> str:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            how = f'TEMPLATE "{template}" STRATEGY FILE_COPY'
            connection.execute(f'CREATE DATABASE "{name}" {how}')
        return self.url(name)

    def control(self, *arguments: str) -> None:
        """Run pg_ctl, as the user who owns the data."""
        command = [self.programs / "pg_ctl", "-D", self.folder / "data", "-s", "-w", *arguments]
        subprocess.run(command, check=True, **_owner())

    def start(self) -> None:
        settings = SETTINGS | {"fsync": "on" if self.durable else "off"} | self.settings
        if self.listens:
            settings["listen_addresses"] += f",{self.listens}"
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = str(self.folder / "log")
        self.control("-l", log, "-o", f"-p {self.port} {options}", "start")


async def _prepare(url: str) -> None:
    store = await open_store(url)
    await store.close()


def _owner() -> dict[str, object]:
    """Return how a process is run as who may own a server: never as root."""
    if os.getuid() != 0:
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": [], "cwd": "/"}


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    place = shutil.which("initdb")
    if place is None:
        unavailable("PostgreSQL is not installed: apt install postgresql")
    return Path(place).resolve().parent


def _secured(folder: Path) -> dict[str, str]:
    """Make a certificate for a server; return what it has to be told."""
    made = certificates(folder / "tls")
    for path in (made.key.parent, made.key, made.certificate):
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(path, owner.pw_uid, owner.pw_gid)
    made.key.chmod(0o600)
    made.authority.rename(folder / "authority.pem")
    return {"ssl": "on", "ssl_cert_file": str(made.certificate), "ssl_key_file": str(made.key)}


@contextmanager
def postgres_server(
    durable: bool = False,
    listens: str = "",
    rules: str = "",
    settings: Mapping[str, str] | None = None,
    secure: bool = False,
) -> Iterator[PostgresServer]:
    """Run a server; skips, or fails where services are required.

    `rules` come first of those that say who gets in; a `secure` one has a certificate, of which
    `authority.pem` in its folder is the judge.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="mediamill-postgres-"))
    try:
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        settings = dict(settings or {}) | (_secured(folder) if secure else {})
        server = PostgresServer(programs, folder, free_port(), durable, listens, settings=settings)
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"]
        subprocess.run([*initdb, "-N"], check=True, stdout=subprocess.DEVNULL, **_owner())
        access = folder / "data" / "pg_hba.conf"
        last = f"host all all {listens}/24 trust\n" if listens else ""
        access.write_text(rules + access.read_text() + last)
        server.start()
        try:
            yield server
        finally:
            server.control("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
