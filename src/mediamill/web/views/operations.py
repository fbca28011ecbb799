"""Operations as they look outside."""

from typing import Any

from pydantic import Field

from mediamill.web.views.common import View


class OperationView(View):
    name: str = Field(examples=["extract-frames"])
    summary: str
    accepts: list[str] = Field(examples=[["video/*"]])
    gives: str
    schema_: dict[str, Any] = Field(
        serialization_alias="schema", description="JSON Schema of its parameters."
    )
