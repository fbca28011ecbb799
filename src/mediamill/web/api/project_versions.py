"""Frozen versions of projects, and their exports."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from mediamill.datasets.exporting import ExportFormat, Wanted
from mediamill.web.api.files import BYTES
from mediamill.web.api.project_members import Subset, Wait
from mediamill.web.gateway import gateway_of
from mediamill.web.parsing import (
    PROBLEM,
    After,
    Body,
    Limit,
    ProjectId,
    StrictRoute,
    VersionNumber,
    cursor,
)
from mediamill.web.security import Caller, Mill
from mediamill.web.serving import serve
from mediamill.web.submitting import StepBody
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.datasets import (
    DifferenceView,
    VersionView,
    difference_view,
    version_view,
)

router = APIRouter(
    prefix="/v1/projects/{project_id}/versions",
    tags=["projects"],
    responses=PROBLEM,
    route_class=StrictRoute,
)


class VersionBody(Body):
    name: str = Field("", max_length=200)
    steps: list[StepBody] = Field(
        [], max_length=20, description="Run over one subset first; the version holds the results."
    )
    seed: int | None = Field(None, ge=0, le=2**53 - 1, strict=True)
    subsets: list[Subset] = Field(["original"], min_length=1, max_length=3)


@router.post("", status_code=202)
async def create_version(
    project_id: ProjectId, body: VersionBody, caller: Caller, mill: Mill, response: Response
) -> VersionView:
    """Fix files, splits, annotations, classes and steps under a hash, in the background."""
    steps: tuple[tuple[str, dict[str, Any]], ...] = tuple(
        (step.operation, step.parameters) for step in body.steps
    )
    subsets = tuple(dict.fromkeys(body.subsets))
    version = await mill.datasets.versions.create(
        caller, project_id, body.name, steps, body.seed, subsets
    )
    view = version_view(version)
    response.headers["Location"] = view.links["self"]
    return view


@router.get("")
async def list_versions(
    project_id: ProjectId, caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[VersionView]:
    """List the versions of a project, newest first."""
    with cursor(after):
        page = await mill.datasets.versions.list(caller, project_id, after, limit)
    return listed([version_view(version) for version in page.rows], page.after)


@router.get("/{number}")
async def get_version(
    project_id: ProjectId,
    number: VersionNumber,
    caller: Caller,
    mill: Mill,
    request: Request,
    wait: Wait = 0,
) -> VersionView:
    """Show a version, at once or when it is made."""
    seconds = gateway_of(request.scope).patience(wait)
    return version_view(await mill.datasets.versions.wait(caller, project_id, number, seconds))


@router.delete("/{number}", status_code=204)
async def delete_version(
    project_id: ProjectId, number: VersionNumber, caller: Caller, mill: Mill
) -> None:
    """Remove a version for good; the project's files stay."""
    await mill.datasets.versions.delete(caller, project_id, number)


@router.get("/{number}/difference")
async def compare_versions(
    project_id: ProjectId,
    number: VersionNumber,
    caller: Caller,
    mill: Mill,
    to: Annotated[
        int | None, Query(ge=0, le=1_000_000_000, description="Another than the one before it.")
    ] = None,
) -> DifferenceView:
    """Tell how a version differs from another of the project, else from the ready one before it."""
    found = await mill.datasets.versions.difference(caller, project_id, number, to)
    return difference_view(found)


@router.get("/{number}/document", responses=BYTES, response_class=Response)
async def version_document(
    project_id: ProjectId, number: VersionNumber, caller: Caller, mill: Mill, request: Request
) -> Response:
    """Download the canonical document, whose SHA-256 is the version's hash."""
    return serve(request, await mill.datasets.versions.document(caller, project_id, number))


@router.head("/{number}/export", responses=BYTES, response_class=Response)
@router.get("/{number}/export", responses=BYTES, response_class=Response)
async def export_version(
    project_id: ProjectId,
    number: VersionNumber,
    caller: Caller,
    mill: Mill,
    request: Request,
    form: Annotated[
        ExportFormat, Query(alias="format", description="`webdataset` is a tar, the others zips.")
    ] = "files",
    split: Annotated[str | None, Query(pattern="^(train|validation|test)$")] = None,
    shard: Annotated[int | None, Query(ge=0, le=1_000_000, description="Of a tar.")] = None,
    shard_size: Annotated[
        int, Query(ge=1, le=100_000, description="Images of a shard: 1, 2 or 5 with noughts.")
    ] = 1_000,
    wait: Wait = 0,
    rest: Annotated[bool, Query(description="What is left, where images had to go.")] = False,
) -> Response:
    """Download a version; 409 with the progress until it is prepared, or `wait` for that."""
    sharded = form == "webdataset" and shard is not None
    wanted = Wanted(form, split, shard if sharded else None, shard_size if sharded else 0)
    seconds = gateway_of(request.scope).patience(wait)
    versions = mill.datasets.versions
    content = await versions.export(caller, project_id, number, wanted, seconds, rest=rest)
    return serve(request, content)
