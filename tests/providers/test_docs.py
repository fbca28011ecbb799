"""`docs/how-to/providers.md`: its addresses open, it knows every parameter, its own kind is one."""

import re
from pathlib import Path

import pytest

from mediamill.adapters.providers.address import TRAITS, Address
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.opening import PROVIDERS, open_provider
from mediamill.adapters.providers.port import Answer, Deadline, Kind, Provider, Traits
from mediamill.adapters.providers.prices import Prices
from tests.support.providers.questions import prompt

PAGE = (Path(__file__).parents[2] / "docs/how-to/providers.md").read_text("utf-8")
KINDS = [kind for kind in PROVIDERS.names() if kind != "local"]  # it has a page of its own
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ADDRESSES = sorted({
    address.strip(" '\"")
    for _, block in BLOCKS
    for line in block.splitlines()
    for address in re.findall(rf"(?:^|[='\" ])((?:{'|'.join(KINDS)}):[^',\"]*)", line)
    if not line.startswith("[")
})  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_that_are_shown_open(address, monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert isinstance(open_provider(address), Provider)


def test_enough_addresses_are_shown():
    assert {address.partition(":")[0] for address in ADDRESSES} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_on_the_page(kind):
    for option in PROVIDERS.get(kind).options | TRAITS:
        if option in UNTOLD:
            continue
        assert re.search(rf"`{option}[`=]|[&?]{option}=", PAGE), option


UNTOLD = {
    "multilingual", "continues",  # nobody needs to say these
    "batch_endpoint", "s3_endpoint",  # for tests
}  # fmt: skip


async def test_a_kind_of_ones_own_is_a_provider():
    source = next(block for language, block in BLOCKS if language == "python")
    names = {"Traits": Traits, "Kind": Kind, "Answer": Answer}
    exec(source, names)
    parrot = names["Parrot"].open(
        Configured.of("parrot:x"), Address.of("parrot:x?images=0", {}, names["Parrot"].options)
    )
    assert isinstance(parrot, Provider)
    assert (await parrot.ask(prompt(), Deadline(1))).text == "Some text."


def test_prices_that_are_shown_are_read(tmp_path):
    block = next(text for _, text in BLOCKS if text.startswith('["bedrock'))
    (tmp_path / "prices.toml").write_text(block)
    prices = Prices.load(tmp_path / "prices.toml")
    assert prices.find("openai:qwen2.5-vl").second > 0
