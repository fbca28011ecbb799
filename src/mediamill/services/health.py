"""Whether the service works, for those who send it requests or watch it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mediamill.core.errors import MediamillError
from mediamill.engine.slots import sandbox
from mediamill.parts import ANSWER_SECONDS, Parts
from mediamill.services.jobs.backlog import Work
from mediamill.services.models.providers import ProviderService
from mediamill.store.repositories.units import LONG

T = TypeVar("T")


@dataclass
class Health:
    """Asks every backend, and tells within four seconds, whatever hangs."""

    parts: Parts
    work: Work
    providers: ProviderService
    _protections: dict[str, bool | str] = field(default_factory=dict)

    async def report(self) -> dict[str, Any]:
        """Tell whether every backend works; `ok` is False when one does not.

        `for_workers` is how many units wait for a worker, for they are too long for a function;
        `models` says of captions, labels and prompts whether somebody can be asked.
        """
        checks, waiting, models, granted = await asyncio.gather(
            self.parts.examine(),
            self._known("for_workers", self._waiting, 0),
            self._known("models", self.providers.readiness, dict[str, str]()),
            self._known("sandbox", self._granted, dict[str, bool | str]()),
        )
        ok = all(state == "ok" for state in checks.values())
        return {
            "ok": ok, "checks": checks, "sandbox": granted,
            "for_workers": waiting if ok else 0, "models": models if ok else {},
        }  # fmt: skip

    async def _known(self, name: str, question: Callable[[], Awaitable[T]], unknown: T) -> T:
        try:
            return await self.parts.hanging.ask(name, question, ANSWER_SECONDS)
        except (MediamillError, TimeoutError):
            return unknown

    async def _waiting(self) -> int:
        return (await self.work.of(LONG)).ready

    async def _granted(self) -> dict[str, bool | str]:
        """Return what the kernel grants to slots: what it granted to one, else what it would."""
        if not self._protections:
            granted = self.parts.slots.protections()
            self._protections = granted or await asyncio.to_thread(sandbox.report)
        return self._protections
