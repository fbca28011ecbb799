"""Addresses of providers: `kind:model?parameter=value&…`.

    bedrock:amazon.nova-lite-v1:0?region=eu-central-1
    openai:llama3.2-vision?base_url=http://127.0.0.1:11434/v1&images=1

What a provider can be asked is known by its kind and model where it is known at all; each of it may
be said in the address: `images=4&long_side=1024&schema=true`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from mediamill.adapters.providers.port import Kind, Traits
from mediamill.core.urls import options_of

FLAGS = frozenset({"schema", "continues", "multilingual", "instructed"})
NUMBERS = frozenset({"images", "long_side", "image_bytes", "input_bytes", "output_tokens"})
TRAITS = FLAGS | NUMBERS | {"kinds"}
if {field.name for field in fields(Traits)} != TRAITS:
    raise TypeError("an address has a parameter for each trait")


@dataclass(frozen=True)
class Address:
    """What an address says; an option is left out where it is not said."""

    kind: str
    model: str
    options: Mapping[str, str]

    @classmethod
    def of(cls, text: str, given: Mapping[str, str], known: frozenset[str]) -> "Address":
        """Read an address and options `given` beside it; raises `ValueError`."""
        name, _, query = text.partition("?")
        kind, colon, model = name.partition(":")
        if not colon:
            raise ValueError("a provider's address is kind:model, such as openai:gpt-4o-mini")
        options = options_of(query, known | TRAITS)
        if twice := options.keys() & {key for key, value in given.items() if value}:
            raise ValueError(f"{', '.join(sorted(twice))} is said twice")
        more = options_of("&".join(f"{key}=" for key in given), known | TRAITS)
        return cls(kind, model, options | {key: given[key] for key in more if given[key]})

    def need_model(self, example: str) -> None:
        """Raise `ValueError` for an address without a model."""
        if not self.model.strip():
            raise ValueError(f"name a model: {self.kind}:{example}")

    def traits(self, known: Traits) -> Traits:
        """Return what it can be asked: as is known, and as the address says."""
        found: dict[str, Any] = {
            key: self.number(key, 0, least=0) for key in NUMBERS & self.options.keys()
        }
        found |= {key: self.flag(key, default=False) for key in FLAGS & self.options.keys()}
        if said := self.options.get("kinds"):
            try:
                found["kinds"] = frozenset(Kind(kind) for kind in said.split(","))
            except ValueError:
                raise ValueError(f"kinds are {', '.join(Kind)}, with commas") from None
        return replace(known, **found)

    def number(self, key: str, default: int, least: int = 1) -> int:
        """Return a whole number; raises `ValueError`."""
        text = self.options.get(key, str(default))
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) >= least):
            raise ValueError(f"{key} is a whole number from {least}")
        return int(text)

    def seconds(self, key: str, default: float = 0.0) -> float:
        """Return seconds, up to an hour; raises `ValueError`."""
        text = self.options.get(key, str(default))
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 3600:
            raise ValueError(f"{key} is a number of seconds up to 3600")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return whether something is on; raises `ValueError`."""
        text = self.options.get(key, str(default).lower())
        if text not in ("true", "false"):
            raise ValueError(f"{key} is true or false")
        return text == "true"

    def choice(self, key: str, *known: str) -> str:
        """Return one of some words, the first where none is said; raises `ValueError`."""
        text = self.options.get(key, known[0])
        if text not in known:
            raise ValueError(f"{key} is {' or '.join(known)}")
        return text
