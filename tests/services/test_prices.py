"""What a job's model calls are expected to cost, and what they may at most."""

import pytest

from mediamill.core.settings import Settings
from mediamill.engine.asking.models import Models
from mediamill.operations.prompt.operation import Prompt
from mediamill.operations.work import Expected, SourceFacts
from mediamill.services.jobs.prices import ENOUGH, Estimator
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.spending import Spent

CHAIN = [("p", "echo:m")]
SMALL = [Expected(10, SourceFacts("text/plain", 1_000))]
BEFORE = Spent(owner="u", month="2026-11", operation="prompt", provider="p", model="m")


@pytest.fixture
async def models(tmp_path):
    file = tmp_path / "providers.toml"
    file.write_text('[providers.p]\naddress = "echo:m"\nprice = {input = 1, output = 2}\n')
    made = Models.of(Settings(home=tmp_path, providers=str(file)), MemoryStore(), None)
    yield made
    await made.close()


@pytest.mark.parametrize("schema", [None, {"type": "object"}])
async def test_a_small_file_is_expected_to_be_one_small_call(models, schema):
    step = Prompt(prompt="Sum up.", output_schema=schema)
    found = await Estimator(models, ()).step(0, "prompt", step, CHAIN, SMALL, 1.0)
    assert found.calls == 10
    assert found.input_tokens < 10 * 600
    assert found.expected < 10 * 2_000, "micro-dollars: 600 in, 500 out at two each"
    assert found.at_most > 10 * found.expected


async def test_experience_is_of_calls_as_they_usually_are(models):
    step = Prompt(prompt="Sum up.")
    cost = 700
    before = spent(ENOUGH, cost)
    found = await Estimator(models, [before]).step(0, "prompt", step, CHAIN, SMALL, 0.5)
    assert (found.by_experience, found.expected) == (True, 5 * cost)
    dear = spent(ENOUGH, 10**9)
    bounded = await Estimator(models, [dear]).step(0, "prompt", step, CHAIN, SMALL, 1.0)
    assert cost * 10 < bounded.expected < bounded.at_most


def spent(calls, each):
    return BEFORE.evolve(calls=calls, cost=calls * each)
