"""Where a test's service keeps things: a store and a place for bytes, fresh for each test.

The servers are started when they are first asked for, and serve a whole session.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support import authorities
from tests.support.buckets import BucketServer, bucket_server
from tests.support.lead import SHARED, server_of
from tests.support.postgres import PostgresServer, postgres_server

STORES = ("sqlite", "postgresql", "dynamodb")
BLOBS = ("file", "s3")
NAMES = ("MEDIAMILL_STORE_URL", "MEDIAMILL_BLOBS_URL")
"""The settings that say where: who starts a process with few variables keeps these."""
BUCKET = "tests"


@dataclass(frozen=True)
class Place:
    """Kinds of store and blobs; the first ones lie in the service's own home."""

    store: str = "sqlite"
    blobs: str = "file"

    def __str__(self) -> str:
        return f"{self.store}+{self.blobs}"


EMBEDDED = Place()
EVERYWHERE = (EMBEDDED, Place("postgresql", "s3"), Place("dynamodb", "s3"))
EACH_STORE = SQLITE, POSTGRESQL, DYNAMODB = [Place(store) for store in STORES]

everywhere = pytest.mark.places(*EVERYWHERE)
"""Marks the acceptance tests that run in all these places, always."""


def cases(
    names: str, short: Iterable[tuple[Any, ...]], long: Iterable[tuple[Any, ...]]
) -> pytest.MarkDecorator:
    """Run a test with a place and what `names` says: the short forms always, the long in soaks."""
    params = [pytest.param(*case, id=_id(case)) for case in short]
    params += [pytest.param(*case, id=_id(case), marks=pytest.mark.soak) for case in long]
    return pytest.mark.parametrize(("place", *names.split()), params, indirect=["place"])


def _id(case: tuple[Any, ...]) -> str:
    return "-".join(getattr(part, "__name__", str(part)) for part in case)


class Servers:
    """The servers of a session; whoever leads it beside others is at `lead`."""

    def __init__(self, folder: Path, stack: ExitStack, lead: str | None = None) -> None:
        self._folder, self._stack, self._numbers = folder, stack, count()
        self._lead = lead

    @cached_property
    def postgres(self) -> PostgresServer:
        return self._stack.enter_context(postgres_server())

    @cached_property
    def dynamodb(self) -> str:
        """The endpoint of DynamoDB Local, which takes its time: all processes share one."""
        if self._lead is not None:
            return str(server_of(self._lead, "dynamodb"))
        return str(self._stack.enter_context(SHARED["dynamodb"](self._folder)))

    @cached_property
    def buckets(self) -> BucketServer:
        server = self._stack.enter_context(bucket_server("ministack", self._folder))
        server.client().create_bucket(Bucket=BUCKET)
        return server

    def environment(self, place: Place) -> dict[str, str]:
        """Make a fresh store and fresh blobs; return the environment that names them."""
        name = f"test-{os.getpid()}-{next(self._numbers)}"
        given: dict[str, str] = {}
        if place.store == "postgresql":
            given["MEDIAMILL_STORE_URL"] = self.postgres.prepared(name)
        if place.store == "dynamodb":
            url = f"dynamodb://{name}?region=us-east-1&endpoint={self.dynamodb}&lag=0"
            given["MEDIAMILL_STORE_URL"] = url
        if place.blobs == "s3":
            given["MEDIAMILL_BLOBS_URL"] = self.buckets.url(f"{BUCKET}/{name}")
        if {place.store, place.blobs} & {"dynamodb", "s3"}:
            authorities.read_once_for_aws()
        if given:
            given |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return given


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out all settings but those that say where."""
    ours = {name for name in environment if name.startswith("MEDIAMILL_")} - {*NAMES}
    return {name: value for name, value in environment.items() if name not in ours}
