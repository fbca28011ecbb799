"""Whom operations ask: providers set up by administrators, in a file, or by their address alone.

The file is TOML:

    [chains]
    caption = ["fast", "local:vit-gpt2"]

    [providers.fast]
    address = "bedrock:amazon.nova-lite-v1:0"
    region = "eu-central-1"
    concurrency = 32

What an administrator set up on the page goes before the file, the file before the settings.
"""

import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import structlog

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.prices import Price
from mediamill.core.errors import (
    ConfigurationError,
    MediamillError,
    ProviderRefused,
    Unsealable,
)
from mediamill.core.sealing import Sealer, about
from mediamill.engine.asking.panel import Named
from mediamill.store.repositories.providers import ProviderRow, ProviderRows

log = structlog.get_logger(__name__)

FRESH_SECONDS = 2.0
"""For as long what was read is good."""
FIELDS = frozenset({
    "address", "base_url", "key", "region", "concurrency", "per_minute", "timeout", "price",
    "options",
})  # fmt: skip


@dataclass(frozen=True)
class Static:
    """What the settings and their file say."""

    providers: Mapping[str, Configured] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str, chains: Mapping[str, str]) -> "Static":
        """Read a file, none where `path` is empty, and chains of the settings.

        Raises `ConfigurationError`.
        """
        told: dict[str, Any] = {}
        if path:
            try:
                told = tomllib.loads(Path(path).read_text("utf-8"))
            except (OSError, ValueError) as error:
                raise ConfigurationError(f"MEDIAMILL_PROVIDERS: {path}: {error}.") from None
        found = {name: _provider(path, name, said) for name, said in _table(told, "providers")}
        listed = {name: _chain(path, name, said) for name, said in _table(told, "chains")}
        for operation, text in chains.items():
            names = tuple(name.strip() for name in text.split(",") if name.strip())
            if names:
                listed.setdefault(operation, names)
        return cls(found, listed)

    def find(self, name: str) -> Configured:
        """Return a provider of the file, or of a mere address; raises `ProviderRefused`."""
        if (known := self.providers.get(name)) is not None:
            return known
        if ":" not in name:
            raise ProviderRefused(f"There is no provider called “{name}”.", provider=name)
        stated = any(name in chain for chain in self.chains.values())
        return replace(Configured.of(name), from_settings=stated)


def _table(told: Mapping[str, Any], name: str) -> Sequence[tuple[str, Any]]:
    table = told.get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"MEDIAMILL_PROVIDERS: [{name}] is a table.")
    return [*table.items()]


def _chain(path: str, name: str, said: Any) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        raise ConfigurationError(f"{path}: the chain {name} is a list of names.")
    return tuple(said)


def _provider(path: str, name: str, said: Any) -> Configured:
    if not isinstance(said, dict) or not said.get("address") or said.keys() - FIELDS:
        known = ", ".join(sorted(FIELDS))
        raise ConfigurationError(f"{path}: provider {name} has an address, and may have {known}.")
    try:
        return replace(configured(name, said), from_settings=True)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: provider {name}: {error}.") from None


def configured(name: str, said: Mapping[str, Any]) -> Configured:
    """Make a provider of fields as files and pages give them; raises `ValueError`."""
    price = said.get("price")
    return Configured(**{**said, "name": name, "price": price and price_of(price)})


def price_of(said: Mapping[str, Any]) -> Price:
    """Read a price; raises `ValueError`."""
    try:
        numbers: dict[str, Any] = {key: Decimal(str(value)) for key, value in said.items()}
    except InvalidOperation:
        raise ValueError("a price is made of numbers") from None
    if any(not number.is_finite() or number < 0 for number in numbers.values()):
        raise ValueError("a price is 0 or more")
    unknown = numbers.keys() - {"input", "output", "image", "call", "second", "batch"}
    if unknown:
        raise ValueError(f"a price has no {', '.join(sorted(unknown))}")
    return Price(**numbers)


@dataclass
class Chains:
    """Finds providers by name, and the chain of an operation."""

    rows: ProviderRows
    sealer: Sealer
    static: Static
    _rows: dict[str, ProviderRow] = field(default_factory=dict)
    _chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _read: float = -FRESH_SECONDS
    _keys: dict[str, str] = field(default_factory=dict)
    """Keys by what they are sealed as, which no two share."""

    async def names(self, operation: str) -> tuple[str, ...]:
        """Return whom an operation asks: names or addresses; none where nobody is set up."""
        await self._refresh()
        return self._chains.get(operation) or self.static.chains.get(operation, ())

    async def known(self) -> list[str]:
        """Return the names of all providers that have been given one, in order; opens no key."""
        await self._refresh()
        return sorted({*self.static.providers, *self._rows})

    async def find(self, name: str) -> Configured:
        """Return a provider by its name or address.

        Raises `ProviderRefused` where there is none, `ConfigurationError` for a wrong one,
        `Unsealable` where its key cannot be opened.
        """
        await self._refresh()
        if (row := self._rows.get(name)) is not None:
            return await self._of_row(row)
        return self.static.find(name)

    async def resolve(self, operation: str, asked: Sequence[str] = ()) -> list[Named]:
        """Return the chain that a step asks: those that it names, else the operation's own.

        What is named must be set up: an address alone is not taken from callers. Raises
        `ProviderRefused`.
        """
        names = tuple(asked) or await self.names(operation)
        if asked:
            allowed = {*await self.known(), *await self.names(operation)}
            for name in asked:
                if name not in allowed:
                    said = ", ".join(sorted(allowed)) or "none"
                    message = f"There is no provider called “{name}”. Set up: {said}."
                    raise ProviderRefused(message, provider=name)
        return [self._named(name) for name in names]

    async def of_job(self, chain: Sequence[Named]) -> list[Configured]:
        """Return the providers of a job's step that are still set up as they were then.

        One that is set up wrongly, or whose key cannot be opened, is left out; raises its
        `ConfigurationError` or `Unsealable` where there is no other.
        """
        found, broken = list[Configured](), list[MediamillError]()
        for name, address in chain:
            try:
                one = await self.find(name)
            except ProviderRefused:
                continue
            except (ConfigurationError, Unsealable) as error:
                log.warning(
                    "provider left out", action="provider_broken", provider=name,
                    error=error.message,
                )  # fmt: skip
                broken.append(error)
                continue
            plain = Configured.of(address)
            if one.address == name and plain.name == name:
                one = plain  # named after its address, without the parameters there
            if one.address == address:
                found.append(one)
        if broken and not found:
            raise broken[0]
        return found

    def forget(self) -> None:
        """Read anew what was set up, at the next question."""
        self._read = -FRESH_SECONDS

    def _named(self, name: str) -> Named:
        """Return a provider as a job keeps it; raises `ProviderRefused` where there is none."""
        if (row := self._rows.get(name)) is not None:
            return row.name, row.address
        found = self.static.find(name)
        return found.name, found.address

    async def _refresh(self) -> None:
        if time.monotonic() - self._read < FRESH_SECONDS:
            return
        self._rows = {row.name: row for row in await self.rows.all()}
        self._chains = await self.rows.chains()
        self._read = time.monotonic()

    async def _of_row(self, row: ProviderRow) -> Configured:
        key = ""
        if row.secret:
            if row.secret not in self._keys:
                place = about(ProviderRow, "secret", row.name)
                self._keys[row.secret] = await self.sealer.open(row.secret, place)
            key = self._keys[row.secret]
        fields = {
            "address": row.address, "base_url": row.base_url, "region": row.region, "key": key,
            "concurrency": row.concurrency, "per_minute": row.per_minute, "timeout": row.timeout,
            "price": row.price, "options": row.options,
        }  # fmt: skip
        try:
            return configured(row.name, fields)
        except ValueError as error:
            raise ConfigurationError(f"provider {row.name}: {error}.") from None
