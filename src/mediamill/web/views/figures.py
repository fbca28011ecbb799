"""Figures as they look outside: sums, with what follows from them; money in US dollars."""

import math

from pydantic import Field

from mediamill.services.figures import LONGEST, Answer, Group
from mediamill.store.repositories.figures import About
from mediamill.web.views.common import MICRO, Count, Dollars, Fraction, View

Seconds = float | None


class SumsView(View):
    """What some figures come to; what is not counted of such things is 0."""

    count: Count = Field(description="Files, items, jobs or calls.")
    succeeded: Count = Field(
        description="Of them: `received`, `succeeded`, `reused` or `answered`.", examples=[1180]
    )
    failed: Count = Field(
        description="Of them: `rejected`, `refused`, `failed` or `partial`.", examples=[20]
    )
    success_rate: Fraction | None = Field(
        description="Succeeded of what succeeded or failed; null for nothing.", examples=[0.983]
    )
    bytes: Count = Field(description="Of files that came in or went, or of items’ inputs.")
    items: Count = Field(description="Of jobs that ended.")
    results: Count = Field(description="Files that were made.")
    result_bytes: Count
    timed: Count = Field(description="Of how many it is known how long they took.")
    seconds_mean: Seconds = Field(description="Null where that is known of none.")
    seconds_p50: Seconds = Field(
        description="Estimated: half took no longer; null where nothing is `timed`, and beyond "
        f"{LONGEST:,.0f}."
    )
    seconds_p95: Seconds = Field(description="Estimated: 95 % took no longer; likewise.")
    input_tokens: Count
    output_tokens: Count
    images: Count
    cost: Dollars


class GroupView(SumsView):
    """Figures that have the same names; those that were not asked for are null."""

    day: str | None = Field(examples=["2026-11-22"])
    customer: str | None = Field(description="Empty for accounts without one.")
    source: str | None = Field(examples=["upload"])
    media_type: str | None = Field(examples=["image/jpeg"])
    operation: str | None = Field(description="Steps that ran together.", examples=["resize+flip"])
    provider: str | None
    model: str | None
    status: str | None = Field(examples=["succeeded"])


class AnswerView(View):
    about: About
    first: str = Field(description="The first day.", examples=["2026-10-24"])
    last: str
    data: list[GroupView] = Field(description="By day, where that is asked; the largest first.")
    total: SumsView


def answer_view(answer: Answer) -> AnswerView:
    question = answer.question
    return AnswerView(
        about=question.about, first=question.first, last=question.last,
        data=[group_view(group) for group in answer.groups], total=SumsView(**_sums(answer.total)),
    )  # fmt: skip


def group_view(group: Group) -> GroupView:
    names = {name: group.names.get(name) for name in NAMES}
    return GroupView(**_sums(group), **names)


SUMS = tuple(SumsView.model_fields)
NAMES = tuple(name for name in GroupView.model_fields if name not in SumsView.model_fields)


def _sums(group: Group) -> dict[str, float | int | None]:
    counted = (
        "count", "bytes", "items", "results", "result_bytes", "timed", "input_tokens",
        "output_tokens", "images",
    )  # fmt: skip
    return {
        **{name: group.sums[name] for name in counted},
        "succeeded": group.good,
        "failed": group.bad,
        "success_rate": _part(group),
        "seconds_mean": _rounded(group.mean),
        "seconds_p50": _rounded(group.quantile(0.5)),
        "seconds_p95": _rounded(group.quantile(0.95)),
        "cost": group.sums["cost"] / MICRO,
    }


def _part(group: Group) -> float | None:
    """Return which part went well, never rounded to all where anything failed."""
    if group.success is None:
        return None
    return min(round(group.success, 6), 1 - 1e-6) if group.bad else 1.0


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else round(seconds, 4)
