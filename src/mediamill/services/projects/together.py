"""All that callers do with projects as datasets, put together."""

from dataclasses import dataclass
from typing import Self

from mediamill.handlers.datasets.checked import Checks
from mediamill.handlers.datasets.moving import Mover
from mediamill.parts import Parts
from mediamill.services.files.service import FileService
from mediamill.services.jobs.service import JobService
from mediamill.services.projects.checks import CheckService
from mediamill.services.projects.copies import CopyService
from mediamill.services.projects.keeping import KeepingService
from mediamill.services.projects.members import MemberService
from mediamill.services.projects.service import ProjectService
from mediamill.services.projects.settings import SettingsService
from mediamill.services.projects.sharing import SharingService
from mediamill.services.projects.splitting import SplitService
from mediamill.services.projects.tasks import TaskService
from mediamill.services.projects.versions import VersionService
from mediamill.store.repositories.datasets import Datasets
from mediamill.store.repositories.keeping import Keeping


@dataclass(frozen=True)
class DatasetServices:
    """Services over one project each."""

    tasks: TaskService
    members: MemberService
    splits: SplitService
    versions: VersionService
    sharing: SharingService
    copies: CopyService
    settings: SettingsService
    checks: CheckService
    keeping: KeepingService

    @classmethod
    def over(
        cls, parts: Parts, projects: ProjectService, jobs: JobService, files: FileService
    ) -> Self:
        """Make all of them of the same parts."""
        access = projects.access
        nouns, datasets = parts.nouns, Datasets(parts.store)
        tasks = TaskService(access, datasets, nouns.units, parts.bell)
        mover = Mover(nouns.projects, parts.blobs)
        checks = Checks(nouns.jobs, nouns.results, nouns.manifests, parts.results)
        versions = VersionService(
            access, datasets, nouns.units, tasks, jobs, parts.operations, parts.blobs,
            parts.results, parts.bell,
        )  # fmt: skip
        members = MemberService(
            access, nouns.projects, nouns.lookup, tasks, mover, nouns.annotations
        )
        return cls(
            tasks,
            members,
            SplitService(access, tasks, checks),
            versions,
            SharingService(access, datasets, nouns.users),
            CopyService(access, projects, files, tasks, parts.blobs),
            SettingsService(access, parts.operations),
            CheckService(access, checks),
            KeepingService(access, Keeping(parts.store), parts.retention),
        )
