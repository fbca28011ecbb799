"""Projects: sets of files, split, frozen, shared and exported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, Unpack

from mediamill.client import routes
from mediamill.client.calling import Flow, Pause, Request, Rows
from mediamill.client.errors import Conflict
from mediamill.client.models import (
    AddedFilesView,
    CheckView,
    DifferenceView,
    Fields,
    ProjectBody,
    ProjectFileView,
    ProjectPatch,
    ProjectView,
    RemovedFilesView,
    ShareView,
    SplitBody,
    StepBody,
    TaskView,
    VersionView,
)  # fmt: skip
from mediamill.client.resources.base import D, Resource, maybe, only, operation, sequence
from mediamill.client.resources.files import quiet
from mediamill.client.saving import Saving
from mediamill.client.sources import Progress

ExportFormat: TypeAlias = Literal["files", "coco", "yolo", "voc", "webdataset"]
WAIT = 20
"""Seconds for which the server holds a question for news."""


class Projects(Resource[D]):
    """`client.projects`: sets of files. What takes long answers a task; see `wait`."""

    @operation
    def create(self, **project: Unpack[ProjectBody]) -> Flow[ProjectView]:
        """Make a project."""
        return self.calls.one(routes.create_project, json=project)

    @operation
    def get(self, project: str) -> Flow[ProjectView]:
        """Read a project."""
        return self.calls.one(routes.get_project, project_id=project)

    @sequence
    def list(self, *, state: str | None = None, file: str | None = None) -> Rows[ProjectView]:
        """Go through your projects; with `state` those `shared` with you, or `trashed`."""
        return self.calls.rows(routes.list_projects, only(state=state, file=file))

    @operation
    def change(self, project: str, **changes: Unpack[ProjectPatch]) -> Flow[ProjectView]:
        """Change what is given."""
        return self.calls.one(routes.change_project, json=changes, project_id=project)

    @operation
    def delete(self, project: str, *, now: bool = False) -> Flow[None]:
        """Delete a project; its files stay. For a day it can be restored, unless `now`."""
        return self.calls.one(routes.delete_project, query={"now": now}, project_id=project)

    @operation
    def restore(self, project: str) -> Flow[ProjectView]:
        """Take a deletion back."""
        return self.calls.one(routes.restore_project, project_id=project)

    @operation
    def add(self, project: str, files: Sequence[str]) -> Flow[AddedFilesView]:
        """Add files; those that are members already stay as they are."""
        here = routes.add_project_files.at(project_id=project)
        request = Request("POST", here, json={"files": [*files]}, repeatable=True)
        answer = yield from self.calls.send(routes.add_project_files, request)
        found: AddedFilesView = answer.json()
        return found

    @operation
    def remove(self, project: str, files: Sequence[str]) -> Flow[RemovedFilesView]:
        """Take files out of a project; they stay files."""
        body = {"files": [*files]}
        return self.calls.one(routes.remove_project_files, json=body, project_id=project)

    @sequence
    def files(
        self, project: str, *, subset: str | None = None, split: str | None = None,
        group: str | None = None, annotated: bool | None = None,
    ) -> Rows[ProjectFileView]:  # fmt: skip
        """Go through the files of a project."""
        query = only(subset=subset, split=split, group=group, annotated=annotated)
        return self.calls.rows(routes.list_project_files, query, project_id=project)

    @operation
    def move(
        self, project: str, to: Fields, *, files: Sequence[str] | None = None,
        members: Fields | None = None,
    ) -> Flow[TaskView]:  # fmt: skip
        """Set subset, split or group of files, or of all members that have some."""
        body = only(files=maybe(files), members=members, set=to)
        return self.calls.one(routes.move_project_files, json=body, project_id=project)

    @operation
    def split(self, project: str, **split: Unpack[SplitBody]) -> Flow[TaskView]:
        """Split a project into train, validation and test."""
        return self.calls.one(routes.split_project, json=split, project_id=project)

    @operation
    def health(self, project: str) -> Flow[CheckView]:
        """Read the latest health check of a project."""
        return self.calls.one(routes.latest_check, project_id=project)

    @operation
    def copy(
        self, project: str, name: str, *, files: int | None = None, seed: int | None = None
    ) -> Flow[TaskView]:
        """Copy a project, or so many of its files, drawn by `seed`."""
        body = {"name": name, **only(files=files, seed=seed)}
        return self.calls.one(routes.copy_project, json=body, project_id=project)

    @operation
    def sample(self, name: str | None = None) -> Flow[TaskView]:
        """Make a small annotated project to try things on."""
        return self.calls.one(routes.create_sample, json=only(name=name))

    @operation
    def bring(
        self, project: str, *, file: str | None = None, job: str | None = None,
        members: Sequence[str] | None = None,
        folders: Literal["none", "split", "split-and-class"] | None = None,
    ) -> Flow[TaskView]:  # fmt: skip
        """Bring the members of a zip, or the results of a job, into a project."""
        body = only(file=file, job=job, members=maybe(members), folders=folders)
        return self.calls.one(routes.import_archive, json=body, project_id=project)

    # -- sharing ----------------------------------------------------------------------------------

    @operation
    def share(
        self, project: str, user: str, role: Literal["viewer", "editor"] = "viewer"
    ) -> Flow[ShareView]:
        """Share a project with a user, by address or id."""
        body = {"user": user, "role": role}
        return self.calls.one(routes.share_project, json=body, project_id=project)

    @sequence
    def shares(self, project: str) -> Rows[ShareView]:
        """Go through the users that a project is shared with."""
        return self.calls.rows(routes.list_shares, project_id=project)

    @operation
    def revoke(self, project: str, user: str) -> Flow[None]:
        """Take a share back, by the user's id."""
        return self.calls.one(routes.revoke_share, project_id=project, user_id=user)

    # -- tasks ------------------------------------------------------------------------------------

    @operation
    def task(self, project: str, task: str) -> Flow[TaskView]:
        """Read a task of a project."""
        return self.calls.one(routes.get_task, project_id=project, task_id=task)

    @sequence
    def tasks(self, project: str) -> Rows[TaskView]:
        """Go through the tasks of a project, newest first."""
        return self.calls.rows(routes.list_tasks, project_id=project)

    @operation
    def wait(self, task: TaskView) -> Flow[TaskView]:
        """Return a task when it has ended, however it has."""
        while task["finished_at"] is None:
            query = {"wait": WAIT}
            task = yield from self.calls.at(task["links"]["self"], query)
        return task

    @operation
    def undo(self, project: str, task: str) -> Flow[TaskView]:
        """Take back what a task did, by a task."""
        return self.calls.one(routes.undo_task, project_id=project, task_id=task)

    # -- versions ---------------------------------------------------------------------------------

    @operation
    def freeze(
        self, project: str, name: str = "", *, steps: Sequence[StepBody] = (),
        seed: int | None = None, subsets: Sequence[str] | None = None,
    ) -> Flow[VersionView]:  # fmt: skip
        """Freeze a project as it is, or as `steps` make it; see `wait_version`."""
        body = only(
            name=name, steps=[*steps] or None, seed=seed,
            subsets=maybe(subsets),
        )  # fmt: skip
        return self.calls.one(routes.create_version, json=body, project_id=project)

    @operation
    def version(self, project: str, number: int) -> Flow[VersionView]:
        """Read a version of a project."""
        return self.calls.one(routes.get_version, project_id=project, number=number)

    @sequence
    def versions(self, project: str) -> Rows[VersionView]:
        """Go through the versions of a project."""
        return self.calls.rows(routes.list_versions, project_id=project)

    @operation
    def wait_version(self, project: str, number: int) -> Flow[VersionView]:
        """Return a version when it is made, or could not be."""
        while True:
            version: VersionView = yield from self.calls.one(
                routes.get_version, query={"wait": WAIT}, project_id=project, number=number
            )
            if version["finished_at"] is not None:
                return version

    @operation
    def compare(self, project: str, number: int, to: int) -> Flow[DifferenceView]:
        """Tell what is in one version and not in another."""
        query = {"to": to}
        return self.calls.one(
            routes.compare_versions, query=query, project_id=project, number=number
        )

    @operation
    def delete_version(self, project: str, number: int) -> Flow[None]:
        """Delete a version."""
        return self.calls.one(routes.delete_version, project_id=project, number=number)

    @operation
    def export(
        self,
        project: str,
        number: int,
        target: str | Path = ".",
        *,
        format: ExportFormat = "files",  # noqa: A002 - as the API names it
        split: str | None = None,
        progress: Progress = quiet,
        overwrite: bool = False,
    ) -> Flow[Path]:
        """Fetch a version as a zip, or as a tar for WebDataset; return where it is."""
        here = routes.export_version.at(project_id=project, number=number)
        query: dict[str, Any] = only(format=format, split=split)
        while True:
            try:
                first = {"Range": "bytes=0-0"}
                yield from self.calls.send(
                    routes.export_version, Request("GET", here, {**query, "wait": WAIT}, first)
                )
                break
            except Conflict as problem:
                if "being prepared" not in problem.message:
                    raise
                yield Pause(0.2)
        return (
            yield from Saving(
                here, Path(target), self.calls.server, self.calls.retries, query,
                progress=progress, overwrite=overwrite, zip=format != "webdataset",
            ).run()
        )  # fmt: skip
