"""Expert settings of a project: what jobs, splits and exports over it begin with."""

from typing import Any

import msgspec

from mediamill.core.access import Principal, Right
from mediamill.core.errors import InvalidInput
from mediamill.operations.catalogue import Catalogue
from mediamill.services.access import Access
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.jobs import INLINE_BYTES
from mediamill.store.repositories.projects import Project


class SettingsService:
    """Keeps the settings of projects; pages and programs read them with the project."""

    def __init__(self, access: Access, operations: Catalogue) -> None:
        self.access, self.operations = access, operations

    async def change(
        self, principal: Principal, project_id: str, settings: dict[str, Any]
    ) -> Project:
        """Replace a project's settings; raises `InvalidInput` for steps that no job would take."""
        project = await self.access.load(principal, Project, project_id, Right.EDIT)
        for place, step in enumerate(settings.get("steps", ())):
            where = f"settings.steps.{place}.parameters"
            self.operations.build(step["operation"], step.get("parameters", {}), where)
        if len(msgspec.json.encode(settings)) > INLINE_BYTES:
            raise InvalidInput.at("settings", f"They have at most {INLINE_BYTES:,} bytes as JSON.")
        change = Update(
            Project, (project.id,), set={"settings": settings}, add={"revision": 1},
            when=(Equals("deleted", None),),
        )  # fmt: skip
        await self.access.store.transact(change)
        return await self.access.load(principal, Project, project_id)
