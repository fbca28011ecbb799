"""What `mediamill doctor` finds out about the export of figures."""

import asyncio
import time
from collections.abc import Iterator

from mediamill.analytics.exporting import State, read_state
from mediamill.analytics.noting import LATE_MS
from mediamill.analytics.places import open_place
from mediamill.cli.service.checks import Check, Level
from mediamill.core.clock import rfc3339
from mediamill.core.errors import MediamillError
from mediamill.core.settings import Settings

NAME, TRIED = "analytics", "state/doctor"
"""The check, and the empty file that it writes to see whether it can."""


def analytics(settings: Settings) -> Iterator[Check]:
    """Say whether figures can be written where they are exported to, and when they last were."""
    url = settings.analytics_url
    if not url:
        return
    try:
        state = asyncio.run(_tried(url))
    except MediamillError as error:
        yield Check(NAME, Level.PROBLEM, f"figures are not exported: {error.message}")
        return
    if not state.exported:
        text = "figures can be written there; none were yet: a worker does it within the hour"
        yield Check(NAME, Level.NOTE, text)
        return
    late = time.time_ns() // 1_000_000 - state.exported > LATE_MS
    why = "; the log of workers says why" if late else ""
    text = f"figures were last exported at {rfc3339(state.exported)}{why}"
    yield Check(NAME, Level.PROBLEM if late else Level.OK, text)


async def _tried(url: str) -> State:
    place = open_place(url)
    await place.write(TRIED, b"")
    return await read_state(place)
