"""Templates: steps with variables in them, kept under a name, with every version they ever had."""

from typing import Any

import msgspec

from mediamill.core.records import Index, Key, Record
from mediamill.store.port import MAX_ACTIONS, Delete, Page, Store
from mediamill.store.port import key_index as key_of
from mediamill.store.repositories.jobs import Step


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """What a template leaves open."""

    type: str = "any"
    """`string`, `integer`, `number`, `boolean`, `list`, `object` or `any`."""
    required: bool = False
    default: Any = None
    """Taken where nothing is given; None with `required` false leaves the parameter out."""
    description: str = ""


class Template(Record, frozen=True, kw_only=True):
    """A template as it is now."""

    table = "templates"
    key = Key("id")
    indexes = (Index("template_listed", partition=("listed",), sort=("id",)),)

    id: str
    owner: str
    listed: str | None = None
    """The owner while the template shows in lists, else None."""
    name: str
    description: str = ""
    version: int = 1
    steps: tuple[Step, ...]
    variables: dict[str, Variable] = {}
    created: int
    changed: int

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return False

    def log_context(self) -> dict[str, Any]:
        return {"template": self.id, "owner": self.owner, "version": self.version}


class TemplateVersion(Record, frozen=True, kw_only=True):
    """Steps and variables of one version; written once, with the template."""

    table = "template_versions"
    key = Key("template", "version")

    template: str
    version: int
    description: str = ""
    steps: tuple[Step, ...]
    variables: dict[str, Variable] = {}
    created: int


class TemplateName(Record, frozen=True, kw_only=True):
    """Which of an owner's templates has a name; case does not matter."""

    table = "template_names"
    key = Key("owner", "name")

    owner: str
    name: str
    template: str


class Templates:
    """Reads of templates."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def of_owner(self, owner: str, after: str | None, limit: int) -> Page[Template]:
        """List an owner's templates, newest first."""
        index = Template.index("template_listed")
        return await self.store.query(
            Template, index, owner, after=after, limit=limit, descending=True
        )

    async def called(self, owner: str, name: str) -> str | None:
        """Return the id of an owner's template of this name, or None."""
        row = await self.store.get(TemplateName, owner, name.casefold())
        return None if row is None else row.template

    async def versions(self, template: str, after: str | None, limit: int) -> Page[TemplateVersion]:
        """List a template's versions, newest first."""
        return await self.store.query(
            TemplateVersion, key_of(TemplateVersion), template,
            after=after, limit=limit, descending=True,
        )  # fmt: skip

    async def forget_versions(self, template: str) -> None:
        """Remove every version of a template."""
        while rows := (await self.versions(template, None, MAX_ACTIONS)).rows:
            await self.store.transact(*(Delete(TemplateVersion, r.key_values()) for r in rows))


def version_of(template: Template) -> TemplateVersion:
    """Return the version that a template is at, as the row that keeps it."""
    return TemplateVersion(
        template=template.id,
        version=template.version,
        description=template.description,
        steps=template.steps,
        variables=template.variables,
        created=template.changed,
    )
