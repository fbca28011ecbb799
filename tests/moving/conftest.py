"""One installation for all tests of a worker; each gets a copy of its home, or only reads it."""

import asyncio
import shutil
from dataclasses import replace

import pytest

from mediamill.core.settings import Settings
from mediamill.moving.meter import Meter
from mediamill.moving.move import Move, Outcome
from mediamill.moving.places import Places, Targets
from tests.moving.installation import Installation, made
from tests.support.places import Place


@pytest.fixture(scope="session")
def original(tmp_path_factory) -> Installation:
    return asyncio.run(made(tmp_path_factory.mktemp("original") / "home"))


@pytest.fixture
def found(original, tmp_path) -> Installation:
    home = tmp_path / "home"
    shutil.copytree(original.home, home)
    history = replace(original.history, uploads={**original.history.uploads},
                      jobs=[*original.history.jobs])  # fmt: skip
    return replace(original, home=home, history=history)


@pytest.fixture
def embedded(tmp_path) -> Targets:
    """Name a file and a folder to move to."""
    return Targets(f"sqlite:///{tmp_path}/new/mill.db", f"file://{tmp_path}/new/blobs")


@pytest.fixture
def elsewhere(servers, monkeypatch):
    """Make a fresh place of a kind; return it as a target."""

    def make(place: Place) -> Targets:
        environment = servers.environment(place)
        for name, value in environment.items():
            if name.startswith("AWS"):
                monkeypatch.setenv(name, value)
        names = ("MEDIAMILL_STORE_URL", "MEDIAMILL_BLOBS_URL")
        return Targets(*(environment.get(name, "") for name in names))

    return make


async def moved(settings: Settings, to: Targets) -> Outcome:
    async with Move.open(Places(settings, to)) as move:
        return await move.run(Meter())


async def verified(settings: Settings, to: Targets) -> Outcome:
    async with Move.open(Places(settings, to)) as move:
        return await move.verify(Meter())
