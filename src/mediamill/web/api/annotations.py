"""Annotations of projects: drawn on files, listed, imported, exported; and their classes."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from mediamill.annotations.coco import mirrored
from mediamill.annotations.model import Category, ImageAnnotations
from mediamill.core.access import Principal
from mediamill.services.annotations.classes import Uses
from mediamill.services.annotations.service import AnnotationService, Drawn, Patch
from mediamill.web.parsing import (
    PROBLEM,
    After,
    Body,
    FileId,
    Limit,
    ProjectId,
    StrictRoute,
    TaskId,
    cursor,
)
from mediamill.web.security import Caller, Mill
from mediamill.web.serving import disposition
from mediamill.web.views.annotations import (
    AnnotationsBody,
    ClassesView,
    ClassName,
    ClassView,
    DrawnView,
    FindingView,
    PatchBody,
    class_view,
    drawn_view,
)
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.datasets import TaskView, task_view

router = APIRouter(
    prefix="/v1/projects", tags=["annotations"], responses=PROBLEM, route_class=StrictRoute
)

NONE = -1
"""The revision of an entity tag that is not one of ours."""
Form = Literal["coco", "yolo", "voc"]
ClassNumber = Annotated[int, Path(ge=0, le=2**53)]
IfMatch = Annotated[
    str | None,
    Header(
        max_length=100,
        description="`ETag` of what you read, or `*` for whichever is there; else 412.",
    ),
]
Point = Annotated[str, Field(min_length=1, max_length=200)]
Pair = Annotated[list[Annotated[int, Field(ge=0, le=1_000)]], Field(min_length=2, max_length=2)]


class ClassBody(Body):
    name: ClassName
    supercategory: str = Field("", max_length=200)
    colour: str = Field("", pattern=r"^(#[0-9a-fA-F]{6})?$")
    keypoints: list[Point] = Field(default_factory=list, max_length=1_000)
    skeleton: list[Pair] = Field(default_factory=list, max_length=10_000)
    pairs: list[Pair] | None = Field(
        None, max_length=1_000, description="Left out: of names that differ in left and right."
    )


class ClassPatch(Body):
    """What a class becomes; what is not given stays."""

    name: ClassName | None = None
    supercategory: str | None = Field(None, max_length=200)
    colour: str | None = Field(None, pattern=r"^(#[0-9a-fA-F]{6})?$")
    keypoints: list[Point] | None = Field(None, max_length=1_000)
    skeleton: list[Pair] | None = Field(None, max_length=10_000)
    pairs: list[Pair] | None = Field(None, max_length=1_000)


class MergeBody(Body):
    into: int = Field(ge=0, le=2**53, description="Number of the class that stays.")


class AnnotationsImportBody(Body):
    file: str = Field(max_length=100, description="Id of an uploaded file: JSON, XML, text or zip.")
    format: Form | None = Field(None, description="Left out: told by what is in the file.")
    dry_run: bool = Field(False, description="Check only; nothing is stored.")
    skip_invalid: bool = Field(False, description="Store what is right, and leave out the rest.")
    apply_splits: bool = Field(False, description="Move files to the splits that the set says.")


def _revision(if_match: str | None) -> int | None:
    """Read `If-Match`: without one nothing may be there yet; what is no tag fits nothing."""
    if if_match is None:
        return 0
    tag = if_match.strip()
    if tag == "*":
        return None
    digits = tag[2:-1]
    known = tag.startswith('"a') and tag.endswith('"') and digits.isascii() and digits.isdigit()
    return int(digits) if known and len(digits) <= 18 else NONE


def _seen(if_match: IfMatch = None) -> int | None:
    """Return the revision that a change is made over: without `If-Match` there may be none yet."""
    return _revision(if_match)


def _whichever(if_match: IfMatch = None) -> int | None:
    """Return the revision that a change is made over: without `If-Match` what is there then."""
    return None if if_match is None else _revision(if_match)


Seen = Annotated[int | None, Depends(_seen)]
Whichever = Annotated[int | None, Depends(_whichever)]


@dataclass(frozen=True)
class Asking:
    """Who asks about what is drawn on which file, and the answer whose entity tag tells of it."""

    project_id: ProjectId
    file_id: FileId
    caller: Caller
    mill: Mill
    response: Response

    @property
    def drawing(self) -> AnnotationService:
        return self.mill.annotations.drawing

    @property
    def place(self) -> tuple[Principal, str, str]:
        return self.caller, self.project_id, self.file_id

    def answer(self, drawn: Drawn) -> DrawnView:
        """Return what is drawn as it is shown, with its revision as `ETag`."""
        self.response.headers["ETag"] = f'"a{drawn.revision}"'
        return drawn_view(drawn)


Asked = Annotated[Asking, Depends()]


@router.get("/{project_id}/files/{file_id}/annotations")
async def get_annotations(asked: Asked) -> DrawnView:
    """Show what is drawn on a file in a project."""
    return asked.answer(await asked.drawing.get(*asked.place))


@router.put("/{project_id}/files/{file_id}/annotations")
async def put_annotations(asked: Asked, body: AnnotationsBody, revision: Seen) -> DrawnView:
    """Replace all that is drawn on a file; what is there already asks for `If-Match`."""
    content = ImageAnnotations(
        0,
        0,
        tuple(one.annotation() for one in body.annotations),
        tuple(body.labels),
        dict(body.extra),
    )
    return asked.answer(await asked.drawing.put(*asked.place, content, revision))


@router.patch("/{project_id}/files/{file_id}/annotations")
async def patch_annotations(asked: Asked, body: PatchBody, revision: Whichever) -> DrawnView:
    """Add, change and remove some annotations; without `If-Match`, of what is there now."""
    patch = Patch(
        [one.annotation() for one in body.add],
        [one.annotation() for one in body.change],
        body.remove,
        body.labels,
    )
    return asked.answer(await asked.drawing.patch(*asked.place, patch, revision))


@router.delete("/{project_id}/files/{file_id}/annotations")
async def delete_annotations(asked: Asked, revision: Seen) -> DrawnView:
    """Remove all that is drawn on a file, which asks for `If-Match`; it can be taken back."""
    return asked.answer(await asked.drawing.put(*asked.place, ImageAnnotations(0, 0), revision))


@router.post("/{project_id}/files/{file_id}/annotations/undo")
async def undo_annotations(asked: Asked, revision: Whichever) -> DrawnView:
    """Take the last change back; again for the one before. 409 when none is kept."""
    return asked.answer(await asked.drawing.undo(*asked.place, revision))


@router.get("/{project_id}/annotations")
async def list_annotations(
    project_id: ProjectId,
    caller: Caller,
    mill: Mill,
    class_: Annotated[
        str | None, Query(alias="class", max_length=200, description="Files with this class.")
    ] = None,
    after: After = None,
    limit: Limit = 20,
) -> Listed[DrawnView]:
    """List files with what is drawn on them; with a class a page may hold fewer."""
    with cursor(after):
        page = await mill.annotations.drawing.page(caller, project_id, after, limit, class_)
    return listed([drawn_view(one) for one in page.rows], page.after)


@router.post("/{project_id}/annotations/import", status_code=202)
async def import_annotations(
    project_id: ProjectId,
    body: AnnotationsImportBody,
    caller: Caller,
    mill: Mill,
    response: Response,
) -> TaskView:
    """Check a set of annotations, then put it on the project’s files, in the background.

    Nothing is stored while there are errors, unless they are to be skipped. The task’s outcome
    counts what was found; `…/annotations/imports/{task}/findings` lists what is wrong for a day.
    `…/tasks/{task}/undo` takes all of it back, but for what somebody has drawn since.
    """
    task = await mill.annotations.transfers.begin(
        caller,
        project_id,
        body.file,
        body.format or "",
        dry_run=body.dry_run,
        skip_invalid=body.skip_invalid,
        apply_splits=body.apply_splits,
    )
    response.headers["Location"] = f"/v1/projects/{project_id}/tasks/{task.id}"
    return task_view(task)


@router.get("/{project_id}/annotations/imports/{task_id}/findings")
async def list_findings(
    project_id: ProjectId,
    task_id: TaskId,
    caller: Caller,
    mill: Mill,
    after: After = None,
    limit: Limit = 20,
) -> Listed[FindingView]:
    """List what is wrong with a set that was checked, with its place and what to do."""
    with cursor(after):
        page = await mill.annotations.transfers.findings(caller, project_id, task_id, after, limit)
    found = [FindingView(**msgspec.structs.asdict(one)) for one in page.rows]
    return listed(found, page.after)


@router.get("/{project_id}/annotations/export", response_class=StreamingResponse)
async def export_annotations(
    project_id: ProjectId,
    caller: Caller,
    mill: Mill,
    form: Annotated[Form, Query(alias="format")] = "coco",
) -> StreamingResponse:
    """Download all annotations as they are now: COCO as JSON, YOLO and VOC as a zip."""
    made = await mill.annotations.transfers.export(caller, project_id, form)
    headers = {"Content-Length": str(made.size), "Content-Disposition": disposition(made.name)}
    return StreamingResponse(made.chunks, media_type=made.media_type, headers=headers)


@router.get("/{project_id}/classes")
async def list_classes(
    project_id: ProjectId,
    caller: Caller,
    mill: Mill,
    counts: Annotated[bool, Query(description="Count files and annotations of each.")] = False,
) -> ClassesView:
    """List the classes of a project, by number."""
    found = await mill.annotations.classes.list(caller, project_id)
    if not counts:
        return ClassesView(data=[class_view(one) for one in found], counted=False)
    uses, whole = await mill.annotations.classes.uses(caller, project_id)
    data = [class_view(one, uses.get(one.number, Uses())) for one in found]
    return ClassesView(data=data, counted=whole)


@router.post("/{project_id}/classes", status_code=201)
async def add_class(
    project_id: ProjectId, body: ClassBody, caller: Caller, mill: Mill
) -> ClassView:
    """Add a class; 409 when there is one of that name."""
    pairs = body.pairs if body.pairs is not None else mirrored(body.keypoints)
    category = Category(
        -1,
        body.name,
        body.supercategory,
        body.colour,
        tuple(body.keypoints),
        _pairs(body.skeleton),
        _pairs(pairs),
    )
    return class_view(await mill.annotations.classes.add(caller, project_id, category))


@router.patch("/{project_id}/classes/{number}")
async def change_class(
    project_id: ProjectId, number: ClassNumber, body: ClassPatch, caller: Caller, mill: Mill
) -> ClassView:
    """Rename a class, or change what is known of it, on all files at once."""
    category = await mill.annotations.classes.need(caller, project_id, number)
    fields = body.model_dump(exclude_none=True)
    for name in ("skeleton", "pairs"):
        if name in fields:
            fields[name] = _pairs(fields[name])
    if "keypoints" in fields:
        fields["keypoints"] = tuple(fields["keypoints"])
    changed = msgspec.structs.replace(category, **fields)
    return class_view(await mill.annotations.classes.change(caller, project_id, changed))


@router.post("/{project_id}/classes/{number}/merge")
async def merge_class(
    project_id: ProjectId, number: ClassNumber, body: MergeBody, caller: Caller, mill: Mill
) -> ClassView:
    """Let all annotations of a class be of another; return that one."""
    return class_view(await mill.annotations.classes.merge(caller, project_id, number, body.into))


@router.delete("/{project_id}/classes/{number}", status_code=204)
async def delete_class(
    project_id: ProjectId, number: ClassNumber, caller: Caller, mill: Mill
) -> None:
    """Remove a class, and with it all that is drawn of it."""
    await mill.annotations.classes.remove(caller, project_id, number)


def _pairs(pairs: "list[list[int]] | tuple[tuple[int, int], ...]") -> tuple[tuple[int, int], ...]:
    return tuple((pair[0], pair[1]) for pair in pairs)
