"""Attempts, sums and budgets as they look outside; money in US dollars."""

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.models.ledger import ItemMoney, JobMoney
from mediamill.services.models.spending import Allowance, Month, UserSpent
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.budgets import BudgetRow
from mediamill.store.repositories.spending import Spent, SpentDay
from mediamill.web.views.common import MICRO, Count, Dollars, Time, View, dollars, moment


class AttemptView(View):
    """One call of one provider, or why there was none."""

    stage: Count
    item: Count = Field(description="Place among the inputs of the stage.")
    question: str = Field(description="Which of the item’s questions.")
    number: Count = Field(description="Which of the calls for it, from 0.")
    operation: str
    provider: str
    model: str
    state: str = Field(
        description="`answered`; `invalid`, `declined`, `limited`, `unavailable`, `refused`: it "
        "gave nothing that would do; `unknown`: cut off, counted as the most it could cost; "
        "`skipped`: not called; `asked`, `journaled`: under way."
    )
    code: str
    error: str = Field(description="Why the next provider was asked; empty for an answer.")
    began_at: Time
    ended_at: Time | None
    milliseconds: Count
    input_tokens: Count
    output_tokens: Count
    images: Count
    cost: Dollars
    reserved: Dollars = Field(description="The most that it could cost.")
    request: str = Field(description="The provider’s own id of the call.")


def attempt_view(row: Attempt) -> AttemptView:
    return AttemptView(
        stage=row.stage,
        item=row.item,
        question=row.name,
        number=row.number,
        operation=row.operation,
        provider=row.provider,
        model=row.model,
        state=row.state,
        code=row.code,
        error=row.error,
        began_at=rfc3339(row.began),
        ended_at=moment(row.ended),
        milliseconds=row.milliseconds,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        images=row.images,
        cost=row.cost / MICRO,
        reserved=row.reserved / MICRO,
        request=row.request,
    )


class SpentView(View):
    """What calls of one model for one operation came to."""

    operation: str = Field(examples=["caption"])
    provider: str
    model: str
    calls: Count
    failed: Count = Field(description="Of the calls, those that gave nothing that would do.")
    input_tokens: Count
    output_tokens: Count
    images: Count
    cost: Dollars


def spent_view(row: Spent) -> SpentView:
    return SpentView(**_sums(row))


def _sums(row: Spent) -> dict[str, str | int | float]:
    names = (
        "operation", "provider", "model", "calls", "failed", "input_tokens", "output_tokens",
        "images",
    )  # fmt: skip
    return {**{name: getattr(row, name) for name in names}, "cost": row.cost / MICRO}


class UserSpentView(SpentView):
    user: str = Field(examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    email: str = Field(description="Empty for who is gone.")
    name: str


def user_spent_view(one: UserSpent) -> UserSpentView:
    user = one.user
    return UserSpentView(
        **_sums(one.spent),
        user=one.spent.owner,
        email=user.email if user else "",
        name=user.name if user else "",
    )


class AllowedView(View):
    """What bounds model calls in a month."""

    monthly: Dollars | None = Field(description="The most; null for no limit.")
    taken: Dollars = Field(description="Spent, and held for calls that are under way.")
    spent: Dollars = Field(description="Of it, booked; mails about budgets go by this.")
    left: Dollars | None
    own: bool = Field(description="Whether an administrator set it, rather than the settings.")


def allowance_view(one: Allowance) -> AllowedView:
    return AllowedView(
        monthly=dollars(one.most), taken=one.taken / MICRO, spent=one.spent / MICRO,
        left=dollars(one.left), own=one.own,
    )  # fmt: skip


class DayView(View):
    """What was spent on a day (UTC)."""

    day: str = Field(examples=["2026-11-22"])
    calls: Count
    failed: Count
    cost: Dollars


def day_view(row: SpentDay) -> DayView:
    return DayView(day=row.day, calls=row.calls, failed=row.failed, cost=row.cost / MICRO)


class EverybodyView(AllowedView):
    """What all have spent in a month."""

    month: str = Field(examples=["2026-11"])
    days: list[DayView] = Field(description="Those on which models were asked.")


def everybody_view(month: Month) -> EverybodyView:
    bounds = allowance_view(month.allowance).model_dump()
    return EverybodyView(**bounds, month=month.month, days=[day_view(row) for row in month.days])


class MonthView(View):
    month: str = Field(examples=["2026-11"])
    cost: Dollars = Field(description="Booked; what runs now is booked when its unit ends.")
    budget: AllowedView
    spent: list[SpentView]
    days: list[DayView] = Field(description="Those on which models were asked.")


def month_view(month: Month) -> MonthView:
    return MonthView(
        month=month.month,
        cost=month.cost / MICRO,
        budget=allowance_view(month.allowance),
        spent=[spent_view(row) for row in month.spent],
        days=[day_view(row) for row in month.days],
    )


class BudgetView(View):
    scope: str = Field(description="Id of a user, or `everybody`.")
    monthly: Dollars | None
    changed_at: Time
    changed_by: str


def budget_view(row: BudgetRow) -> BudgetView:
    return BudgetView(
        scope=row.scope,
        monthly=dollars(row.monthly),
        changed_at=rfc3339(row.changed),
        changed_by=row.by,
    )


class JobMoneyView(View):
    """What a job’s model calls have cost."""

    cost: Dollars
    held: Dollars = Field(description="Taken out for calls under way; some of it comes back.")
    budget: Dollars | None
    spent: list[SpentView] = Field(description="By operation, provider and model.")


def job_money_view(money: JobMoney | None) -> JobMoneyView | None:
    if money is None:
        return None
    return JobMoneyView(
        cost=money.cost / MICRO,
        held=money.held / MICRO,
        budget=dollars(money.budget),
        spent=[spent_view(row) for row in money.spent],
    )


class ItemMoneyView(View):
    """What an item’s model calls have cost, and who answered."""

    cost: Dollars
    calls: Count
    providers: list[str] = Field(description="Who gave answers that would do.")


def item_money_view(money: ItemMoney | None) -> ItemMoneyView | None:
    if money is None:
        return None
    return ItemMoneyView(cost=money.cost / MICRO, calls=money.calls, providers=[*money.providers])
