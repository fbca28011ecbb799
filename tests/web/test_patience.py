"""Whoever waits for an end is answered before those between here and there give up."""

import importlib
import inspect
import pkgutil
import time

from fastapi import APIRouter

from mediamill.web import api
from mediamill.web.gateway import LONGEST_SECONDS, MARGIN_SECONDS, NONE, Gateway


def waiting():
    """Yield the routes that take `wait`."""
    for module in pkgutil.iter_modules(api.__path__, f"{api.__name__}."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, APIRouter):
                yield from (
                    route.endpoint for route in one.routes
                    if "wait" in inspect.signature(route.endpoint).parameters
                )  # fmt: skip


def test_nobody_waits_for_as_long_as_proxies_do():
    """CloudFront gives up at 60 seconds, and then asks again: tests/infra compares."""
    assert LONGEST_SECONDS <= 55
    assert NONE.patience(60) == LONGEST_SECONDS
    assert NONE.patience(0.5) == 0.5
    soon = Gateway(until=time.monotonic() + 10)
    assert 7 < soon.patience(60) <= 10 - MARGIN_SECONDS
    assert Gateway(until=time.monotonic()).patience(60) == 0


def test_every_route_that_waits_asks_how_long_it_may():
    found = {one.__name__: inspect.getsource(one) for one in waiting()}
    assert len(found) >= 5
    assert [name for name, text in found.items() if ".patience(wait)" not in text] == []
