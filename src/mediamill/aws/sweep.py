"""The sweep on Lambda: `mediamill.aws.sweep.handler`, called each minute by a schedule.

It does what no message brings about: work that is due later is rung for, lanes are parked and
woken, forgotten jobs are summed. It tells CloudWatch how much work there is, by class, in the log
(the embedded metric format): `long` above zero says that workers are needed.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mediamill.app import App
from mediamill.aws.environment import Context, Environment
from mediamill.engine.sweeping import Sweep
from mediamill.engine.tending import Engine, Tending
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.units import LONG

NAMESPACE = "Mediamill"


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
        sys.stdout.write(f"{json.dumps(metrics(found, int(time.time() * 1000)))}\n")
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
        found = await app.work.look()
        for backlog in found:
            if backlog.ready and backlog.klass != LONG:
                await app.bell.ring(f"work:{backlog.klass}")
        return found


def metrics(found: Sequence[Backlog], now: int) -> dict[str, Any]:
    """Make a line of CloudWatch's embedded metric format: `units_ready_CLASS`, `units_running_…`.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    values = {
        f"units_{state}_{backlog.klass}": getattr(backlog, state)
        for backlog in found
        for state in ("ready", "running")
    }
    told = [{"Name": name, "Unit": "Count"} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": told}
    return {"_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]}, **values}


handler = Sweeps()
