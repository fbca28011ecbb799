"""Files: put in, found again, fetched."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mediamill.client import routes
from mediamill.client.calling import Flow, Request, Rows, Work
from mediamill.client.downloading import reading
from mediamill.client.marking import FolderBookmark
from mediamill.client.models import (
    ArchiveMemberView,
    EmptiedView,
    FileView,
    JobView,
    KnownView,
    LinkView,
    OutcomesView,
    RetaggedsView,
)  # fmt: skip
from mediamill.client.resources.base import D, Resource, maybe, only, operation, sequence
from mediamill.client.saving import Saving
from mediamill.client.sending import shipping
from mediamill.client.shipping import LARGE, Nowhere, Said
from mediamill.client.sources import FileSource, Progress, Source, source_of


def quiet(_done: int, _total: int) -> None:
    """Report nothing."""


class Files(Resource[D]):
    """`client.files`: what was put in, and what jobs made of it."""

    @operation
    def upload(
        self,
        file: str | Path | bytes | BinaryIO | Source,
        *,
        name: str = "",
        tags: Sequence[str] = (),
        project: str | None = None,
        progress: Progress = quiet,
    ) -> Flow[FileView]:
        """Put a file in: a path, bytes, an open file, or a `Source`.

        From 16 MiB on it goes in pieces and is resumed wherever it is cut, by another process too
        where the client has a `state` folder. The server compares the SHA-256. Raises `OSError`
        where the file cannot be read.
        """
        source = yield Work(lambda: source_of(file, name))
        if isinstance(source, FileSource) and not source.sha256:
            source = yield Work(source.digested)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress(done, source.size)

        progress(0, source.size)
        said = Said(tuple(tags), project)
        mark = self._mark(source, said)
        return (
            yield from shipping(
                self.calls.port, source, said, mark, advance,
                self.calls.notice, retries=self.calls.retries,
            )
        )  # fmt: skip

    def _mark(self, source: Source, said: Said) -> FolderBookmark | Nowhere:
        """Return where the upload of a large file is remembered."""
        state = self.calls.state
        if state is None or not source.sha256 or source.size < LARGE:
            return Nowhere()
        return FolderBookmark.of(
            state, self.calls.server, source.name, source.sha256, said, self.calls.user
        )

    @operation
    def fetch(
        self,
        url: str,
        *,
        name: str = "",
        tags: Sequence[str] = (),
        project: str | None = None,
        sha256: str | None = None,
    ) -> Flow[FileView]:
        """Let the server fetch a file from an address; it is `receiving` until that is done."""
        body = only(url=url, filename=name, tags=[*tags], project=project, sha256=sha256)
        return self.calls.one(routes.upload_file, json=body)

    @operation
    def get(self, file: str) -> Flow[FileView]:
        """Read what is known of a file."""
        return self.calls.one(routes.get_file, file_id=file)

    @sequence
    def list(
        self,
        *,
        type: str | None = None,  # noqa: A002 - as the API names it
        source: str | None = None,
        tag: str | None = None,
        name: str | None = None,
        project: str | None = None,
        state: str | None = None,
        sha256: str | None = None,
    ) -> Rows[FileView]:
        """Go through your files, newest first, page by page."""
        query = only(
            type=type, source=source, tag=tag, name=name, project=project, state=state,
            sha256=sha256,
        )  # fmt: skip
        return self.calls.rows(routes.list_files, query)

    @operation
    def check(self, digests: Sequence[str]) -> Flow[Sequence[KnownView]]:
        """Tell which bytes are there already, by their SHA-256."""
        request = Request(
            "POST", routes.check_files.path, json={"sha256": [*digests]}, repeatable=True
        )
        answer = yield from self.calls.send(routes.check_files, request)
        found: list[KnownView] = answer.json()["data"]
        return found

    @operation
    def tag(
        self, files: Sequence[str], *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> Flow[RetaggedsView]:
        """Add tags to files and take others away; doing it twice changes nothing more."""
        body = {"files": [*files], "add": [*add], "remove": [*remove]}
        request = Request("POST", routes.tag_files.path, json=body, repeatable=True)
        answer = yield from self.calls.send(routes.tag_files, request)
        found: RetaggedsView = answer.json()
        return found

    @operation
    def change(
        self, file: str, *, name: str | None = None, tags: Sequence[str] | None = None
    ) -> Flow[FileView]:
        """Rename a file, or set its tags."""
        body = only(name=name, tags=maybe(tags))
        return self.calls.one(routes.change_file, json=body, file_id=file)

    @operation
    def delete(self, file: str, *, now: bool = False) -> Flow[None]:
        """Delete a file; for a day it can be restored, unless `now`."""
        return self.calls.one(routes.delete_file, query={"now": now}, file_id=file)

    @operation
    def delete_many(self, files: Sequence[str]) -> Flow[OutcomesView]:
        """Delete several files."""
        return self.calls.one(routes.delete_files, json={"files": [*files]})

    @operation
    def restore(self, file: str) -> Flow[FileView]:
        """Take a deletion back."""
        return self.calls.one(routes.restore_file, file_id=file)

    @operation
    def empty_trash(self) -> Flow[EmptiedView]:
        """Remove for good what was deleted."""
        return self.calls.one(routes.empty_trash)

    @operation
    def download(
        self,
        file: str,
        target: str | Path = ".",
        *,
        progress: Progress = quiet,
        overwrite: bool = False,
    ) -> Flow[Path]:
        """Fetch a file to a path, or into a folder under its own name; return where it is.

        A connection that breaks is taken up where it broke, by the next process too; the SHA-256
        is compared. Raises `FileExistsError`, `Busy` while another process fetches the same there,
        and `Corrupt` for bytes that are not the server's.
        """
        known: FileView = yield from self.calls.one(routes.get_file, file_id=file)
        return (
            yield from Saving(
                routes.get_content.at(file_id=file), Path(target), self.calls.server,
                self.calls.retries, progress=progress, overwrite=overwrite,
                sha256=known["sha256"],
            ).run()
        )  # fmt: skip

    @sequence
    def read(self, file: str, start: int = 0, stop: int | None = None) -> Rows[bytes]:
        """Give the bytes `start … stop` of a file in pieces, whatever breaks on the way.

        Raises `Changed` when the content changes meanwhile.
        """
        return self._read(routes.get_content.at(file_id=file), start, stop)

    @sequence
    def members(self, archive: str, *, prefix: str | None = None) -> Rows[ArchiveMemberView]:
        """Go through what is in a zip, in its order."""
        return self.calls.rows(routes.list_members, only(prefix=prefix), file_id=archive)

    @sequence
    def read_member(
        self, archive: str, member: str, start: int = 0, stop: int | None = None
    ) -> Rows[bytes]:
        """Give the bytes `start … stop` of a member of a zip in pieces."""
        return self._read(routes.get_member.at(file_id=archive, path=member), start, stop)

    def _read(self, place: str, start: int, stop: int | None) -> Rows[bytes]:
        """Ask what is there, and read it; from the service, as entity tags of a bucket differ."""
        here = {"direct": "false"}
        request = Request("HEAD", place, here, {"Accept-Encoding": "identity"})
        head = yield from self.calls.send(routes.get_content_head, request)
        size = int(head.headers["Content-Length"])
        until = size if stop is None else min(stop, size)
        yield from reading(place, start, until, head.headers["ETag"], self.calls.retries, here)

    @operation
    def link(self, file: str, *, expires_in: int | None = None) -> Flow[LinkView]:
        """Make a link that anybody can download with, for some seconds."""
        return self.calls.one(routes.link_file, query=only(expires_in=expires_in), file_id=file)

    @operation
    def replay(self, result: str) -> Flow[JobView]:
        """Make a result again from what it was made of, by a job."""
        return self.calls.one(routes.replay_file, file_id=result)
