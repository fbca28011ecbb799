"""What calls cost: `prices.toml`, a file of the same form that users edit, and bounds.

Money is whole micro-dollars, rounded up for each call, so no sum is ever too small.
"""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from mediamill.adapters.providers.port import Question, Text, Traits, Used
from mediamill.core.errors import ConfigurationError

OVERHEAD_TOKENS, PART_TOKENS = 1500, 32
"""What is counted beside what was sent: roles and frames, and what tells of a tool or a schema."""
PROFILES = ("us.", "eu.", "apac.", "jp.", "au.", "ca.", "us-gov.", "global.")
"""How names of inference profiles begin that are not of one region."""
OWN = frozenset({"openai", "huggingface"})
"""Kinds that one may serve oneself, where the vendor's price says nothing."""


@dataclass(frozen=True)
class Pictures:
    """How the tokens of a picture are counted, at most: squares of `patch` pixels, and `least`."""

    patch: Decimal = Decimal(14)
    factor: Decimal = Decimal(1)
    least: Decimal = Decimal(1024)
    most: Decimal | None = None

    def tokens(self, width: int, height: int) -> int:
        """Return how many tokens a picture of so many pixels has at most."""
        squares = math.ceil(width / self.patch) * math.ceil(height / self.patch)
        tokens = math.ceil(self.least + self.factor * squares)
        return tokens if self.most is None else min(tokens, math.ceil(self.most))


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens, per picture, call and second; `batch` is the factor of batches.

    Nothing said: it costs nothing.
    """

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)
    image: Decimal = Decimal(0)
    call: Decimal = Decimal(0)
    second: Decimal = Decimal(0)
    batch: Decimal = Decimal(1)
    pictures: Pictures = Pictures()

    def cost(self, used: Used, *, batch: bool = False) -> int:
        """Return micro-dollars, rounded up."""
        each = self.image * used.images + self.call * used.calls
        each += self.second * Decimal(str(used.seconds))
        sum_ = self.input * used.input_tokens + self.output * used.output_tokens + 1_000_000 * each
        return math.ceil(sum_ * self.batch if batch else sum_)


FREE = Price()


def worst(
    question: Question, traits: Traits, price: Price | None = None, seconds: float = 60.0
) -> Used:
    """Return what a call uses at most, whatever is answered.

    No tokenizer makes more tokens of a text than it has bytes in UTF-8. `seconds` are how long it
    may take.
    """
    pictures = price.pictures if price else Pictures()
    sent = [question.instruction, question.system, question.begun, question.begun]
    sent += [part.text for part in question.parts if isinstance(part, Text)]
    sent += [part.name for part in question.parts]
    if question.schema is not None:
        sent += [msgspec.json.encode(question.schema).decode()] * 2
    tokens = sum(len(text.encode("utf-8", "surrogatepass")) for text in sent)
    tokens += sum(pictures.tokens(image.width, image.height) for image in question.images)
    return Used(
        input_tokens=tokens + OVERHEAD_TOKENS + PART_TOKENS * len(question.parts),
        output_tokens=min(question.max_tokens, traits.output_tokens),
        images=len(question.images),
        seconds=seconds,
    )


class Prices:
    """Prices by the addresses of providers."""

    def __init__(self, own: Mapping[str, Price], known: Mapping[str, Price]) -> None:
        self._own, self._known = dict(own), dict(known)

    @classmethod
    def load(cls, path: Path | str | None = None) -> "Prices":
        """Read the known prices and one's own file; raises `ConfigurationError`."""
        known, pictures = _shipped()
        if path is None:
            return cls({}, known)
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigurationError(f"The prices in {path} cannot be read: {why}.") from None
        return cls(_read(text, str(path), pictures)[0], known)

    def find(self, address: str, *, served: bool = False) -> Price | None:
        """Return the price of what an address names, None where it is not known.

        `served` by oneself or by another than the vendor, only one's own file tells.
        """
        tables = [self._own] if served else [self._own, self._known]
        for table in tables:
            for name in _names(address):
                if name in table:
                    return table[name]
                fitting = [pattern for pattern in table if fnmatchcase(name, pattern)]
                if fitting:
                    return table[max(fitting, key=len)]
        return None

    def of(self, configured: Any) -> Price | None:
        """Return the price of a provider that is set up (`Configured`), None if not known."""
        if configured.price is not None:
            return configured.price  # type: ignore[no-any-return]  # config.py imports this module
        kind = configured.address.partition(":")[0]
        asked = configured.address.partition("?")[2]
        served = kind in OWN and bool(configured.base_url or "base_url=" in asked)
        by_name = Prices(self._own, {}).find(configured.name)
        return by_name or self.find(configured.address, served=served)

    def cost(self, name: str, model: str, used: Used) -> int | None:
        """Return what a call cost in micro-dollars, None where the price is not known.

        `name` is a provider's address; else its kind and `model` tell.
        """
        kind = name.partition(":")[0]
        price = self.find(name) or self.find(f"{kind}:{model}")
        return None if price is None else price.cost(used)


@cache
def _shipped() -> tuple[dict[str, Price], dict[str, Pictures]]:
    """Read the prices that come with the package, once."""
    text = files("mediamill.adapters.providers").joinpath("prices.toml").read_text("utf-8")
    return _read(text, "prices.toml", {})


def _names(address: str) -> Iterator[str]:
    """Return by which names a price is looked for: as it stands, then without a profile's area."""
    name = address.partition("?")[0]
    yield name
    kind, _, model = name.partition(":")
    model = model.rpartition("/")[2] if model.startswith("arn:") else model
    yield f"{kind}:{model}"
    for area in PROFILES:
        if kind == "bedrock" and model.startswith(area):
            yield f"{kind}:{model.removeprefix(area)}"


def _read(
    text: str, place: str, pictures: Mapping[str, Pictures]
) -> tuple[dict[str, Price], dict[str, Pictures]]:
    try:
        tables: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError) as error:
        raise ConfigurationError(f"{place}: {error}.") from None
    found, counted = {}, dict(pictures)
    try:
        ways = tables.pop("pictures", {})
        if not isinstance(ways, dict):
            raise ValueError("[pictures.…] are tables")
        for name, given in ways.items():
            counted[name] = Pictures(**_numbers(f"pictures.{name}", given, Pictures))
        for name, given in tables.items():
            found[name] = _price(name, given, counted)
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}.") from None
    return found, counted


def _price(name: str, given: Any, pictures: Mapping[str, Pictures]) -> Price:
    rest = dict(given) if isinstance(given, dict) else given
    way = rest.pop("pictures", "any") if isinstance(rest, dict) else "any"
    if not isinstance(way, str) or way not in pictures:
        raise ValueError(f"[{name!r}] pictures is one of {', '.join(sorted(pictures))}")
    return Price(**_numbers(name, rest, Price), pictures=pictures[way])


def _numbers(name: str, given: Any, kind: type) -> dict[str, Decimal]:
    """Read numbers that are not negative; raises `ValueError` that names the entry."""
    known = {field.name for field in fields(kind)} - {"pictures"}
    if not isinstance(given, dict) or given.keys() - known:
        raise ValueError(f"[{name!r}] has {', '.join(sorted(known))}, and nothing else")
    found = {}
    for key, value in given.items():
        number = value if isinstance(value, int | Decimal) and not isinstance(value, bool) else -1
        if not Decimal(number).is_finite() or number < 0 or (key == "patch" and number < 1):
            raise ValueError(f"[{name!r}] {key} is a number, 0 or more")
        found[key] = Decimal(number)
    return found
