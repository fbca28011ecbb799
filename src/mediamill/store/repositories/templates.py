"""Templates: steps with variables in them, kept under a name, with every version they ever had.

A template may be shared with users, and with everybody, who is one more to share with.
"""

from typing import Any, Literal

import msgspec

from mediamill.core.access import Right
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import MAX_ACTIONS, Delete, Page, Store
from mediamill.store.port import key_index as key_of
from mediamill.store.repositories.datasets import RIGHTS
from mediamill.store.repositories.jobs import Step

EVERYBODY = "everybody"
"""Stands for a user in shares: whoever is signed in."""


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


class TemplateShare(Record, frozen=True, kw_only=True):
    """That a user, or everybody, may see a template of somebody else, or change it too."""

    table = "template_shares"
    key = Key("user", "template")
    indexes = (Index("share_of_template", partition=("template",), sort=("user",)),)

    user: str
    """Or `EVERYBODY`."""
    template: str
    role: Literal["viewer", "editor"]
    created: int

    @property
    def right(self) -> Right:
        return RIGHTS[self.role]


class Templates:
    """Reads of templates and shares."""

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

    async def shares(self, user: str, template: str) -> list[TemplateShare]:
        """Return what gives a user rights on a template: their share, and that of everybody."""
        keys = [(user, template), (EVERYBODY, template)]
        found = await self.store.get_many(TemplateShare, keys)
        return [share for share in found if share is not None]

    async def share(self, user: str, template: str) -> TemplateShare | None:
        return await self.store.get(TemplateShare, user, template)

    async def shared_with(self, user: str, after: str | None, limit: int) -> Page[TemplateShare]:
        """List what is shared with a user, or with everybody, newest template first."""
        return await self.store.query(
            TemplateShare, key_of(TemplateShare), user, after=after, limit=limit, descending=True
        )

    async def shares_of(
        self, template: str, after: str | None = None, limit: int = 100
    ) -> Page[TemplateShare]:
        """List with whom a template is shared, by user."""
        index = TemplateShare.index("share_of_template")
        return await self.store.query(TemplateShare, index, template, after=after, limit=limit)

    async def forget_shares(self, template: str) -> None:
        """Take every share of a template back."""
        while rows := (await self.shares_of(template, None, MAX_ACTIONS)).rows:
            await self.store.transact(*(Delete(TemplateShare, r.key_values()) for r in rows))

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
