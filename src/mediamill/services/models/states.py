"""How a provider does: whether it can be opened, whether it rests, what it bears and costs."""

from dataclasses import dataclass, field, replace
from typing import Any

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.port import Traits
from mediamill.adapters.providers.prices import Price
from mediamill.core.errors import MediamillError
from mediamill.engine.asking.panel import Panel
from mediamill.store.repositories.circuits import Circuit, Circuits
from mediamill.store.repositories.providers import ProviderRow

PAGE, FILE, ADDRESS = "page", "settings", "address"


@dataclass(frozen=True)
class ProviderState:
    """A provider as it is set up, and how it does; its key is not among this."""

    name: str
    """By which it is found: its name, or the address that stands in a chain."""
    configured: Configured
    source: str
    """Where it is set up: `page`, `settings`, or as a mere `address` in a chain."""
    has_key: bool
    circuit: Circuit
    resting: bool
    paused: bool
    """Whether it asked not to be called for a while."""
    price: Price | None
    priced: str
    """Where the price comes from: `own`, `file` (of prices), or empty where none is known."""
    traits: Traits | None = None
    problem: str = ""
    """Why it cannot be opened, or asked as it is; empty where it can."""
    chains: tuple[str, ...] = ()
    """Operations whose chains name it."""
    row: ProviderRow | None = None

    def broken(self, problem: str) -> "ProviderState":
        """Return it for a provider of which not even its set-up could be read."""
        return replace(self, problem=problem, traits=None)


@dataclass
class States:
    """Looks at providers; calls none."""

    panel: Panel
    circuits: Circuits

    async def of(
        self,
        name: str,
        configured: Configured,
        row: ProviderRow | None,
        source: str,
        chains: tuple[str, ...],
    ) -> ProviderState:
        """Look at one provider."""
        circuit = await self._circuit(configured.name)
        now = await self.circuits.store.now()
        found: dict[str, Any] = {}
        try:
            seat = await self.panel.seat(configured)
            found = {"price": seat.price, "traits": seat.provider.traits}
            found["problem"] = await seat.lacks()
        except MediamillError as error:
            found = {"price": self.panel.prices.of(configured), "problem": error.message}
        own = "own" if configured.price is not None else "file"
        return ProviderState(
            name=name,
            configured=configured,
            source=source,
            has_key=bool(row.secret if row else configured.key),
            circuit=circuit,
            resting=now < circuit.rests_until,
            paused=now < circuit.paused_until,
            priced=own if found["price"] is not None else "",
            chains=chains,
            row=row,
            **found,
        )

    async def _circuit(self, name: str) -> Circuit:
        found = await self.circuits.store.get(Circuit, name)
        return found or Circuit(provider=name)


@dataclass(frozen=True)
class ChainState:
    """Whom an operation asks, in order, and where that is said."""

    operation: str
    providers: tuple[str, ...]
    source: str
    """`page`, `settings`, or empty where nobody is asked."""
    settings: tuple[str, ...] = field(default=())
    """What the settings say, which holds again when the page's chain is removed."""
