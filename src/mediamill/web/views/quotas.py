"""Limits and what is used of them, as they look outside."""

from pydantic import Field

from mediamill.services.quotas.service import Allowed, Used
from mediamill.store.repositories.allowances import Limits, Quota
from mediamill.web.views.common import Count, Time, View, moment

NAMES = "bytes, files, jobs (open at a time), items (of this month), spending (dollars of this "
NAMES += "month), or requests (of this minute)."


class QuotaView(View):
    """One limit, and where its user stands."""

    quota: str = Field(description=f"What is limited: {NAMES}", examples=["files"])
    used: float = Field(ge=0, description="How much is used.", examples=[41])
    limit: float | None = Field(
        description="The most that may be; null for no limit.", examples=[100]
    )
    resets_at: Time | None = Field(
        description="When it is counted anew; null for what is kept until it is deleted or ends."
    )


class ShortView(QuotaView):
    """A limit that a job would meet."""

    needed: Count = Field(description="How much the job would take of it, or its least.")


class LimitsView(View):
    bytes: int | None
    files: int | None
    jobs: int | None
    items: int | None
    requests: int | None


class QuotaOfUserView(View):
    """What one user may have."""

    user: str = Field(examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    own: LimitsView = Field(
        description="What was given to this user alone: null is as for all, 0 is no limit."
    )
    limits: LimitsView = Field(description="What holds for them: null is no limit.")
    used: LimitsView = Field(description="What they keep, have open, and ran this month.")


def quota_view(one: Used) -> QuotaView:
    return QuotaView(quota=one.quota, used=one.used, limit=one.limit, resets_at=moment(one.resets))


def short_view(one: Used) -> ShortView:
    return ShortView(
        quota=one.quota, used=one.used, limit=one.limit, resets_at=moment(one.resets),
        needed=one.needed,
    )  # fmt: skip


def allowance_view(allowed: Allowed) -> QuotaOfUserView:
    usage = allowed.usage
    used = {"bytes": usage.bytes, "files": usage.files, "jobs": usage.jobs, "items": allowed.items}
    return QuotaOfUserView(
        user=allowed.user.id,
        own=LimitsView(**{quota.value: getattr(allowed.own, quota, None) for quota in Quota}),
        limits=_limits(allowed.limits),
        used=LimitsView(**used, requests=None),
    )


def _limits(limits: Limits) -> LimitsView:
    return LimitsView(**{quota.value: limits.of(quota) for quota in Quota})
