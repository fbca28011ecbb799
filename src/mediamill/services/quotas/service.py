"""What a caller may have and do and how much of it is used; what administrators allow whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import Clock
from mediamill.core.errors import InvalidInput
from mediamill.engine.asking.models import Models
from mediamill.parts import Parts
from mediamill.services.accounts.roster import Roster
from mediamill.services.quotas.rates import RateLimits
from mediamill.services.roles import require_admin
from mediamill.store.repositories.allowances import Allowance, Limits, Quota
from mediamill.store.repositories.rates import WINDOW, Rates
from mediamill.store.repositories.spending import MICRO, Spending, month_of
from mediamill.store.repositories.usage import Usage, Usages, month_end
from mediamill.store.repositories.users import User

SPENDING = "spending"
"""Limited beside the quotas: dollars of model calls in a month (docs/how-to/spending.md)."""
MOST = (1 << 63) - 1


@dataclass(frozen=True)
class Used:
    """How much of one limit is used; None is no limit."""

    quota: str
    """One of `Quota`, or `SPENDING`, which is in dollars."""
    used: float
    limit: float | None
    resets: int | None = None
    """When it begins anew (ms), for what counts in a month or a minute."""
    needed: int = 0
    """What a job would take of it."""

    @property
    def exceeded(self) -> bool:
        """Whether what is needed would not fit."""
        return self.limit is not None and self.needed > 0 and self.used + self.needed > self.limit


@dataclass(frozen=True)
class Allowed:
    """What a user may have: what was given to them alone, and what holds with it."""

    user: User
    own: Allowance | None
    limits: Limits
    usage: Usage
    items: int
    """Items of this month."""


@dataclass(frozen=True)
class Desk:
    """Where limits of users are looked up and changed, by whoever may; users by id or address."""

    roster: Roster
    usages: Usages

    async def look(self, who: str) -> Allowed:
        """Return what a user may have and has; raises `NotFound`."""
        user = await self.roster.find(who)
        allowances, month = self.usages.allowances, month_of(await self.usages.store.now())
        own = await allowances.get(user.id)
        limits = allowances.common if own is None else own.over(allowances.common)
        monthly = await self.usages.in_month(user.id, month)
        return Allowed(user, own, limits, await self.usages.get(user.id), monthly.items)

    async def give(self, who: str, limits: Mapping[str, int | None]) -> Allowed:
        """Change some limits of a user: None is the installation's, 0 none at all.

        Raises `NotFound`, `InvalidInput`.
        """
        for name, most in limits.items():
            if most is not None and not 0 <= most <= MOST:
                raise InvalidInput.at(name, f"A limit is a whole number from 0 to {MOST}.")
        user = await self.roster.find(who)
        await self.usages.allowances.give(user.id, await self.usages.store.now(), **limits)
        facts: dict[str, Any] = dict(limits)
        note("quota_changed", user.id, **facts)
        return await self.look(user.id)

    async def reset(self, who: str) -> Allowed:
        """Let the installation's limits hold for a user; raises `NotFound`."""
        user = await self.roster.find(who)
        await self.usages.allowances.reset(user.id)
        note("quota_reset", user.id)
        return await self.look(user.id)


@dataclass(frozen=True)
class QuotaService:
    """Tells limits before they are met."""

    desk: Desk
    rates: RateLimits
    spending: Spending
    models: Models

    @classmethod
    def over(cls, parts: Parts, clock: Clock) -> "QuotaService":
        """Make it, and what counts requests, over open backends."""
        settings, nouns = parts.settings, parts.nouns
        rates = RateLimits(
            Rates(parts.store), nouns.usages.allowances, clock,
            settings.rate_previews or None, settings.rate_nobody or None,
        )  # fmt: skip
        desk = Desk(Roster.over(nouns.users, clock), nouns.usages)
        return cls(desk, rates, nouns.spending, parts.models)

    async def of(self, owner: str) -> list[Used]:
        """Return all limits of a user, and how much of each is used."""
        usages = self.desk.usages
        now, limits = await usages.store.now(), await usages.limits(owner)
        kept, month = await usages.get(owner), month_of(now)
        requests = await self.rates.used(owner) if limits.requests is not None else 0
        budget = (await self.models.budgets_of(owner)).owner
        ends = month_end(month)
        return [
            Used(Quota.BYTES, kept.bytes, limits.bytes),
            Used(Quota.FILES, kept.files, limits.files),
            Used(Quota.JOBS, kept.jobs, limits.jobs),
            Used(Quota.ITEMS, (await usages.in_month(owner, month)).items, limits.items, ends),
            Used(
                SPENDING,
                await self.spending.taken(owner, month) / MICRO,
                None if budget is None else budget / MICRO,
                ends,
            ),
            Used(Quota.REQUESTS, requests, limits.requests, (now // WINDOW + 1) * WINDOW),
        ]

    async def met_by(self, owner: str, items: int) -> list[Used]:
        """Return the limits that a job of so many items would meet; those of its results too.

        How many bytes it will make is not known: room for one is needed to begin.
        """
        needed = {Quota.JOBS: 1, Quota.ITEMS: items, Quota.BYTES: 1}
        told = [
            Used(one.quota, one.used, one.limit, one.resets, needed.get(Quota(one.quota), 0))
            for one in await self.of(owner)
            if one.quota != SPENDING
        ]
        return [one for one in told if one.exceeded]

    async def look(self, principal: Principal, user_id: str) -> Allowed:
        """Return a user's limits; administrators only. Raises `NotFound`."""
        require_admin(principal)
        return await self.desk.look(user_id)

    async def give(
        self, principal: Principal, user_id: str, limits: Mapping[str, int | None]
    ) -> Allowed:
        """Give a user limits of their own; administrators only. Raises `NotFound`."""
        require_admin(principal)
        return await self.desk.give(user_id, limits)

    async def reset(self, principal: Principal, user_id: str) -> Allowed:
        """Take a user's own limits away; administrators only. Raises `NotFound`."""
        require_admin(principal)
        return await self.desk.reset(user_id)
