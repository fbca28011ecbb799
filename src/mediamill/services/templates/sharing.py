"""Share a template with a user, or with everybody; a share that is taken back ends at once."""

from dataclasses import dataclass
from typing import Literal

import structlog

from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.errors import InvalidInput, NotFound
from mediamill.services.access import Access
from mediamill.store.port import Delete, Page, Put
from mediamill.store.repositories.erasures import Former
from mediamill.store.repositories.templates import EVERYBODY, Template, Templates, TemplateShare
from mediamill.store.repositories.users import User, Users

log = structlog.get_logger(__name__)

MOST = 200
"""Users that one template is shared with, everybody being one."""

Role = Literal["viewer", "editor"]
Guest = tuple[TemplateShare, User | None]
"""A share, and whose it is; None for everybody's."""


@dataclass(frozen=True)
class Shown:
    """A template as a caller sees it: what they are to it, and what its owner is called."""

    template: Template
    role: str
    """`owner`, `editor` or `viewer`."""
    by: str
    """The owner's name, else their address as far as the @."""


@dataclass
class TemplateSharing:
    """What a caller may do about who sees a template."""

    access: Access
    users: Users

    @property
    def templates(self) -> Templates:
        """Templates and shares."""
        return self.access.templates

    async def share(self, principal: Principal, template_id: str, who: str, role: Role) -> Guest:
        """Share a template of one's own with a user, by address or id, or with `EVERYBODY`.

        Who has it already gets the other role. Raises `InvalidInput` for somebody not known here.
        """
        template = await self.access.load(principal, Template, template_id, Right.OWN)
        user = None if who == EVERYBODY else await self._guest(template, who)
        guest = EVERYBODY if user is None else user.id
        known = await self.templates.share(guest, template.id)
        if known is None and await self._full(template):
            raise InvalidInput(f"A template is shared with at most {MOST} users.")
        created = await self.access.store.now() if known is None else known.created
        share = TemplateShare(user=guest, template=template.id, role=role, created=created)
        await self.access.store.transact(Put(share))
        note("template_shared", guest, owner=template.owner, template=template.id, role=role)
        return share, user

    async def _full(self, template: Template) -> bool:
        return len((await self.templates.shares_of(template.id, limit=MOST)).rows) >= MOST

    async def _guest(self, template: Template, who: str) -> User:
        user = await (self.users.by_email(who) if "@" in who else self.users.get(who))
        if user is None or user.disabled:
            raise InvalidInput.at("user", "Nobody here has this address: ask them to register.")
        if user.id == template.owner:
            raise InvalidInput.at("user", "The template is theirs.")
        return user

    async def list(
        self, principal: Principal, template_id: str, after: str | None, limit: int
    ) -> Page[Guest]:
        """List with whom a template of one's own is shared."""
        template = await self.access.load(principal, Template, template_id, Right.OWN)
        page = await self.templates.shares_of(template.id, after, limit)
        users = await self._users({row.user for row in page.rows} - {EVERYBODY})
        found = [(row, users.get(row.user)) for row in page.rows]
        kept = [(row, user) for row, user in found if user is not None or row.user == EVERYBODY]
        return Page(tuple(kept), page.after)

    async def revoke(self, principal: Principal, template_id: str, guest: str) -> None:
        """Take a share back, or leave a template that was shared with the caller."""
        own = Right.VIEW if guest == principal.user else Right.OWN
        template = await self.access.load(principal, Template, template_id, own)
        if await self.templates.share(guest, template.id) is None:
            raise NotFound(f"The template is not shared with {guest}.")
        former = Put(Former(user=guest, record=template.id))
        gone = Delete(TemplateShare, (guest, template.id))
        await self.access.store.transact(gone, *([] if guest == EVERYBODY else [former]))
        note("template_share_revoked", guest, owner=template.owner, template=template.id)

    async def with_me(self, principal: Principal, after: str | None, limit: int) -> Page[Template]:
        """List templates of others that are shared with the caller by name, newest first."""
        return await self._shared(principal.user, after, limit)

    async def with_everybody(
        self, principal: Principal, after: str | None, limit: int
    ) -> Page[Template]:
        """List templates that are shared with everybody, the caller's own too, newest first."""
        return await self._shared(EVERYBODY, after, limit)

    async def _shared(self, guest: str, after: str | None, limit: int) -> Page[Template]:
        page = await self.templates.shared_with(guest, after, limit)
        keys = [(row.template,) for row in page.rows]
        found = await self.access.store.get_many(Template, keys) if keys else []
        return Page(tuple(one for one in found if one is not None), page.after)

    async def shown(self, principal: Principal, *templates: Template) -> tuple[Shown, ...]:
        """Return templates that the caller may see with what they are to each."""
        owners = await self._users({template.owner for template in templates})
        roles = [await self._role(principal, template) for template in templates]
        return tuple(
            Shown(template, role, _called(owners, template.owner))
            for template, role in zip(templates, roles, strict=True)
        )

    async def _role(self, principal: Principal, template: Template) -> str:
        right = await self.access.right(principal, template)
        return {Right.OWN: "owner", Right.EDIT: "editor"}.get(Right(right), "viewer")

    async def _users(self, ids: set[str]) -> dict[str, User]:
        if not ids:
            return {}
        found = await self.access.store.get_many(User, [(one,) for one in sorted(ids)])
        return {user.id: user for user in found if user is not None}


def _called(users: dict[str, User], user_id: str) -> str:
    user = users.get(user_id)
    return "" if user is None else user.name or (user.email or "").partition("@")[0]
