"""The single checks of `mediamill doctor`."""

import asyncio
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import apsw
import httpx
from pydantic_settings import EnvSettingsSource

from mediamill import __version__
from mediamill.adapters.brokers.opening import probe_bell
from mediamill.adapters.events.opening import probe_events
from mediamill.adapters.identity.opening import probe_identity
from mediamill.adapters.stream.opening import NONE, probe_stream
from mediamill.cli.remote.client import on_loopback
from mediamill.cli.remote.trust import trusting
from mediamill.cli.service.backing import backups
from mediamill.cli.service.certifying import certificate_check
from mediamill.cli.service.checks import Check, Level
from mediamill.cli.service.exporting import analytics
from mediamill.cli.service.keeping import sealing, secrecy
from mediamill.cli.service.mailing import ask_mail
from mediamill.cli.service.providing import models
from mediamill.core.errors import ConfigurationError, MediamillError
from mediamill.core.load import allowed_cpus
from mediamill.core.settings import Settings
from mediamill.engine.slots import SlotLimits, SlotPool
from mediamill.services.stream.rules import read_rules
from mediamill.store.opening import probe_store

CLIENT_VARIABLES = {"mediamill_server", "mediamill_token", "mediamill_provider_key"}
"""Variables that are options of commands rather than settings."""
TEST_VARIABLES = {"mediamill_samples", "mediamill_hostile", "mediamill_require_services"}

SOUND_SQLITE = (3, 51, 3)
"""Earlier versions could damage a database while its write-ahead log was recovered."""
SLOW_FSYNC_MS = 50
LITTLE_ROOM = 5 << 30


def examine(settings: Settings, server: str | None, default_server: str) -> Iterator[Check]:
    """Check the machine, one thing after the other."""
    yield _python()
    yield _sqlite()
    yield from _home(settings)
    yield from _store(settings)
    yield from _codecs()
    yield from _sandbox(settings)
    yield from _broker(settings)
    yield from _mail(settings)
    yield from _events(settings)
    yield from _issuer(settings)
    yield from certificate_check(settings)
    yield from sealing(settings)
    yield from models(settings)
    yield from backups(settings)
    yield from analytics(settings)
    yield from _stream(settings)
    yield from _settings(settings)
    yield _server(server, default_server, settings.home)


def _python() -> Check:
    text = f"{platform.python_version()} ({sys.executable}), Mediamill {__version__}"
    return Check("python", Level.OK, f"{text}, {allowed_cpus()} cores")


def _sqlite() -> Check:
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < SOUND_SQLITE:
        wanted = ".".join(map(str, SOUND_SQLITE))
        text = f"{version} can damage a database on recovery; install apsw with {wanted} or later"
        return Check("sqlite", Level.PROBLEM, text)
    return Check("sqlite", Level.OK, f"{version} (through apsw)")


def _home(settings: Settings) -> Iterator[Check]:
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        milliseconds = _fsync_time(settings.home)
    except OSError as error:
        text = f"{settings.home} cannot be written: {error.strerror}; set MEDIAMILL_HOME"
        yield Check("home", Level.PROBLEM, text)
        return
    yield _room(settings)
    level = Level.OK if milliseconds < SLOW_FSYNC_MS else Level.NOTE
    slow = "" if level is Level.OK else "; a slow disk makes every acknowledgement slow"
    yield Check("fsync", level, f"{milliseconds:.1f} ms per durable write{slow}")


def _store(settings: Settings) -> Iterator[Check]:
    """Ask the store, where it is a server."""
    try:
        told = asyncio.run(probe_store(settings.store_url))
    except MediamillError as error:
        yield Check("store", Level.PROBLEM, error.message)
        return
    if told:
        yield Check("store", Level.OK, told)


def _broker(settings: Settings) -> Iterator[Check]:
    """Ask the broker, where it is a server; the service works without."""
    asking = probe_bell(settings.broker_url, settings.store_url)
    without = "Work is found without it, up to a look later"
    yield from _asked("broker", asking, without, secrecy(settings.broker_url))


def _asked(
    name: str, asking: Coroutine[Any, Any, str | None], without: str, more: str = ""
) -> Iterator[Check]:
    """Ask a server that the service can do without for a while; `without` says what is then."""
    try:
        told = asyncio.run(asking)
    except ConfigurationError as error:
        yield Check(name, Level.PROBLEM, error.message)
    except MediamillError as error:
        yield Check(name, Level.NOTE, f"{error.message} {without}")
    else:
        if told:
            yield Check(name, Level.OK, told + more)


def _mail(settings: Settings) -> Iterator[Check]:
    """Ask the mail server, where there is one."""
    if found := ask_mail(settings):
        good, text = found
        yield Check("mail", Level.OK if good else Level.PROBLEM, text)


def _stream(settings: Settings) -> Iterator[Check]:
    """Ask the brokers of the stream, where there is one, for the topics that the rules name."""
    if settings.stream_url == NONE and not settings.stream_topics:
        return
    try:
        rules = read_rules(settings.stream_topics)
        missing = asyncio.run(probe_stream(settings.stream_url, list(rules)))
    except ConfigurationError as error:
        yield Check("stream", Level.PROBLEM, error.message)
    except MediamillError as error:
        yield Check("stream", Level.NOTE, f"{error.message} It is waited for")
    else:
        if missing:
            yield Check("stream", Level.NOTE, f"connected; no topic yet: {', '.join(missing)}")
        else:
            yield Check("stream", Level.OK, f"connected; {len(rules)} topics are taken from")


def _fsync_time(folder: Path, times: int = 11) -> float:
    """Return the median time of a 4 kB write made durable, in milliseconds."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[times // 2]


def _room(settings: Settings) -> Check:
    free = shutil.disk_usage(settings.home).free
    text = f"{settings.home}: {free / 1e9:.1f} GB free"
    if free <= settings.min_free_bytes:
        kept = settings.min_free_bytes / 1e9
        text += f"; uploads are refused below {kept:.1f} GB (MEDIAMILL_MIN_FREE_BYTES)"
        return Check("disk", Level.PROBLEM, text)
    return Check("disk", Level.OK if free > LITTLE_ROOM else Level.NOTE, text)


def _codecs() -> Iterator[Check]:
    from mediamill.media.versions import versions

    try:
        found = versions()
    except ImportError as error:
        yield Check("codecs", Level.PROBLEM, f"{error}; install Mediamill's dependencies again")
        return
    text = ", ".join(f"{name} {version}" for name, version in found.items() if version)
    missing = [name for name, version in found.items() if not version]
    yield Check("codecs", Level.OK, text)
    if missing:
        text = f"without {', '.join(missing)}: install mediamill[heic] for HEIC pictures"
        yield Check("codecs", Level.NOTE, text)


def _sandbox(settings: Settings) -> Iterator[Check]:
    """Start a slot as the service does, and report what its kernel granted."""
    try:
        report = asyncio.run(_slot_report(settings))
    except Exception as error:  # whatever keeps a slot from starting is the finding
        yield Check("sandbox", Level.PROBLEM, f"no slot could be started: {error}")
        return
    granted = [name for name, state in report.items() if state is True]
    yield Check("sandbox", Level.OK, "granted: " + ", ".join(granted))
    for name, state in report.items():
        if state is not True:
            text = f"{name}: {state or 'not granted'}; hostile files meet one wall less"
            yield Check("sandbox", Level.NOTE, text)


async def _slot_report(settings: Settings) -> dict[str, bool | str]:
    with tempfile.TemporaryDirectory(prefix="mediamill-doctor-") as scratch:
        limits = SlotLimits(memory_bytes=settings.slot_memory_mb << 20)
        pool = SlotPool(1, limits, scratch=Path(scratch))
        try:
            await pool.warm()
            return dict(pool.protections())
        finally:
            await pool.close()


def _issuer(settings: Settings) -> Iterator[Check]:
    """Ask the issuer, where people sign in with one."""
    asking = probe_identity(settings.identity_url)
    yield from _asked("sign-in", asking, "Who is signed in already stays so")


def _events(settings: Settings) -> Iterator[Check]:
    """Ask the place where events go; they are kept and sent when it is back."""
    yield from _asked("events", probe_events(settings.events_url), "Events are kept for three days")


def _settings(settings: Settings) -> Iterator[Check]:
    known = {f"mediamill_{name}" for name in Settings.model_fields}
    known |= CLIENT_VARIABLES | TEST_VARIABLES
    given = {name for name in EnvSettingsSource(Settings).env_vars if name.startswith("mediamill_")}
    for name in sorted(given - known):
        text = f"{name.upper()} is set and means nothing; see docs/reference/settings.md"
        yield Check("settings", Level.PROBLEM, text)
    if settings.several and not settings.secret.get_secret_value():
        text = "MEDIAMILL_SECRET is not set: with several servers, set it to the same text on all"
        yield Check("settings", Level.NOTE, text)
    if not given - known:
        yield Check("settings", Level.OK, f"{len(given & known)} set in the environment")


def _server(server: str | None, default_server: str, home: Path) -> Check:
    """See whether a server answers; only one that was named has to."""
    address = server or default_server
    level = Level.PROBLEM if server else Level.NOTE
    try:
        url = f"{address.rstrip('/')}/health/ready"
        env, verify = not on_loopback(address), trusting(address, home)
        answer = httpx.get(url, timeout=5, trust_env=env, verify=verify)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Check("server", level, f"{address} does not answer ({error})")
    if answer.status_code != httpx.codes.OK:
        text = f"{address} is not ready: {answer.text[:300]}"
        return Check("server", Level.PROBLEM, text)
    if waiting := answer.json().get("for_workers"):
        text = f"{address} is ready; {waiting} units wait for a worker: too long for a function"
        return Check("server", Level.NOTE, text)
    return Check("server", Level.OK, f"{address} is ready")
