"""Annotations: what is drawn on the files of a project, and its classes."""

from typing import Literal, Unpack

from mediamill.client import routes
from mediamill.client.calling import Flow, Request, Rows
from mediamill.client.downloading import passing
from mediamill.client.models import (
    AnnotationsBody,
    ClassBody,
    ClassesView,
    ClassPatch,
    ClassView,
    DrawnView,
    FindingView,
    PatchBody,
    TaskView,
)  # fmt: skip
from mediamill.client.resources.base import D, Resource, only, operation, sequence


class Annotations(Resource[D]):
    """`client.annotations`: boxes, polygons, masks, key points and labels.

    `if_match` takes the revision that was read as `"a…"`, or `*` for whichever is there.
    """

    @operation
    def get(self, project: str, file: str) -> Flow[DrawnView]:
        """Read what is drawn on a file."""
        return self.calls.one(routes.get_annotations, project_id=project, file_id=file)

    @sequence
    def list(self, project: str, *, class_: int | str | None = None) -> Rows[DrawnView]:
        """Go through what is drawn on the files of a project."""
        query = {} if class_ is None else {"class": class_}
        return self.calls.rows(routes.list_annotations, query, project_id=project)

    @operation
    def put(
        self, project: str, file: str, drawn: AnnotationsBody, *, if_match: str = "*"
    ) -> Flow[DrawnView]:
        """Set all that is drawn on a file."""
        return self.calls.one(
            routes.put_annotations, json=drawn, headers={"If-Match": if_match},
            project_id=project, file_id=file,
        )  # fmt: skip

    @operation
    def patch(
        self, project: str, file: str, *, if_match: str = "*", **changes: Unpack[PatchBody]
    ) -> Flow[DrawnView]:
        """Add, change and remove some of it."""
        return self.calls.one(
            routes.patch_annotations, json=changes, headers={"If-Match": if_match},
            project_id=project, file_id=file,
        )  # fmt: skip

    @operation
    def delete(self, project: str, file: str, *, if_match: str = "*") -> Flow[DrawnView]:
        """Remove all that is drawn on a file."""
        return self.calls.one(
            routes.delete_annotations, headers={"If-Match": if_match},
            project_id=project, file_id=file,
        )  # fmt: skip

    @operation
    def undo(self, project: str, file: str, *, if_match: str = "*") -> Flow[DrawnView]:
        """Take the last change back."""
        return self.calls.one(
            routes.undo_annotations, headers={"If-Match": if_match},
            project_id=project, file_id=file,
        )  # fmt: skip

    @operation
    def bring(
        self, project: str, file: str, *, format: Literal["coco", "yolo", "voc"] | None = None,  # noqa: A002 - as the API names it
        dry_run: bool = False, skip_invalid: bool = False, apply_splits: bool | None = None,
    ) -> Flow[TaskView]:  # fmt: skip
        """Check an uploaded set of annotations, then put it on the files; `projects.wait` ends it.

        With `dry_run` it is only checked; `findings` tells what is wrong.
        """
        body = {"file": file, "dry_run": dry_run, "skip_invalid": skip_invalid}
        more = only(format=format, apply_splits=apply_splits)
        return self.calls.one(routes.import_annotations, json={**body, **more}, project_id=project)

    @sequence
    def findings(self, project: str, task: str) -> Rows[FindingView]:
        """Go through what was wrong with a set that was brought."""
        return self.calls.rows(routes.list_findings, project_id=project, task_id=task)

    @sequence
    def export(
        self, project: str, format: Literal["coco", "yolo", "voc"] = "coco"  # noqa: A002 - as the API names it
    ) -> Rows[bytes]:  # fmt: skip
        """Give all annotations in a format, in pieces: JSON for COCO, else a zip."""
        here = routes.export_annotations.at(project_id=project)
        return passing(Request("GET", here, {"format": format}), self.calls.retries)

    # -- classes ----------------------------------------------------------------------------------

    @operation
    def classes(self, project: str, *, counts: bool | None = None) -> Flow[ClassesView]:
        """Read the classes of a project."""
        query = only(counts=counts)
        return self.calls.one(routes.list_classes, query=query, project_id=project)

    @operation
    def add_class(self, project: str, **made: Unpack[ClassBody]) -> Flow[ClassView]:
        """Add a class."""
        return self.calls.one(routes.add_class, json=made, project_id=project)

    @operation
    def change_class(
        self, project: str, number: int, **changes: Unpack[ClassPatch]
    ) -> Flow[ClassView]:
        """Change what is given of a class."""
        return self.calls.one(routes.change_class, json=changes, project_id=project, number=number)

    @operation
    def merge_class(self, project: str, number: int, into: int) -> Flow[ClassView]:
        """Make what is of one class be of another."""
        return self.calls.one(
            routes.merge_class, json={"into": into}, project_id=project, number=number
        )

    @operation
    def delete_class(self, project: str, number: int) -> Flow[None]:
        """Delete a class that nothing is of."""
        return self.calls.one(routes.delete_class, project_id=project, number=number)
