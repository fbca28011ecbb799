"""Whom steps ask: one provider whose key is lost keeps nobody from the others."""

import pytest

from mediamill.core.errors import ConfigurationError, ProviderRefused, Unsealable
from mediamill.engine.asking.chains import Chains, Static
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put
from mediamill.store.repositories.providers import ProviderRow, ProviderRows


class Lost:
    """Opens what was sealed, unless that says that it is lost."""

    async def open(self, sealed: str, about: str) -> str:
        if sealed == "lost":
            raise Unsealable("The key that sealed this is gone.")
        return f"opened {sealed}"


@pytest.fixture
async def chains():
    store = MemoryStore()
    rows = [
        ProviderRow(name="bad", address="echo:a", secret="lost", created=0),
        ProviderRow(name="good", address="echo:b", secret="mine", created=0),
        ProviderRow(name="odd", address="echo:c", price={"input": "x"}, created=0),
    ]
    await store.transact(*map(Put, rows))
    yield Chains(ProviderRows(store), Lost(), Static(chains={"prompt": ("bad", "good")}))
    await store.close()


async def test_names_and_chains_are_known_without_a_key(chains):
    assert await chains.known() == ["bad", "good", "odd"]
    assert await chains.resolve("prompt") == [("bad", "echo:a"), ("good", "echo:b")]
    assert await chains.resolve("label", ["good"]) == [("good", "echo:b")]
    with pytest.raises(ProviderRefused, match=r"no provider called “x”\. Set up: bad, good, odd"):
        await chains.resolve("prompt", ["x"])


async def test_those_are_asked_that_can_be(chains):
    (one,) = await chains.of_job([("bad", "echo:a"), ("good", "echo:b"), ("gone", "echo:d")])
    assert (one.name, one.key) == ("good", "opened mine")
    with pytest.raises(Unsealable):
        await chains.of_job([("bad", "echo:a"), ("gone", "echo:d")])
    with pytest.raises(ConfigurationError, match="a price is made of numbers"):
        await chains.of_job([("odd", "echo:c")])
    assert await chains.of_job([("gone", "echo:d"), ("good", "echo:other")]) == []
