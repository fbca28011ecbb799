"""Whom an operation can ask: what a page offers to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.adapters.providers.port import Kind
from mediamill.core.errors import MediamillError
from mediamill.engine.asking.models import Models


@dataclass(frozen=True)
class Choice:
    """A provider that can be asked, by the name that a step gives it."""

    name: str
    model: str
    pictures: bool
    """Whether it looks at pictures."""


@dataclass(frozen=True)
class Offer:
    """Who is asked where a step names nobody, and who can be named instead."""

    chain: tuple[str, ...]
    """As it is set up, in order; empty where it is not."""
    all: Sequence[Choice]
    """Who can be asked, those of the chain first."""

    @property
    def ready(self) -> bool:
        """Whether somebody of the chain can be asked."""
        return any(choice.name in self.chain for choice in self.all)


@dataclass
class Choices:
    """Finds who can be asked for something, without asking anybody."""

    models: Models
    chain: str
    """The operation whose chain is offered."""
    kind: Kind
    """What they are asked for; but for `TEXT` it is always about pictures."""

    async def offer(self) -> Offer:
        """Return those that give it, can be opened and lack nothing; the chain's own first."""
        chain = await self.models.chains.names(self.chain)
        names = dict.fromkeys([*chain, *await self.models.chains.known()])
        found = [await self._choice(name) for name in names]
        return Offer(chain, [choice for choice in found if choice is not None])

    async def _choice(self, name: str) -> Choice | None:
        try:
            opened = await self.models.panel.seat(await self.models.chains.find(name))
        except (MediamillError, ValueError):  # the administrator's page says what is wrong
            return None
        traits = opened.provider.traits
        blind = self.kind is not Kind.TEXT and not traits.images
        if self.kind not in traits.kinds or blind or await opened.lacks():
            return None
        return Choice(name, opened.provider.model, traits.images > 0)
