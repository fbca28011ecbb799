"""What everybody shares who asks models: whom to ask, what they bear, what it may cost."""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial

from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.prices import Prices
from mediamill.core.errors import MediamillError
from mediamill.core.ids import new_id
from mediamill.core.numbers import Numbers
from mediamill.core.sealing import Sealer
from mediamill.core.settings import Settings
from mediamill.engine.asking.booking import Booking, Budgets
from mediamill.engine.asking.chains import Chains, Static
from mediamill.engine.asking.gate import SharedGate
from mediamill.engine.asking.meter import Meter
from mediamill.engine.asking.panel import Named, Panel
from mediamill.store.port import Store
from mediamill.store.repositories.budgets import BudgetRows
from mediamill.store.repositories.circuits import Circuits
from mediamill.store.repositories.providers import ProviderRows
from mediamill.store.repositories.spending import EVERYBODY, MICRO, Spending


@dataclass(frozen=True)
class Models:
    """Opened with the program, closed with it; connects to nothing before somebody is asked."""

    chains: Chains
    panel: Panel
    gate: SharedGate
    budgets: Budgets
    """As the settings say; `budgets_of` knows better."""
    limits: BudgetRows
    meter: Meter = field(default_factory=Meter)

    @classmethod
    def of(
        cls, settings: Settings, store: Store, sealer: Sealer, numbers: Numbers | None = None
    ) -> "Models":
        """Make them as the settings say; raises `ConfigurationError`.

        What calls come to is counted among the numbers of the process.
        """
        said = {
            "caption": settings.caption_chain,
            "label": settings.label_chain,
            "prompt": settings.prompt_chain,
        }
        opening = partial(open_provider, models=settings.home / "models")
        panel = Panel(opening, Prices.load(settings.prices or None))
        holder = f"{socket.gethostname()}-{os.getpid()}-{new_id('g')[-6:]}"
        budgets = Budgets(None, _micro(settings.user_budget), _micro(settings.budget))
        chains = Chains(ProviderRows(store), sealer, Static.read(settings.providers, said))
        gate = SharedGate(Circuits(store), holder, panel.bounds)
        meter = Meter(numbers or Numbers())
        return cls(chains, panel, gate, budgets, BudgetRows(store), meter)

    async def budgets_of(self, owner: str, job: int | None = None) -> Budgets:
        """Return what bounds an owner's calls, as an administrator set it, or the settings do."""
        mine, all_ = await self.limits.get(owner, EVERYBODY)
        return Budgets(
            job,
            self.budgets.owner if mine is None else mine.monthly,
            self.budgets.everybody if all_ is None else all_.monthly,
        )

    async def lacking(self, chain: Sequence[Named]) -> str:
        """Say what a job's chain needs on this machine, where that keeps all of it from answering.

        Empty where somebody can be asked, as far as that is known without asking.
        """
        found = list[str]()
        with suppress(MediamillError):  # whose set-up is wrong is told where it is asked
            for configured in await self.chains.of_job(chain):
                with suppress(MediamillError):
                    found.append(await (await self.panel.seat(configured)).lacks())
        return "" if "" in found else " ".join(found)

    @cached_property
    def booking(self) -> Booking:
        """What books their calls."""
        return Booking(Spending(self.limits.store), self.budgets_of)

    async def close(self) -> None:
        """Give back permits and close connections."""
        with suppress(MediamillError):  # permits that are not given back run out
            await self.gate.close()
        await self.panel.close()


def _micro(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * MICRO)
