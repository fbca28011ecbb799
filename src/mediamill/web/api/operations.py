"""Operations: what can be done, and the schema of each one's parameters."""

import inspect
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field, JsonValue

from mediamill.operations.base import Operation
from mediamill.web.parsing import PROBLEM, Body, StrictRoute
from mediamill.web.security import Caller, Mill, count_preview
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.jobs import StepView
from mediamill.web.views.operations import OperationView
from mediamill.web.views.previews import PreviewRequest, PreviewView, preview_view

router = APIRouter(
    prefix="/v1/operations", tags=["operations"], responses=PROBLEM, route_class=StrictRoute
)


@router.get("")
async def list_operations(mill: Mill) -> Listed[OperationView]:
    """List every operation with its schema."""
    names = mill.operations.names()
    return listed([operation_view(name, mill.operations.get(name)) for name in names], None)


class ParametersBody(Body):
    parameters: dict[str, JsonValue] = Field(max_length=200)


@router.post("/{name}/check")
async def check_parameters(
    name: Annotated[str, Path(max_length=100)], body: ParametersBody, caller: Caller, mill: Mill
) -> StepView:
    """Say whether parameters are right, without inputs; return them with all that is left out."""
    operation = mill.operations.build(name, dict(body.parameters), "parameters")
    return StepView(operation=name, parameters=operation.model_dump(mode="json"))


@router.get("/{name}")
async def get_operation(name: Annotated[str, Path(max_length=100)], mill: Mill) -> OperationView:
    """Show one operation."""
    return operation_view(name, mill.operations.get(name))


@router.post("/{name}/preview", dependencies=[Depends(count_preview)])
async def preview_operation(
    name: Annotated[str, Path(max_length=100)], caller: Caller, mill: Mill, body: PreviewRequest
) -> PreviewView:
    """Show what an operation's parameters do to an image of yours, in small pictures.

    `augment` shows each of its methods alone, with each range at its low end, its middle and its
    high end. Other operations show the image before and after; `preprocess` then each number that
    its methods go by, at the least that is allowed, as it is set, and at the most. `whole` leaves
    it at before and after, for `augment` too.
    """
    shown = await mill.previews.show(
        caller, name, body.file, body.parameters, body.seed, whole=body.whole
    )
    return preview_view(shown)


@cache
def operation_view(name: str, operation: type[Operation]) -> OperationView:
    """Describe an operation by what its class says of itself; whoever asks gets the same object."""
    summary = (inspect.getdoc(operation) or name).partition("\n")[0]
    return OperationView(
        name=name,
        summary=summary,
        accepts=list(operation.accepts),
        gives=operation.gives,
        schema_=operation.model_json_schema(),
    )
