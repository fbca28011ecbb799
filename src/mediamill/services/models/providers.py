"""Providers of model calls as administrators set them up, and the chains that operations ask.

A key is sealed as it comes in and never shown. It belongs to the server that it was given for: who
changes where calls go gives it anew, so nobody sends a stored key to a server of their own.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mediamill.adapters.providers.config import Configured
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import (
    ConditionFailed,
    ConfigurationError,
    Conflict,
    InvalidInput,
    MediamillError,
    NotFound,
    ProviderRefused,
)
from mediamill.core.sealing import Sealer, about, key_of
from mediamill.engine.asking.chains import configured as configured_of
from mediamill.engine.asking.models import Models
from mediamill.services.models.states import ADDRESS, FILE, PAGE, ChainState, ProviderState, States
from mediamill.services.roles import require_admin
from mediamill.store.port import Absent, Delete, Equals, Put, Store
from mediamill.store.repositories.circuits import Circuit, Circuits
from mediamill.store.repositories.providers import ChainRow, ProviderRow, ProviderRows

OPERATIONS = ("caption", "label", "prompt")
"""Whose chains can be set."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
MOST_PROVIDERS, LONGEST_CHAIN = 200, 20
MOST_SHOWN = 100
"""Providers in chains that metrics tell of."""
WHERE = ("address", "base_url", "region", "options")
"""Fields that say to whom a call goes; with them the key is given anew."""
FIELDS = (
    "address", "base_url", "region", "concurrency", "per_minute", "timeout", "price", "options",
)  # fmt: skip


@dataclass
class ProviderService:
    """What administrators do with providers and chains."""

    store: Store
    models: Models
    sealer: Sealer

    def __post_init__(self) -> None:
        self.rows, self.circuits = ProviderRows(self.store), Circuits(self.store)
        self.states = States(self.models.panel, self.circuits)

    # -- providers ----------------------------------------------------------------------------

    async def list(self, principal: Principal) -> Sequence[ProviderState]:
        """Return every provider that has a name or is in a chain, by name."""
        require_admin(principal)
        rows = {row.name: row for row in await self.rows.all()}
        chains = await self._chains()
        named = set(self.models.chains.static.providers)
        names = {*rows, *named, *(name for chain in chains.values() for name in chain)}
        return [await self._state(name, rows, chains) for name in sorted(names)]

    async def get(self, principal: Principal, name: str) -> ProviderState:
        """Return one; raises `NotFound`."""
        for state in await self.list(principal):
            if state.name == name:
                return state
        raise NotFound(f"There is no provider {name}.")

    async def add(
        self, principal: Principal, name: str, fields: Mapping[str, Any], key: str = ""
    ) -> ProviderState:
        """Set a provider up; raises `InvalidInput`, and `Conflict` where there is one so called."""
        require_admin(principal)
        if not NAME.fullmatch(name):
            message = "is small letters, digits, “.”, “_” and “-”, 64 at most."
            raise InvalidInput.at("name", message)
        if name in self.models.chains.static.providers:
            message = f"{name} is set up in the file of MEDIAMILL_PROVIDERS: take another name."
            raise Conflict(message)
        if len(await self.rows.all()) >= MOST_PROVIDERS:
            raise Conflict(f"There are {MOST_PROVIDERS} providers, which is the most.")
        await self._check(name, fields, key)
        row = ProviderRow(
            name=name, created=await self.store.now(), by=principal.user, **_kept(fields)
        )
        row = await self._sealed(row, key)
        try:
            await self.store.transact(Put(row, when=(Absent(),)))
        except ConditionFailed:
            raise Conflict(f"There is a provider called {name} already.") from None
        return await self._changed(principal, row, "provider_added")

    async def change(
        self,
        principal: Principal,
        name: str,
        fields: Mapping[str, Any],
        key: str | None = None,
    ) -> ProviderState:
        """Change fields; what is not named stays. `key` replaces the key, empty: none any more.

        Raises `NotFound`, `InvalidInput`, `Conflict` where somebody else changed it meanwhile.
        """
        require_admin(principal)
        row = await self._row(name)
        moved = [one for one in WHERE if one in fields and fields[one] != getattr(row, one)]
        if row.secret and key is None and moved:
            message = (
                f"Give the key anew with {' and '.join(moved)}: the one that is kept was given for "
                "where calls go now, and is sent nowhere else."
            )
            raise InvalidInput.at("key", message)
        told = {one: getattr(row, one) for one in FIELDS} | dict(fields)
        known = key
        if known is None and row.secret:
            known = await self.sealer.open(row.secret, _place(name))
        await self._check(name, told, known or "")
        fresh = row.evolve(**_kept(told), by=principal.user, revision=row.revision + 1)
        if key is not None:
            fresh = await self._sealed(fresh, key)
        same = Equals("revision", row.revision), Equals("secret", row.secret)
        try:
            await self.store.transact(Put(fresh, when=same))
        except ConditionFailed:
            raise Conflict(f"{name} was changed by somebody else: look again.") from None
        return await self._changed(principal, fresh, "provider_changed")

    async def remove(self, principal: Principal, name: str) -> None:
        """Remove a provider and its key.

        Raises `NotFound`, and `Conflict` while a chain names it: jobs would go to the next.
        """
        require_admin(principal)
        row = await self._row(name)
        using = [one for one, chain in (await self._chains()).items() if name in chain]
        if using:
            chains = ", ".join(using)
            raise Conflict(f"{name} is in the chain of {chains}: take it out there first.")
        await self.store.transact(Delete(ProviderRow, row.key_values()))
        self.models.chains.forget()
        note("provider_removed", name)

    async def wake(self, principal: Principal, name: str) -> ProviderState:
        """End a provider's rest, or its pause: it is asked at once. Raises `NotFound`."""
        state = await self.get(principal, name)
        await self.circuits.wake(state.configured.name)
        note("provider_woken", name)
        return await self.get(principal, name)

    # -- chains -------------------------------------------------------------------------------

    async def chains(self, principal: Principal) -> Sequence[ChainState]:
        """Return whom each operation asks."""
        require_admin(principal)
        return [await self.chain(principal, one) for one in OPERATIONS]

    async def chain(self, principal: Principal, operation: str) -> ChainState:
        """Return whom an operation asks; raises `NotFound` for one that asks nobody ever."""
        require_admin(principal)
        if operation not in OPERATIONS:
            known = ", ".join(OPERATIONS)
            raise NotFound(f"There is no chain for {operation}; there are those of {known}.")
        mine = (await self.rows.chains()).get(operation, ())
        theirs = self.models.chains.static.chains.get(operation, ())
        source = PAGE if mine else FILE if theirs else ""
        return ChainState(operation, mine or theirs, source, theirs)

    async def set_chain(
        self, principal: Principal, operation: str, providers: Sequence[str]
    ) -> ChainState:
        """Set whom an operation asks, in order; nobody: what the settings say holds again.

        Raises `NotFound`, and `InvalidInput` for a provider that is not known or cannot be opened.
        """
        await self.chain(principal, operation)
        if len({*providers}) != len(providers) or len(providers) > LONGEST_CHAIN:
            message = f"A chain has at most {LONGEST_CHAIN} providers, each once."
            raise InvalidInput.at("providers", message)
        self.models.chains.forget()
        for place, name in enumerate(providers):
            try:
                await self._opens(await self.models.chains.find(name))
            except (ProviderRefused, ConfigurationError, ValueError) as error:
                message = error.message if isinstance(error, MediamillError) else str(error)
                raise InvalidInput.at(f"providers.{place}", message) from None
        row = ChainRow(operation=operation, providers=tuple(providers))
        change = Put(row) if providers else Delete(ChainRow, (operation,))
        await self.store.transact(change)
        self.models.chains.forget()
        note("chain_set", operation, providers=[*providers])
        return await self.chain(principal, operation)

    # -- for those who watch the service --------------------------------------------------------

    async def circuits_now(self) -> Sequence[tuple[Circuit, bool]]:
        """Return what all share of the providers in chains, and whether each rests."""
        names = dict[str, None]()
        for chain in (await self._chains()).values():
            for one in chain:
                with suppress(MediamillError, ValueError):
                    names[(await self.models.chains.find(one)).name] = None
        if not names:
            return ()
        some = [*names][:MOST_SHOWN]
        found = await self.store.get_many(Circuit, [(name,) for name in some])
        now = await self.store.now()
        rows = [row or Circuit(provider=name) for row, name in zip(found, some, strict=True)]
        return [(row, row.rests_until > now) for row in rows]

    async def readiness(self) -> dict[str, str]:
        """Tell of each operation whether somebody can be asked: `ok`, or what is wrong.

        No provider is called, and none is named: anybody may read this.
        """
        told = dict[str, str]()
        for operation, chain in (await self._chains()).items():
            able = 0
            for one in chain:
                with suppress(MediamillError, ValueError):
                    seat = await self.models.panel.seat(await self.models.chains.find(one))
                    able += not await seat.lacks()
            told[operation] = _told(len(chain), able)
        return told

    # -- within -------------------------------------------------------------------------------

    async def _row(self, name: str) -> ProviderRow:
        row = await self.rows.get(name)
        if row is not None:
            return row
        if name in self.models.chains.static.providers:
            message = f"{name} is set up in the file of MEDIAMILL_PROVIDERS: change it there."
            raise Conflict(message)
        raise NotFound(f"There is no provider {name}.")

    async def _chains(self) -> dict[str, tuple[str, ...]]:
        """Return the chains that hold now."""
        mine, theirs = await self.rows.chains(), self.models.chains.static.chains
        return {one: mine.get(one) or theirs.get(one, ()) for one in OPERATIONS}

    async def _state(
        self,
        name: str,
        rows: Mapping[str, ProviderRow],
        chains: Mapping[str, Sequence[str]],
    ) -> ProviderState:
        row, static = rows.get(name), self.models.chains.static.providers
        source = PAGE if row else FILE if name in static else ADDRESS
        using = tuple(one for one, chain in chains.items() if name in chain)
        problem = ""
        try:
            configured = await self.models.chains.find(name)
        except (MediamillError, ValueError) as error:  # a chain may name what is gone
            problem = error.message if isinstance(error, MediamillError) else str(error)
            configured = Configured(name, row.address if row else name)
        state = await self.states.of(name, configured, row, source, using)
        return state.broken(problem) if problem else state

    async def _check(self, name: str, fields: Mapping[str, Any], key: str) -> None:
        """Open what is to be set up, and close it again; raises `InvalidInput`."""
        try:
            await self._opens(configured_of(name, {**fields, "key": key}))
        except (TypeError, ValueError) as error:
            raise InvalidInput.at(_wrong(str(error)), _without(str(error), key)) from None
        except ConfigurationError as error:
            raise InvalidInput.at(_wrong(error.message), _without(error.message, key)) from None

    async def _opens(self, configured: Configured) -> None:
        """Open a provider, which asks nobody, and close it."""
        await self.models.panel.open(configured).close()

    async def _sealed(self, row: ProviderRow, key: str) -> ProviderRow:
        if not key:
            return row.evolve(secret="", sealed_by=None)
        sealed = await self.sealer.seal(key, _place(row.name))
        return row.evolve(secret=sealed, sealed_by=key_of(sealed))

    async def _changed(self, principal: Principal, row: ProviderRow, action: str) -> ProviderState:
        self.models.chains.forget()
        note(action, row.name, address=row.address)
        return await self.get(principal, row.name)


def _told(chain: int, able: int) -> str:
    """Say how many of a chain can be asked."""
    if not chain:
        return "not set up"
    if able == chain:
        return "ok"
    return f"{chain - able} of {chain} providers cannot be asked"


def _place(name: str) -> str:
    return about(ProviderRow, "secret", name)


def _wrong(text: str) -> str:
    """Return which field an error is about, the address unless it names another."""
    known = {"its key": "key", "price": "price", "base_url": "base_url", "region": "region"}
    return next((name for said, name in known.items() if said in text), "address")


def _without(text: str, key: str) -> str:
    """Return a text without a key that somebody put where it is told."""
    return text.replace(key, "…") if key else text


def _kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    found = {one: fields[one] for one in FIELDS if one in fields}
    if found.get("options") is not None:
        found["options"] = {key: str(value) for key, value in found["options"].items()}
    return found
