"""Rows that stay when somebody is erased, and name nobody any more.

acts      the trail of an installation is kept for its security (docs/adr/0060-privacy.md): what was
          done and when stays, by whom is a name that is nobody's. From where, and on which record,
          goes
daily     sums of what came in are counted to nobody
others'   what was drawn, asked for or set up among what belongs to others

An act names users as `actor` and `about` and nowhere else (`core/acts.py`), so all are found by
these.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Record
from mediamill.services.privacy.finding import Who, pages
from mediamill.services.privacy.inventory import holding
from mediamill.store.port import Absent, Delete, Equals, Exists, Put, Store, Update, key_index
from mediamill.store.repositories.annotation_rows import AnnotationHistory, FileAnnotations
from mediamill.store.repositories.audit import NOBODY, Act
from mediamill.store.repositories.budgets import ALL as BUDGETS
from mediamill.store.repositories.budgets import BudgetRow
from mediamill.store.repositories.daily import Daily
from mediamill.store.repositories.datasets import DatasetVersion, ProjectShare, ProjectTask
from mediamill.store.repositories.erasures import Former
from mediamill.store.repositories.providers import ProviderRow
from mediamill.store.repositories.templates import TemplateShare

ERASED = "erased"
"""Whose the sums are of those who are gone."""
SUMS = ("files", "bytes", "items", "results", "result_bytes")
VISITS: Mapping[type[Record], str] = {
    ProjectShare: "project", TemplateShare: "template", Former: "record",
}  # fmt: skip
"""Kinds that say where the user is a guest, or was, and the field that names it."""
DRAWN = (FileAnnotations, AnnotationHistory, DatasetVersion)
"""Kinds whose rows in others' projects name in `user` who made or changed them."""

_ID = re.compile(r"[a-z]{2,12}_[0-9A-HJKMNP-TV-Z]{26}")


def pseudonym(erasure_id: str) -> str:
    """Return what acts name in place of a user: known from the receipt, and from nothing else."""
    return f"{ERASED}_{erasure_id.rpartition('_')[2]}"


@dataclass(frozen=True)
class Nameless:
    """Takes one user's name out."""

    store: Store
    who: Who
    instead: str
    """What stands in its place in the trail."""

    async def all(self) -> None:
        """Take it out of all that stays; again is harmless.

        A task that is at work keeps it, since it may write it still: see `working`.
        """
        async for record in self._visited():
            for kind in DRAWN:
                await self._field(kind, "user", pages(self.store, kind, key_index(kind), record))
            ended = (task async for task in self._tasks(record) if task.state.terminal)
            await self._field(ProjectTask, "user", ended)
        async for act in holding(Act).find(self.store, self.who):
            await self._clean(act, gone=False)
        async for row in holding(Daily).find(self.store, self.who):
            await self._to_nobody(row)
        budgets = pages(self.store, BudgetRow, BudgetRow.index("budget_all"), BUDGETS)
        await self._field(BudgetRow, "by", budgets)
        index = ProviderRow.index("provider_all")
        await self._field(ProviderRow, "by", pages(self.store, ProviderRow, index, BUDGETS))

    async def working(self) -> bool:
        """Tell whether others' projects have work that the user asked for: it may name them yet."""
        async for record in self._visited():
            async for task in self._tasks(record):
                if not task.state.terminal:
                    return True
        return False

    async def acts_about(self, record: str) -> None:
        """Take out of the acts what they say of a record of the user's."""
        async for act in pages(self.store, Act, Act.index("audit_about"), record):
            await self._clean(act, gone=True)

    async def _visited(self) -> AsyncIterator[str]:
        """Visit what others have shared with the user, now or once."""
        for kind, field in VISITS.items():
            async for row in pages(self.store, kind, key_index(kind), self.who.id):
                yield getattr(row, field)

    async def _tasks(self, project: str) -> AsyncIterator[ProjectTask]:
        """Visit what the user has asked for in a project."""
        async for task in pages(self.store, ProjectTask, key_index(ProjectTask), project):
            if task.user == self.who.id:
                yield task

    async def _clean(self, act: Act, *, gone: bool) -> None:
        """Write an act without what it says of the user, and of the record that it is about."""
        theirs, of_them = act.actor == self.who.id, act.about == self.who.id
        named: Callable[[Any], bool] = self._tells_id if theirs or gone else self._tells_user
        facts = {name: one for name, one in act.details.items() if not named(one)}
        fields: dict[str, Any] = {"details": facts}
        if theirs:
            fields["actor"] = self.instead
        if of_them:
            fields["about"] = self.instead
        elif theirs or gone:
            fields["about"] = None
        if theirs or (of_them and act.actor == NOBODY):
            fields |= {"address": "", "agent": "", "request": ""}
        if any(getattr(act, name) != one for name, one in fields.items()):
            with suppress(ConditionFailed):  # it is so old that it went meanwhile
                await self.store.transact(Update(Act, (act.id,), set=fields, when=(Exists(),)))

    def _tells_user(self, fact: Any) -> bool:
        text = msgspec.json.encode(fact).decode()
        return self.who.id in text or bool(self.who.email and self.who.email in text)

    def _tells_id(self, fact: Any) -> bool:
        return self._tells_user(fact) or _ID.search(msgspec.json.encode(fact).decode()) is not None

    async def _field(self, kind: type[Record], field: str, rows: AsyncIterator[Any]) -> None:
        """Empty a field of rows that names the user."""
        async for row in rows:
            if getattr(row, field) == self.who.id:
                with suppress(ConditionFailed):  # it went meanwhile
                    change = Update(kind, row.key_values(), set={field: ""}, when=(Exists(),))
                    await self.store.transact(change)

    async def _to_nobody(self, row: Daily) -> None:
        """Count sums to nobody, once, whatever goes on beside."""
        while True:
            nobody = row.evolve(owner=ERASED)
            adding: dict[str, int | float] = {name: getattr(row, name) for name in SUMS}
            there = await self.store.get(Daily, *nobody.key_values())
            counted = (
                Put(nobody, when=(Absent(),))
                if there is None
                else Update(Daily, nobody.key_values(), add=adding)
            )
            same = tuple(Equals(name, getattr(row, name)) for name in SUMS)
            with suppress(ConditionFailed):  # somebody else counted at this moment
                await self.store.transact(counted, Delete(Daily, row.key_values(), when=same))
                return
            found = await self.store.get(Daily, *row.key_values())
            if found is None:
                return
            row = found
