"""The sweep: park lanes without due work, wake those whose time has come, nudge forgotten jobs."""

from dataclasses import dataclass

from mediamill.core import metrics
from mediamill.core.errors import ConditionFailed
from mediamill.engine.tending import Tending
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.jobs import Job

CLASSES = metrics.CLASSES


@dataclass
class Sweep:
    """Does now and then what no unit's end does."""

    tending: Tending

    async def once(self) -> None:
        """Sweep all classes, and look after the jobs that nobody has looked at lately."""
        for klass in CLASSES:
            await self.tending.engine.scheduler.tidy(klass)
        await self._nudge_forgotten()

    async def _nudge_forgotten(self) -> None:
        engine = self.tending.engine
        store = engine.units.store
        now = await store.now()
        age = int(engine.timing.lease * 1000 / 3)
        for job in await engine.jobs.unchecked_since(now - age):
            mine = Update(
                Job, (job.id,), set={"checked": now}, when=(Equals("checked", job.checked),)
            )
            try:
                await store.transact(mine)
            except ConditionFailed:
                continue
            await self.tending.nudge(job.id, job.klass)
