"""The API and the pages as a Lambda function behind API Gateway, a function URL or an ALB.

Its handler is `mediamill.aws.api.handler`. What it can do and what not: docs/how-to/lambda.md.
"""

import math
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import structlog

from mediamill.app import App
from mediamill.aws.bridge import BOUND_SECONDS, exchange, problem
from mediamill.aws.environment import Context, Environment, ends_of
from mediamill.aws.payloads import Answered, NoRequest, asked
from mediamill.core.errors import InvalidInput
from mediamill.core.lasting import lasting

log = structlog.get_logger(__name__)


class Api:
    """The web application of one execution environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        with lasting():
            from mediamill.web.app import create_app

            self._web = create_app(environment.app)
        self._web.state.watchers = ()  # of one environment of many they would say nothing
        self._prefix = urlsplit(environment.app.settings.public_url).path

    def handle(self, event: Any, context: Context) -> dict[str, Any]:
        """Answer one event."""
        try:
            request = asked(event, self._prefix)
        except NoRequest as error:
            log.warning("an event was no request", action="event_refused", error=str(error))
            told = problem(InvalidInput("This event is no HTTP request of a gateway."))
            return told.written(event if isinstance(event, dict) else {})

        bound = BOUND_SECONDS if request.bounded else math.inf
        ends = min(time.monotonic() + bound, ends_of(context))

        async def answered(_: App) -> Answered:
            return await exchange(self._web, request, ends - time.monotonic())

        return self._environment.run(answered, context, ends).written(event, request.stage)


@cache
def made() -> Callable[[Any, Context], dict[str, Any]]:
    """Make the handler of this process."""
    return Api(Environment()).handle


def __getattr__(name: str) -> Any:
    """Make the `handler` when Lambda looks it up, before the first event; an import makes none."""
    if name == "handler":
        return made()
    raise AttributeError(name)
