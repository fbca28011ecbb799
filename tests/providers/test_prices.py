"""Prices and bounds; the figures beside come from the vendors' pages that `prices.toml` names."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.port import Image, Kind, Question, Text, Traits, Used
from mediamill.adapters.providers.prices import FREE, Price, Prices, worst
from mediamill.core.errors import ConfigurationError
from tests.support.providers.questions import SCHEMA

PRICES = Prices.load()
TRAITS = Traits(frozenset(Kind))
PROFILE = "bedrock:arn:aws:bedrock:us-east-1:123456789012:inference-profile"


def test_what_a_call_costs():
    lite = "bedrock:amazon.nova-lite-v1:0"
    assert PRICES.cost(lite, "", Used(1_000_000, 1_000_000)) == 300_000
    assert PRICES.cost(lite, "", Used(1, 0)) == 1, "never less than it is"
    assert PRICES.cost("rekognition:", "", Used(images=1)) == 1000
    assert PRICES.cost("local:vit-gpt2", "", Used(5000, 5000, 1, 1, 9.5)) == 0
    assert PRICES.cost("bedrock:nobody.knows", "", Used(1, 1)) is None
    assert PRICES.cost("bedrock:mine", "amazon.nova-lite-v1:0", Used(100, 0)) == 6
    assert PRICES.find(lite).cost(Used(1_000_000), batch=True) == 30_000


@pytest.mark.parametrize(
    ("address", "dollars"),
    [
        ("bedrock:eu.amazon.nova-lite-v1:0?region=eu-west-1", "0.06"),
        ("bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0", "1.1"),
        ("bedrock:global.anthropic.claude-haiku-4-5-20251001-v1:0", "1"),
        (f"{PROFILE}/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("openai:gpt-4o", "2.5"),
        ("openai:gpt-4o-mini", "0.15"),
        ("openai:gpt-4o-mini-2024-07-18", "0.15"),
        ("openai:gpt-5-nano-2025-08-07", "0.05"),
    ],
)  # fmt: skip
def test_addresses_find_their_price(address, dollars):
    assert PRICES.find(address).input == Decimal(dollars)


def test_a_users_file_takes_precedence(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(
        '["bedrock:amazon.nova-lite*"]\ninput = 0.05\npictures = "nova"\n'
        '["house"]\nsecond = 0.0005\n["openai:llama*"]\n'
    )
    prices = Prices.load(file)
    assert prices.find("bedrock:amazon.nova-lite-v1:0").input == Decimal("0.05")
    assert prices.find("bedrock:amazon.nova-micro-v1:0").input == Decimal("0.035")
    house = Configured("house", "sagemaker:blip", timeout=30)
    assert prices.of(house).cost(Used(seconds=2.5)) == 1250
    assert prices.of(Configured("x", "openai:llama3", base_url="http://127.0.0.1:1/v1")) == FREE
    assert prices.of(Configured("x", "openai:o9", price=FREE)) == FREE


def test_another_server_does_not_have_the_vendors_price():
    assert PRICES.of(Configured.of("openai:gpt-4o")) is not None
    assert PRICES.of(Configured("x", "openai:gpt-4o", base_url="http://127.0.0.1:1/v1")) is None
    assert PRICES.of(Configured.of("openai:gpt-4o?base_url=http://127.0.0.1:1/v1")) is None


@pytest.mark.parametrize(
    "text",
    [
        "[a", '["x:y"]\ninput = -1', '["x:y"]\ninput = "1"', '["x:y"]\ntokens = 1', "input = 1",
        '["x:y"]\npictures = "none"', '["x:y"]\ninput = true', '["x:y"]\ninput = nan',
        "[pictures.p]\npatch = 0", "pictures = 1", '["x:y"]\npictures = ["nova"]',
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(tmp_path, text):
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"p\.toml"):
        Prices.load(tmp_path / "p.toml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Prices.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("address", "size", "tokens"),
    [
        # platform.claude.com/docs/en/build-with-claude/vision: width * height / 750
        ("bedrock:anthropic.claude-3-haiku-20240307-v1:0", (200, 200), 54),
        ("bedrock:anthropic.claude-3-haiku-20240307-v1:0", (1000, 1000), 1334),
        ("bedrock:anthropic.claude-3-haiku-20240307-v1:0", (1092, 1092), 1590),
        # docs.aws.amazon.com/nova/latest/userguide/modalities-image.html
        ("bedrock:amazon.nova-lite-v1:0", (900, 450), 800),
        ("bedrock:amazon.nova-lite-v1:0", (900, 900), 1300),
        ("bedrock:amazon.nova-lite-v1:0", (1400, 900), 1800),
        ("bedrock:amazon.nova-lite-v1:0", (1800, 900), 2400),
        ("bedrock:amazon.nova-lite-v1:0", (1300, 1300), 2600),
        # platform.openai.com/docs/guides/images-vision: 1024 * 1024 and 2048 * 4096, high detail
        ("openai:gpt-4o", (1024, 1024), 765),
        ("openai:gpt-4o", (2048, 4096), 1105),
        ("openai:gpt-4o-mini", (1024, 1024), 25_501),
        ("openai:gpt-4.1-mini", (1024, 1024), 1024 * 1.62),
        ("openai:gpt-4.1-mini", (1800, 2400), 1452 * 1.62),
    ],
)
def test_pictures_have_no_more_tokens_than_the_bound(address, size, tokens):
    assert PRICES.find(address).pictures.tokens(*size) >= tokens


@given(
    st.lists(st.text(max_size=200), max_size=4), st.text(max_size=50), st.integers(1, 5000),
    st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), max_size=3),
)  # fmt: skip
def test_a_bound_is_never_exceeded(texts, instruction, most, sizes):
    """A byte is the least that a tokenizer makes a token of."""
    price = PRICES.find("bedrock:anthropic.claude-3-haiku-20240307-v1:0")
    parts = tuple(Text(text) for text in texts)
    parts += tuple(Image(b"", "image/png", *size) for size in sizes)
    question = Question(Kind.TEXT, parts, instruction, schema=SCHEMA, max_tokens=most)
    bound = worst(question, TRAITS, price)
    sent = sum(len(text.encode("utf-8", "surrogatepass")) for text in [*texts, instruction])
    real = Used(
        sent + sum(min(4784, width * height // 750 + 1) for width, height in sizes),
        min(most, TRAITS.output_tokens), len(sizes), 1, 59.9,
    )  # fmt: skip
    assert price.cost(real) <= price.cost(bound)


def test_a_price_counts_all_that_is_used():
    price = Price(image=Decimal("0.001"), call=Decimal("0.0001"), second=Decimal("0.1"))
    assert price.cost(Used(9, 9, 2, 1, 0.5)) == 2000 + 100 + 50_000
