"""The sweep on Lambda: `mediamill.aws.sweep.handler`, called each minute by a schedule.

It does what no message brings about: work that is due later is rung for, lanes are parked and
woken, forgotten jobs are summed. It tells CloudWatch how much work there is, by class, and what
else is known of the whole (`services/cloudwatch.py`): `long` above zero says that workers are
needed.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mediamill.app import App
from mediamill.aws.environment import Context, Environment
from mediamill.engine.sweeping import Sweep
from mediamill.engine.tending import Engine, Tending
from mediamill.services.cloudwatch import line
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.units import LONG


class Sweeps:
    """A handler that sweeps; keeps what is open for the next invocation."""

    def __init__(self) -> None:
        self._environment: Environment | None = None
        self._engine: Engine | None = None

    def __call__(self, event: Mapping[str, Any], context: Context) -> dict[str, int]:
        """Sweep; return how many units of each class are due."""
        if self._environment is None:
            self._environment = Environment(0, slots=1)
        found = self._environment.run(self._sweep, context)
        return {backlog.klass: backlog.ready for backlog in found}

    def close(self) -> None:
        """Release what is open."""
        if self._environment is not None:
            self._environment.close()
            self._environment = self._engine = None

    async def _sweep(self, app: App) -> Sequence[Backlog]:
        if self._engine is None:
            self._engine = await app.engine()
        await Sweep(Tending(self._engine)).once()
        found, values = await app.whole.read()
        name = app.settings.metrics_installation
        sys.stdout.write(f"{line(values, int(time.time() * 1000), name)}\n")
        for backlog in found:
            if backlog.ready and backlog.klass != LONG:
                await app.bell.ring(f"work:{backlog.klass}")
        return found


handler = Sweeps()
