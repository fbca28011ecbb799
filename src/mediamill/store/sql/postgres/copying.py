"""Copies of a PostgreSQL database by its own tools: pg_dump and pg_restore, which must be there.

A transaction keeps one moment of the database for pg_dump, and for whoever looks at the records
meanwhile. The user needs to read all tables; to restore, to make them in an empty database. What
the tools are told of a password is a file that only its owner reads, never their command line.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mediamill.core.errors import ConfigurationError, Unavailable
from mediamill.core.records import R
from mediamill.store.calls import walk_of
from mediamill.store.copying import Copy, require_room
from mediamill.store.port import MAX_PAGE
from mediamill.store.sql.migrate import BORN, VERSION
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.errors import translated, unopened
from mediamill.store.sql.statements import POSTGRES, statements_of

NAME, SERVICE = "mediamill backup", "mediamill"
UNBOUNDED = """SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"""
"""A copy takes as long as it takes."""
LOOK_SECONDS = 1.0
"""How often it is looked whether a dump leaves room for others."""
TOLD = 2_000
"""Characters of what a tool says that are passed on."""


class KeptRows:
    """The records as one transaction sees them (`Walks`)."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        self._connection = connection

    async def walk(
        self, kind: type[R], after: tuple[Any, ...] | None = None, limit: int = MAX_PAGE
    ) -> Sequence[R]:
        listing = walk_of(kind, after, limit)
        statement = statements_of(kind, POSTGRES).query(listing)
        try:
            cursor = await self._connection.execute(statement.sql.encode(), statement.values)
            return listing.records(await cursor.fetchall())
        except psycopg.Error as error:
            raise translated(error) from error


@asynccontextmanager
async def copied(url: str, folder: Path, spare: int) -> AsyncIterator[Copy]:
    """Dump the database of a URL into a folder; raises `Unavailable`."""
    said, target = Address.of(url).conninfo, folder / "mediamill.dump"
    connection = await _connected(said)
    try:
        await connection.execute(UNBOUNDED)
        name = await _one(connection, "SELECT pg_export_snapshot()")
        version, compatible = await _one(connection, VERSION)
        (born,) = await _one(connection, BORN)
        how = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={name[0]}"]
        dumping = asyncio.create_task(_run("pg_dump", said, *how, f"--file={target}"))
        await _watched(dumping, folder, spare)
        yield Copy(target, KeptRows(connection), int(version), int(compatible), int(born))
    finally:
        await connection.close()


async def require_there(url: str) -> None:
    """Do nothing: a database that is away says so when it is opened."""


async def born(url: str) -> int | None:
    """Return when the database of a URL was made (ms); None where it has no tables of ours."""
    connection = await _connected(Address.of(url).conninfo)
    async with connection:
        if (await _one(connection, "SELECT to_regclass('schema_version') IS NULL"))[0] is True:
            return None
        return int((await _one(connection, BORN))[0])


async def restored(url: str, copy: Path) -> None:
    """Put a dump into the database of a URL in one transaction."""
    said = Address.of(url).conninfo
    how = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    await _run("pg_restore", said, *how, str(copy))
    await asyncio.to_thread(copy.unlink)


async def _watched(dumping: "asyncio.Task[None]", folder: Path, spare: int) -> None:
    """Wait for a dump, whose size nobody knows before, and end it before the disk is full."""
    try:
        while not dumping.done():
            require_room(folder, 0, spare)
            await asyncio.wait([dumping], timeout=LOOK_SECONDS)
    finally:
        dumping.cancel()
        await asyncio.gather(dumping, return_exceptions=True)
    await dumping


async def _connected(conninfo: str) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    said = make_conninfo(conninfo, application_name=NAME)
    try:
        return await psycopg.AsyncConnection.connect(said, autocommit=True)
    except psycopg.Error as error:
        raise unopened(error) from error


async def _one(connection: psycopg.AsyncConnection[tuple[Any, ...]], query: str) -> tuple[Any, ...]:
    try:
        row = await (await connection.execute(query.encode())).fetchone()
    except psycopg.Error as error:
        raise translated(error) from error
    assert row is not None  # noqa: S101 - each of these queries gives one
    return row


async def _run(tool: str, conninfo: str, *arguments: str) -> None:
    """Run a tool of PostgreSQL; raises `ConfigurationError` where it is not, `Unavailable`."""
    program = shutil.which(tool)
    if program is None:
        raise ConfigurationError(
            f"{tool} is not installed here. Install PostgreSQL's client programs, of the server's "
            "version."
        )
    with TemporaryDirectory(prefix="mediamill-") as folder:
        address, within = _private(conninfo, Path(folder))
        process = await asyncio.create_subprocess_exec(
            *within, program, "--no-password", f"--dbname={address}", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            _, told = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    if process.returncode:
        raise Unavailable(f"{tool}: {told.decode(errors='replace').strip()[:TOLD]}")


def _private(conninfo: str, folder: Path) -> tuple[str, list[str]]:
    """Return an address without its passwords, and what is to run a tool so that it finds them.

    They go into files of a folder that only its owner reads: that of the user, and that of the key
    of a client's certificate, which libpq reads of a service only.
    """
    passfile, services, within = folder / "pass", folder / "services", list[str]()
    given = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    given.pop("options", None)  # limits of requests, which a dump does not keep
    password = given.pop("password", None)
    if password is not None:
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        passfile.touch(mode=0o600)
        passfile.write_text(f"*:*:*:*:{escaped}\n")
        given["passfile"] = str(passfile)
    if "sslpassword" in given and "service" not in given:
        services.touch(mode=0o600)
        services.write_text(f"[{SERVICE}]\nsslpassword={given.pop('sslpassword')}\n")
        given["service"] = SERVICE
        within = ["env", f"PGSERVICEFILE={services}"]
    return make_conninfo(**{**given, "application_name": NAME}), within
