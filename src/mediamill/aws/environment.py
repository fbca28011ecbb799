"""What all functions share: settings that make sense there, and an `App` that is opened once.

Lambda keeps a process for many invocations, one at a time, and stops it in between: nothing runs
then, peers close their connections, and clocks may have stood still. So the `App` is opened when
the process begins, with a loop that runs during invocations only; each begins by letting what came
meanwhile be seen and by hearing what time it is, and ends when doorbells have been delivered.
"""

import asyncio
import math
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog

from mediamill.adapters.brokers.port import Delivers
from mediamill.adapters.secrets.opening import read_settings
from mediamill.app import App
from mediamill.core.errors import ConfigurationError, MediamillError
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.parts import SPARE_SLOTS
from mediamill.services.cloudwatch import Changes, line
from mediamill.store.repositories.users import User

HOME = Path("/tmp/mediamill")  # noqa: S108 - the one place of a function that takes files, its own
DELIVERY_SECONDS = 2.0
"""How long an invocation waits for doorbells; whoever works looks by itself as well."""
LEAVING_SECONDS = 0.3
"""What is left of an invocation's time when it returns, for its answer to leave."""
FRESH_SECONDS = 5.0
"""A sleep after which the time is heard anew."""
TURNS = 3
"""Turns of the loop after which it has seen which peers hung up."""

PLAIN = str.maketrans({"“": '"', "”": '"', "’": "'", "…": "...", "–": "-"})
"""AWS's client cannot report a failed start in other letters than Latin-1 (4.2.2)."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Context(Protocol):
    """What Lambda says of an invocation."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long is left until it is killed."""


def ends_of(context: Context) -> float:
    """Return when an invocation is killed (monotonic seconds)."""
    return time.monotonic() + context.get_remaining_time_in_millis() / 1000


class Environment:
    """An open `App`, for as long as Lambda keeps the process."""

    def __init__(self, spare: int = SPARE_SLOTS, **given: Any) -> None:
        """Open it; raises `ConfigurationError` that says what to set.

        `spare` is how many slots there are beside those for CPU work; `given` are settings.
        """
        self._loop = asyncio.new_event_loop()
        self._slept_at, self._long_enough = _clocks(), False
        configure_logging("json", stream=sys.stdout)
        try:
            self.app: App = self._loop.run_until_complete(self._open(spare, given))
        except MediamillError as error:
            log.error("not opened", action="function_not_opened", error=error.message)
            error.args = (error.message.translate(PLAIN).encode("ascii", "replace").decode(),)
            raise

        self._changes = Changes(self.app.parts)

    def run(
        self, work: Callable[[App], Awaitable[T]], context: Context, ends: float = math.inf
    ) -> T:
        """Do the work of one invocation and return what comes of it.

        Doorbells are waited for until it `ends` at the latest (monotonic seconds), or Lambda ends
        it: whoever waits for the answer waits no longer.
        """
        ends = min(ends, ends_of(context))
        return self._loop.run_until_complete(self._invoked(work, context, ends))

    def demand(self, seconds: float, margins: int) -> None:
        """Raise `ConfigurationError` where calls last no longer than some margins.

        The function's first one tells: it had so many seconds when it began.
        """
        margin = self.app.settings.function_margin_seconds
        if not self._long_enough and seconds <= margins * margin:
            setting = "MEDIAMILL_FUNCTION_MARGIN_SECONDS"
            message = (
                f"{setting}: a call of this function has {seconds:.0f} s, and a margin of "
                f"{margin:g} s leaves too little of it for work. Give the function more than "
                f"{margins * margin:g} s, or set a shorter margin."
            )
            log.error("too short", action="function_too_short", error=message)
            raise ConfigurationError(message, setting=setting)
        self._long_enough = True

    async def _open(self, spare: int, given: dict[str, Any]) -> App:
        settings = await function_settings(**given)
        configure_logging("json", settings.log_level, sys.stdout)
        if settings.mail_url.startswith("outbox:"):
            log.warning("mails are lost: set MEDIAMILL_MAIL_URL", action="mails_lost")
        app = await App.open(settings, spare=spare)
        log.info("opened", action="function_opened")
        return app

    async def _invoked(
        self, work: Callable[[App], Awaitable[T]], context: Context, ends: float
    ) -> T:
        with structlog.contextvars.bound_contextvars(invocation=context.aws_request_id):
            for _ in range(TURNS):
                await asyncio.sleep(0)
            await self._wake()
            try:
                return await work(self.app)
            finally:
                left = ends - LEAVING_SECONDS - time.monotonic()
                if isinstance(self.app.bell, Delivers):
                    await self.app.bell.delivered(max(0.0, min(DELIVERY_SECONDS, left)))
                self._tell()
                if (tracer := self.app.parts.tracer) is not None:  # nothing is sent in between
                    await tracer.flush(
                        min(DELIVERY_SECONDS, ends - LEAVING_SECONDS - time.monotonic())
                    )
                self._slept_at = _clocks()

    def _tell(self) -> None:
        """Tell CloudWatch what was counted, where that is something."""
        if values := self._changes.take():
            name = self.app.settings.metrics_installation
            sys.stdout.write(f"{line(values, int(time.time() * 1000), name)}\n")

    async def _wake(self) -> None:
        """Hear the time anew if it may have been long: an answer of the store brings it."""
        if any(
            now - then > FRESH_SECONDS for now, then in zip(_clocks(), self._slept_at, strict=True)
        ):
            with suppress(MediamillError):  # whoever needs the store will say so
                await self.app.store.get(User, "user_health")
                await self.app.clock.hear(self.app.store)

    def close(self) -> None:
        """Release everything; Lambda never asks for it, it kills."""
        self._loop.run_until_complete(self.app.close())
        self._loop.close()


def _clocks() -> tuple[float, float]:
    """Return what two clocks say, of which one at least goes on while a machine is put away."""
    return time.time(), time.monotonic()


async def function_settings(**given: Any) -> Settings:
    """Read the settings of a function; raises `ConfigurationError` for what cannot work there."""
    if "home" not in Settings.in_environment():
        given.setdefault("home", HOME)
    settings = await read_settings(**given)
    refuse_what_does_not_last(settings)
    return settings


NOT_LASTING = (
    ("store_url", ("sqlite:", "memory:"), "Name a table, dynamodb://…, or a postgresql://… server"),
    ("blobs_url", ("file:", "memory:"), "Name a bucket, s3://…"),
    ("results_url", ("file:", "memory:"), "Name a bucket, s3://…"),
    ("broker_url", ("inprocess:",), "Name a queue, sqs://…"),
)
"""Settings whose values keep things in the process or in its folder, and what to say instead."""


def refuse_what_does_not_last(settings: Settings) -> None:
    """Raise `ConfigurationError` for what would be lost with the function's process."""
    for name, schemes, remedy in NOT_LASTING:
        if str(getattr(settings, name)).startswith(schemes):
            _refuse(name, f"what it keeps is lost with the function’s process. {remedy}.")
    if not settings.secret.get_secret_value():
        _refuse("secret", "every function would sign links with a key of its own. Set the same text"
                " for all, or refer to one: secretsmanager:…, ssm:….")  # fmt: skip
    if settings.own_keyring:
        _refuse("sealing_url", "every function would seal with keys of its own. Name a key, kms:…, "
                "or refer to a keyring that all have.")  # fmt: skip


def _refuse(name: str, message: str) -> None:
    setting = f"MEDIAMILL_{name.upper()}"
    raise ConfigurationError(f"{setting}: on Lambda {message}", setting=setting)
