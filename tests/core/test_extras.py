"""A backend whose library is missing says what to install."""

import sys

import pytest

from mediamill.adapters.brokers.opening import open_bell
from mediamill.blobs.opening import open_blobs
from mediamill.core.errors import ConfigurationError
from mediamill.core.extras import needing
from mediamill.store.opening import open_store


def lacking(monkeypatch: pytest.MonkeyPatch, library: str, *modules: str) -> None:
    """Let a library be missing for modules that are imported anew."""
    for name in [*sys.modules, library]:
        if name == library or name.startswith(f"{library}."):
            monkeypatch.setitem(sys.modules, name, None)
        elif name.startswith(modules):
            monkeypatch.delitem(sys.modules, name)


async def test_a_store_names_its_extra(monkeypatch):
    lacking(monkeypatch, "psycopg", "mediamill.store.sql.postgres")
    with pytest.raises(ConfigurationError, match=r"mediamill\[postgresql\]") as caught:
        await open_store("postgresql://127.0.0.1/mill")
    assert caught.value.details["setting"] == "MEDIAMILL_STORE_URL"


async def test_blobs_name_theirs_and_the_setting(monkeypatch):
    lacking(monkeypatch, "aiobotocore", "mediamill.blobs.s3")
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_RESULTS_URL.*mediamill\[s3\]"):
        await open_blobs("s3://bucket", setting="MEDIAMILL_RESULTS_URL")


def test_a_broker_names_its_extra(monkeypatch):
    lacking(monkeypatch, "psycopg", "mediamill.adapters.brokers.postgresql")
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_BROKER_URL.*\[postgresql\]"):
        open_bell("postgresql:", "postgresql://127.0.0.1/mill")


def test_a_module_of_ours_that_is_missing_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError), needing("x", "SETTING"):
        __import__("mediamill.nothing")
