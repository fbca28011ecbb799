"""Writes down what was done and denied.

What was done is a row each. What was denied is counted: the same by the same within a minute is one
row, and of the records that somebody tries in a minute only the first are named. So a flood of
requests costs a write now and then, and a few rows.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from mediamill.core.acts import Acts, Noted
from mediamill.core.clock import MINUTE, Clock
from mediamill.core.errors import MediamillError
from mediamill.core.ids import new_id
from mediamill.store.port import MAX_ACTIONS, Action, Put, Store, Update
from mediamill.store.repositories.audit import NOBODY, Act, Verdict

NAMED = 20
"""Records that one may be denied in a minute until the others are not named any more."""
MANY = 10_000
"""Kinds of denial in a minute, until who was denied is not told apart any more."""
SECONDS = 2.0
"""How long an answer waits at most until it is written down what it denies."""
Kind = tuple[str, str, str | None, str]

log = structlog.get_logger(__name__)


@dataclass
class Trail:
    """One a process; `close` it, so that nothing is lost."""

    store: Store
    clock: Clock
    _minute: int = 0
    _rows: dict[Kind, str] = field(default_factory=dict)
    """The rows of this minute's denials."""
    _named: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, Act] = field(default_factory=dict)
    """What is to be written next, by the row's id; `count` is what is to be added."""
    _written: set[str] = field(default_factory=set)
    _writing: asyncio.Task[None] | None = None

    async def write(self, acts: Acts, actor: str) -> None:
        """Write down what a request has done, and what it was denied.

        Nothing is raised: it has happened, whether or not there is a row. The log says what is not
        written.
        """
        done = [self._act(one, acts, actor) for one in acts.noted if not one.denied]
        try:
            for start in range(0, len(done), MAX_ACTIONS):
                await self.store.transact(*map(Put, done[start : start + MAX_ACTIONS]))
        except MediamillError as error:
            self._lost(done, error)
        if denied := [one for one in acts.noted if one.denied]:
            for one in denied:
                self._count(self._act(one, acts, actor))
            await self._flushed()

    async def close(self) -> None:
        """Write down what is still to be."""
        while self._waiting or self._writing:
            await self._flushed()

    def _act(self, noted: Noted, acts: Acts, actor: str) -> Act:
        origin = acts.origin
        return Act(
            id=new_id("audit"),
            action=noted.action,
            verdict=Verdict.DENIED if noted.denied else Verdict.DONE,
            actor=noted.actor or actor,
            about=noted.about,
            address=origin.address,
            agent=origin.agent,
            request=origin.request,
            details=noted.details,
        )

    def _count(self, act: Act) -> None:
        """Count a denial to its row, or begin one."""
        if (minute := self.clock.now() // MINUTE) != self._minute:
            self._minute = minute
            self._rows.clear()
            self._named.clear()
            self._written &= self._waiting.keys()
        who = act.address if act.actor == NOBODY else act.actor
        kind = (act.action, who, act.about, str(act.details.get("route", "")))
        if kind not in self._rows:
            self._named[who] = self._named.get(who, 0) + 1
            if self._named[who] > NAMED and act.about is not None:
                act, kind = act.evolve(about=None), (kind[0], who, None, kind[3])
            if len(self._rows) > MANY:
                act = act.evolve(actor=NOBODY, about=None, address="", agent="", details={})
                kind = (act.action, "", None, "")
        row = self._rows.setdefault(kind, act.id)
        before = self._waiting.get(row)
        self._waiting[row] = act.evolve(id=row, count=1 + (before.count if before else 0))

    async def _flushed(self) -> None:
        """Wait until what is to be written is; many who wait share a write."""
        if self._writing is None:
            self._writing = asyncio.create_task(self._flush())
        try:
            async with asyncio.timeout(SECONDS):
                await asyncio.shield(self._writing)
        except TimeoutError:
            return  # it goes on

    async def _flush(self) -> None:
        try:
            while self._waiting:
                acts = list(self._waiting.values())[:MAX_ACTIONS]
                for act in acts:
                    del self._waiting[act.id]
                try:
                    await self.store.transact(*map(self._writing_of, acts))
                except MediamillError as error:
                    self._lost(acts, error)
                else:
                    self._written.update(act.id for act in acts)
        finally:
            self._writing = None

    def _writing_of(self, act: Act) -> Action:
        if act.id in self._written:
            return Update(Act, (act.id,), add={"count": act.count})
        return Put(act)

    def _lost(self, acts: Sequence[Act], error: MediamillError) -> None:
        for act in acts:
            log.error(
                "not in the audit trail", action="audit_lost", act=act.action, actor=act.actor,
                about=act.about, verdict=act.verdict.value, count=act.count, error=error.message,
            )  # fmt: skip
