"""Whom prompts can be asked: what a page offers to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.adapters.providers.port import Kind
from mediamill.core.errors import MediamillError
from mediamill.engine.asking.models import Models

CHAIN = "prompt"


@dataclass(frozen=True)
class Choice:
    """A provider that answers prompts, by the name that a step gives it."""

    name: str
    model: str
    pictures: bool
    """Whether it looks at pictures."""


@dataclass
class Choices:
    """Finds who is set up, without asking anybody."""

    models: Models

    async def chain(self) -> tuple[str, ...]:
        """Return who is asked where a prompt names nobody; none where prompts are not set up."""
        return await self.models.chains.names(CHAIN)

    async def all(self) -> Sequence[Choice]:
        """Return those that answer in words and can be opened, the chain's own first."""
        names = dict.fromkeys([*await self.chain(), *await self.models.chains.known()])
        found = [await self._choice(name) for name in names]
        return [choice for choice in found if choice is not None]

    async def _choice(self, name: str) -> Choice | None:
        try:
            opened = await self.models.panel.seat(await self.models.chains.find(name))
        except MediamillError:  # it is the administrator's page that says what is wrong
            return None
        traits = opened.provider.traits
        if Kind.TEXT not in traits.kinds:
            return None
        return Choice(name, opened.provider.model, traits.images > 0)
