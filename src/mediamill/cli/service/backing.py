"""What `mediamill doctor` finds out about backups: nothing is written."""

import asyncio
import shutil
import time
from collections.abc import Iterator

from mediamill.blobs.opening import open_blobs
from mediamill.blobs.port import KeepsVersions
from mediamill.cli.service.checks import Check, Level
from mediamill.core.backups import every_ms, noted_backup
from mediamill.core.clock import rfc3339
from mediamill.core.errors import MediamillError
from mediamill.core.settings import Settings
from mediamill.store.copying import kind_of

LATE = 3
"""Backups that may be left out before it is said that there are none."""


def backups(settings: Settings) -> Iterator[Check]:
    """Say whether backups are made, and whether buckets keep what is deleted."""
    yield from _made(settings)
    for name in dict.fromkeys(("blobs", "results")):
        url = getattr(settings, f"{name}_url")
        if url.startswith("s3:") and not (name == "results" and url == settings.blobs_url):
            yield from asyncio.run(_versions(f"MEDIAMILL_{name.upper()}_URL", url))


def _made(settings: Settings) -> Iterator[Check]:
    if not settings.backup_url:
        yield from _none(settings)
        return
    try:
        kind = kind_of(settings.store_url)
    except MediamillError as error:
        yield Check("backup", Level.PROBLEM, error.message)
        return
    if kind == "postgresql" and shutil.which("pg_dump") is None:
        text = "pg_dump is not installed here, so nothing is backed up: install PostgreSQL’s client"
        yield Check("backup", Level.PROBLEM, text)
        return
    noted, now = noted_backup(settings.home), time.time_ns() // 1_000_000
    if noted is None:
        text = "none was made from here yet; a worker makes the first one a minute after it starts"
        yield Check("backup", Level.NOTE, text)
        return
    late = now - noted.begun > LATE * every_ms(settings.backup_every)
    lost = f"; {noted.lost:,} files were missing or damaged before it" if noted.lost else ""
    keys = "" if _sealed(settings) else "; without its keys: set MEDIAMILL_BACKUP_PASSPHRASE"
    text = f"the last one from here is of {rfc3339(noted.begun)}, at {noted.place}{lost}{keys}"
    yield Check("backup", Level.PROBLEM if late or lost else Level.OK, text)


def _none(settings: Settings) -> Iterator[Check]:
    """Say that nothing makes backups, where something could, and none is known of."""
    noted = noted_backup(settings.home)
    if settings.store_url.startswith(("sqlite:", "postgresql:")):
        last = f"; the last one was of {rfc3339(noted.begun)}" if noted else ""
        text = f"nothing makes backups by itself: set MEDIAMILL_BACKUP_URL{last}"
        yield Check("backup", Level.NOTE, text)


def _sealed(settings: Settings) -> bool:
    elsewhere = bool(settings.secret.get_secret_value()) and not settings.own_keyring
    return elsewhere or bool(settings.backup_passphrase.get_secret_value())


async def _versions(setting: str, url: str) -> Iterator[Check]:
    """Say whether a bucket keeps what is deleted or replaced."""
    try:
        blobs = await open_blobs(url, setting=setting)
    except MediamillError as error:
        return iter([Check("versions", Level.PROBLEM, error.message)])
    try:
        on = isinstance(blobs, KeepsVersions) and await blobs.keeps_versions()
    except MediamillError as error:
        return iter([Check("versions", Level.NOTE, f"{setting}: {error.message}")])
    finally:
        await blobs.close()
    if on:
        return iter([Check("versions", Level.OK, f"{setting}: the bucket keeps versions")])
    text = f"{setting}: the bucket keeps no versions, so what is deleted by mistake is gone"
    return iter([Check("versions", Level.NOTE, text)])
