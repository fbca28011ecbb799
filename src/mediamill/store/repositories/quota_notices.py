"""Notices of quotas: who was told that how much of which is used, each part once a month."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Key, Record
from mediamill.store.port import Absent, Put, Store
from mediamill.store.repositories.spending import month_of
from mediamill.store.repositories.units import Unit, Units

KIND = "quota"
NEAR, REACHED = 80, 100
"""Parts of a quota that are told, in percent."""


class QuotaNotice(Record, frozen=True, kw_only=True):
    """Says that a user was told how much of a quota is used."""

    table = "quota_notices"
    key = Key("owner", "quota", "month", "most", "percent")

    owner: str
    quota: str
    """`bytes`, `files` or `items`."""
    month: str
    """In which they were told, `2026-11`."""
    most: int
    """The quota: another one is told of anew."""
    percent: int
    created: int


@dataclass(frozen=True)
class QuotaNews:
    """How much of a quota is used, as its user is told."""

    owner: str
    quota: str
    month: str
    most: int
    percent: int
    """The part that is passed."""
    used: int

    def unit(self, now: int) -> Unit:
        """Make the unit that tells it."""
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        group = f"{KIND}:{self.owner}:{self.quota}:{self.month}:{self.most}:{self.percent}"
        told: dict[str, Any] = {KIND: facts}
        return Unit.notice(KIND, group, 0, self.owner, now=now, **told)


async def tell(store: Store, owner: str, quota: str, used: int, most: int) -> None:
    """See to it that a user is told once that much of a quota is used; nothing where it is not.

    Whoever dies before leaves it to who next takes something of it.
    """
    percent = REACHED if used >= most else NEAR if used * 100 >= most * NEAR else 0
    if not percent:
        return
    now = await store.now()
    key = (owner, quota, month_of(now), most, percent)
    if await store.get(QuotaNotice, *key) is not None:
        return
    news = QuotaNews(*key, used)
    notice = QuotaNotice(
        owner=owner, quota=quota, month=news.month, most=most, percent=percent, created=now
    )
    with suppress(ConditionFailed):  # another was first
        await Units(store).insert([news.unit(now)], Put(notice, when=(Absent(),)))
