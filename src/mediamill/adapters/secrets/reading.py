"""Read secrets, keep them a while, and ask again in time.

A value that is known outlives its keeper: while that is away, or says nothing, what it said last
counts. So a known one is read anew beside who asks, who waits for that only so long.
"""

import asyncio
import time
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

import structlog

from mediamill.adapters.secrets.port import Keeper, Reference
from mediamill.adapters.secrets.template import Template, part_of
from mediamill.core.errors import ConfigurationError, NotFound, Unavailable
from mediamill.core.extras import needing
from mediamill.core.registry import Registry

KEEPERS: Registry[Any] = Registry(
    "mediamill.adapters.secrets",
    "keeper of secrets",
    exclude=frozenset({"asking", "opening", "port", "reading", "template"}),
)
HOLD_SECONDS = 300.0
RETRY_SECONDS = 5.0
"""How soon a keeper is asked again that did not answer."""
PAUSE_SECONDS = 3.0
"""How soon a keeper is asked again when a server refused what it said: strangers cause refusals."""
WAIT_SECONDS, RENEWAL_SECONDS = 0.5, 5.0
"""How long who has a known value waits for a newer one, and how long where that was refused."""

log = structlog.get_logger(__name__)


@dataclass
class _Held:
    """What a keeper said, and when it may be asked next."""

    value: str | None = field(default=None, repr=False)
    asked: float = 0.0
    """By `time.monotonic`."""
    failed: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asking: "asyncio.Task[None] | None" = None
    """What reads it anew."""


class Secrets:
    """All secrets that the settings refer to."""

    def __init__(self, hold_seconds: float = HOLD_SECONDS) -> None:
        self._hold_seconds = hold_seconds
        self._keepers: dict[str, Keeper] = {}
        self._held: dict[Reference, _Held] = {}

    def of(self, text: str, setting: str) -> "Referring":
        """Return a setting whose text has references."""
        return Referring(self, Template.of(text, is_url=setting.endswith("_URL")), setting)

    async def value(self, reference: Reference, setting: str, *, renew: bool = False) -> str:
        """Return a secret; raises `ConfigurationError` that names the setting, `Unavailable`."""
        keeper = self._keeper(reference, setting)
        held = self._held.setdefault(Reference(
            reference.keeper, reference.name, reference.options
        ), _Held())  # fmt: skip
        hold = self._hold_seconds if keeper.holds_seconds is None else keeper.holds_seconds
        most = PAUSE_SECONDS if renew else RETRY_SECONDS if held.failed else hold
        if held.value is None:
            async with held.lock:
                if held.value is None:
                    await self._ask(keeper, reference, setting, held)
        elif _age(held) >= most:
            asking = held.asking
            if asking is None or asking.done():  # in a context of its own: it outlives who asks
                anew = self._ask(keeper, reference, setting, held)
                asking = held.asking = asyncio.create_task(anew, context=Context())
            elif not renew:
                return self._part(held.value, reference, setting)  # somebody waits already
            await _settled(asking, RENEWAL_SECONDS if renew else WAIT_SECONDS)
        return self._part(held.value or "", reference, setting)

    async def close(self) -> None:
        """End what reads secrets anew."""
        for held in self._held.values():
            if held.asking is not None:
                held.asking.cancel()
                with suppress(asyncio.CancelledError):
                    await held.asking

    async def _ask(self, keeper: Keeper, reference: Reference, setting: str, held: _Held) -> None:
        try:
            value = await keeper.read(reference)
        except (ValueError, Unavailable) as error:
            if held.value is None:
                message = f"{setting}: {reference}: {str(error).rstrip('.')}."
                if isinstance(error, Unavailable):
                    raise Unavailable(message) from None
                raise ConfigurationError(message, setting=setting) from None
            if not held.failed:
                log.warning(
                    "a secret cannot be read; what is known of it still counts",
                    action="secret_away", setting=setting, reference=str(reference),
                    error=str(error),
                )  # fmt: skip
            held.failed = True
            return
        finally:
            held.asked = time.monotonic()
        if held.value is not None and value != held.value:
            log.info("a secret has changed", action="secret_changed", setting=setting,
                     reference=str(reference))  # fmt: skip
        held.value, held.failed = value, False

    def _keeper(self, reference: Reference, setting: str) -> Keeper:
        if reference.keeper not in self._keepers:
            try:
                with needing(reference.keeper, setting):
                    kind = KEEPERS.get(reference.keeper)
            except NotFound as error:
                message = f"{setting}: {error.message}"
                raise ConfigurationError(message, setting=setting) from None
            self._keepers[reference.keeper] = kind()
        return self._keepers[reference.keeper]

    def _part(self, value: str, reference: Reference, setting: str) -> str:
        try:
            return part_of(value, reference.key) if value else ""
        except ValueError as error:
            message = f"{setting}: {reference}: {error}."
            raise ConfigurationError(message, setting=setting) from None


async def _settled(asking: "asyncio.Task[None]", seconds: float) -> None:
    """Wait for an answer so long; raises what is no fault of the keeper."""
    done, _ = await asyncio.wait([asking], timeout=seconds)
    for one in done:
        one.result()


def _age(held: _Held) -> float:
    return time.monotonic() - held.asked


class Referring:
    """A setting with references (`Sourced`)."""

    def __init__(self, secrets: Secrets, template: Template, setting: str) -> None:
        self._secrets, self.template, self.setting = secrets, template, setting

    async def current(self) -> str:
        return await self._filled(renew=False)

    async def renewed(self) -> str:
        return await self._filled(renew=True)

    async def _filled(self, *, renew: bool) -> str:
        references = self.template.references()
        values = [await self._secrets.value(one, self.setting, renew=renew) for one in references]
        return self.template.filled(dict(zip(references, values, strict=True)))
