"""Mails about accounts without a worker: they are sent when a test says so, and kept."""

from dataclasses import dataclass, field

from mediamill.adapters.mail.port import Letter
from mediamill.app import App
from mediamill.engine.lease import Lease
from mediamill.engine.scheduler import Scheduler
from mediamill.letters.account import KIND


@dataclass
class Letterbox:
    """A post that keeps its letters, and what sends those of a service."""

    app: App
    anywhere: bool = True
    letters: list[Letter] = field(default_factory=list)
    failing: Exception | None = None

    async def send(self, letter: Letter) -> None:
        if self.failing is not None:
            raise self.failing
        self.letters.append(letter)

    async def close(self) -> None:
        """Nothing to release."""

    async def mails(self) -> list[Letter]:
        """Send what waits; return it."""
        handler, units = self.app.handlers()[KIND], self.app.repositories.units
        handler.post = self  # type: ignore[attr-defined]  # this one sends
        scheduler = Scheduler(self.app.store, 60_000)
        self.letters.clear()
        while (unit := await scheduler.claim_next(["notices"], "test")) is not None:
            assert unit.kind == KIND
            await handler.run(Lease(units, self.app.repositories.jobs, unit, 60_000))
        return list(self.letters)

    async def secret(self) -> str:
        """Send what waits; return the secret of the one link in it."""
        (letter,) = [one for one in await self.mails() if "#" in one.text]
        return letter.text.partition("#")[2].split()[0]
