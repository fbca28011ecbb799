"""An engine with every handler that submission needs, and sources to submit."""

import io
import zipfile
from dataclasses import replace

from mediamill.core.access import Principal
from mediamill.core.ids import new_id
from mediamill.engine.tending import Engine
from mediamill.handlers.removing.purge_project import PurgeProject
from mediamill.services.access import Access
from mediamill.services.jobs.inputs import Named
from mediamill.services.jobs.requests import JobRequest
from mediamill.services.projects.service import ProjectService
from mediamill.store.port import Put
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Job
from mediamill.store.repositories.projects import Project, Projects
from tests.engine.harness import Harness

THUMBNAIL = (("thumbnail", {}),)


class SubmissionHarness(Harness):
    """The engine's harness, with projects, archives and manifests to submit."""

    def engine(self) -> Engine:
        engine = super().engine()
        more = {"purge_project": PurgeProject(self.store, Projects(self.store), self.jobs)}
        return replace(engine, handlers={**engine.handlers, **more})

    @property
    def projects(self) -> ProjectService:
        access, reads = Access(self.store), Projects(self.store)
        notes = Annotations(self.store, self.blobs)
        return ProjectService(access, reads, self.lookup, self.units, self.bell, notes)

    async def add_blob(self, owner: str, name: str, media_type: str, data: bytes) -> str:
        """Store a file with these bytes; return its id."""
        file_id = new_id("file")
        await self.blobs.put(f"files/{file_id}", data)
        file = File(
            id=file_id, owner=owner, listed=owner, name=name, media_type=media_type,
            size=len(data), sha256="1" * 64, crc32=0, blob=f"files/{file_id}", created=1,
        )  # fmt: skip
        await self.store.transact(Put(file))
        return file_id

    async def add_manifest(self, owner: str, *lines: str) -> str:
        text = "\n".join(lines)
        return await self.add_blob(owner, "inputs.txt", "text/plain", text.encode())

    async def add_archive(self, owner: str, *names: str) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(name, b"\xff\xd8\xff" + name.encode())
        return await self.add_blob(owner, "set.zip", "application/zip", buffer.getvalue())

    async def add_project(self, owner: str, files: list[str]) -> Project:
        project = await self.projects.create(Principal(owner), "set")
        for start in range(0, len(files), 1000):
            await self.projects.add(Principal(owner), project.id, files[start : start + 1000])
        return project

    async def submit_named(self, owner: str, **named: object) -> Job:
        request = JobRequest(named=Named(**named), steps=THUMBNAIL)
        return await self.service.submit(Principal(owner), request)

    async def entries(self, job: Job) -> list[Entry]:
        """Read the inputs that were listed."""
        job = await self.jobs.need(job.id)
        return [entry async for _, entry in self.manifests.walk(job.id, 0, job.items)]
