"""Where the tests run: `--store postgresql --blobs s3` gives each test its own database and folder.

A test that is marked `places` runs in each of the places named, or where the options say; one that
is marked `embedded` is about SQLite or about files, and says so: the options leave it out.
"""

import gc
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from pwdlib import PasswordHash
from structlog.dev import ConsoleRenderer, plain_traceback

from mediamill.engine.slots import process
from mediamill.store.sql.sqlite import store as sqlite_store
from tests import media_factory
from tests.support import authorities, migrated, nursery
from tests.support.cheap import cheap
from tests.support.kafka import Kafka, kafka_server
from tests.support.lead import Lead
from tests.support.places import BLOBS, EMBEDDED, STORES, Place, Servers

MARKS = (
    "places(*places): runs in each of these places, unless the options name one",
    "embedded(reason): is about SQLite or a folder, so it runs nowhere else",
)

LONG = ("security", "faults", "browser", "handlers", "cli", "client")
"""Folders of tests that take long, each for itself."""

FORKED = ("annotations", "cli", "client", "handlers", "services", "web")
"""Folders whose tests are about what comes out of slots, not how those start or end."""


LEAD = pytest.StashKey[Lead]()
"""Who starts servers for the processes of a run that are several."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=STORES, default=EMBEDDED.store)
    parser.addoption("--blobs", choices=BLOBS, default=EMBEDDED.blobs)


def pytest_configure(config: pytest.Config) -> None:
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    authorities.read_once()
    if config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput"):
        config.stash[LEAD] = Lead()


def pytest_unconfigure(config: pytest.Config) -> None:
    if (lead := config.stash.get(LEAD, None)) is not None:
        lead.end()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process that is to run tests who leads."""
    node.workerinput["lead"] = node.config.stash[LEAD].address


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if (mark := metafunc.definition.get_closest_marker("places")) is not None:
        here = chosen(metafunc.config)
        places = mark.args if here == EMBEDDED else [here]
        metafunc.parametrize("place", places, indirect=True, ids=str)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    if chosen(config) == EMBEDDED:
        return
    here = chosen(config).store
    strange = [item for item in items if not _runs_in(item, here)]
    config.hook.pytest_deselected(items=strange)
    items[:] = [item for item in items if item not in strange]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is imported for all tests out of all collections of garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Collect what a test leaves: what it left open is told of right behind it, not somewhere.

    What is still there then is left out of all later collections: it only grows. A broker that the
    next test does not need ends: with nothing to do it takes a sixtieth of a core.
    """
    broker = getattr(item, "funcargs", {}).get("kafka")
    if isinstance(broker, Kafka) and "kafka" not in getattr(nextitem, "fixturenames", ()):
        broker.daemon.kill()
    gc.collect()
    gc.freeze()


def _turn(item: pytest.Item) -> int:
    """Return when a test's folder has its turn: nobody is to wait for a long test at the end.

    Before them come those of servers that take longest to start: what is together at the beginning
    is taken by one process, and what comes later by all.
    """
    folder, fixtures = _folder(item.path), getattr(item, "fixturenames", ())
    if item.path.name == "test_amqp.py" or ("kafka" in fixtures and folder != "services"):
        return -1
    return LONG.index(folder) if folder in LONG else len(LONG)


def _folder(path: Path) -> str:
    """Return the folder of `tests` that a file lies in."""
    return path.relative_to(Path(__file__).parent).parts[0]


def _runs_in(item: pytest.Item, store: str) -> bool:
    """Tell whether a test runs where the options say: it names no place, or has one there."""
    if item.get_closest_marker("embedded") is not None:
        return False
    if (mark := item.get_closest_marker("places")) is not None:
        return store in {place.store for place in mark.args}
    given = getattr(item, "callspec", None)
    return given is None or given.params.get("place", Place(store)).store == store


def chosen(config: pytest.Config) -> Place:
    """Return the place that the options name."""
    return Place(config.getoption("store"), config.getoption("blobs"))


@pytest.fixture(scope="session")
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    """The servers of the session, each started when it is first asked for."""
    lead = getattr(request.config, "workerinput", {}).get("lead")
    with ExitStack() as stack:
        yield Servers(tmp_path_factory.mktemp("servers"), stack, lead)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """The Kafka broker of the session, which runs while tests need it."""
    with kafka_server(tmp_path_factory.mktemp("kafka")) as made:
        yield made


@pytest.fixture
def kafka(broker: Kafka) -> Kafka:
    """The Kafka broker of the session, running."""
    if not broker.daemon.runs:
        broker.daemon.start()
    return broker


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """An OpenID Connect issuer that knows the service at `mill.test`; tests leave it as it was."""
    from tests.support.issuers import provider  # few tests need the libraries that it needs

    with provider(tmp_path_factory.mktemp("issuer"), "http://mill.test/auth/oidc/callback") as one:
        yield one


@pytest.fixture(autouse=True)
def place(
    request: pytest.FixtureRequest, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Let all settings that are made in a test name a fresh place of the kind it runs in."""
    place: Place = getattr(request, "param", chosen(request.config))
    for name, value in servers.environment(place).items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture(autouse=True)
def sources_are_closed() -> Iterator[None]:
    """Close what a test has opened by `media_factory.source`: they are thousands in all."""
    yield
    while media_factory.opened:
        os.close(media_factory.opened.pop())


@pytest.fixture(scope="session", autouse=True)
def loggers_follow_what_is_configured() -> Iterator[None]:
    """Let no logger keep how it was first used: what another test configured cannot be captured."""
    configure = structlog.configure

    def unkept(**given: Any) -> None:
        configure(**{**given, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", unkept)
        # with the local variables of all its frames a traceback takes a second of processor time
        patch.setattr(ConsoleRenderer.get_active(), "exception_formatter", plain_traceback)
        yield


@pytest.fixture(autouse=True)
def logging_is_put_back() -> Iterator[None]:
    """Undo what a test has configured: the next would look for lines that go elsewhere."""
    top, configured = logging.getLogger(), structlog.get_config()
    handlers, level = top.handlers[:], top.level
    yield
    structlog.configure(**configured)
    top.handlers[:] = handlers
    top.setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def clips_made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep clips for all tests of the run, those of other processes too."""
    mine = tmp_path_factory.getbasetemp()
    folder = mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_factory, "kept", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hash passwords at the least cost: the real one would be a third of all that tests take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PasswordHash, "recommended", cheap)
        yield


@pytest.fixture(scope="session", autouse=True)
def files_migrated_once() -> Iterator[None]:
    """Copy SQLite files with all tables instead of migrating each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_store, "prepare", migrated.prepared)
        yield


@pytest.fixture(scope="module", autouse=True)
def slots_are_forked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fork the slots of this process: their imports took longer than what most tests do in them."""
    if _folder(request.path) not in FORKED:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "subprocess", nursery.slots_of(nursery.nursery))
        yield


@pytest.fixture(scope="session")
def session_place(request: pytest.FixtureRequest, servers: Servers) -> dict[str, str]:
    """The environment of a service that serves the whole session."""
    return servers.environment(chosen(request.config))
