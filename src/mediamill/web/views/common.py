"""What every view shares: pages of lists, problems, times."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from mediamill.core.clock import rfc3339

V = TypeVar("V")

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Dollars = Annotated[float, Field(ge=0, json_schema_extra={"x-unit": "US dollars"})]
MICRO = 1_000_000


class View(BaseModel):
    """Something that is only ever written."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Listed(View, Generic[V]):
    """A page of a list; pass `after` again to get what follows."""

    data: list[V]
    has_more: bool
    after: str | None = Field(None, description="Cursor of the next page; null on the last.")


def listed(rows: list[V], after: str | None) -> Listed[V]:
    return Listed(data=rows, has_more=after is not None, after=after)


def moment(milliseconds: int | None) -> str | None:
    """Write a time as RFC 3339, or None."""
    return None if milliseconds is None else rfc3339(milliseconds)


def dollars(micro: int | None) -> float | None:
    """Return micro-dollars as dollars, to the millionth."""
    return None if micro is None else micro / MICRO


class FieldError(View):
    pointer: str = Field(description="Where in the body, dotted.", examples=["steps.0.operation"])
    message: str


class Problem(View):
    """An error as RFC 9457 describes it."""

    type: str = Field(examples=["/problems/not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(examples=["There is no job job_01KAHRQPV0V3E3M2X5E2C8T2QG."])
    code: str = Field(description="Stable; what programs should look at.", examples=["not_found"])
    errors: list[FieldError] = Field(description="One entry per wrong field.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    instance: str = Field(description="Id of the request, as in the log.")
    details: dict[str, Any] | None = None
