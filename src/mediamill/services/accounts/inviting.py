"""Inviting people: a mail with a link, by which who reads it makes an account, once.

The link is a signed grant for nothing but that; no secret is stored. It is good for seven days,
until it was used, the invitation is taken back, or who made it administers no more. Whoever opens
it has shown that mails to the address reach them.
"""

from dataclasses import dataclass
from typing import Literal

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.clock import DAY, Clock
from mediamill.core.errors import ConditionFailed, Conflict, Forbidden, NotFound
from mediamill.core.ids import new_id
from mediamill.services.access import Access
from mediamill.services.accounts.passwords import Passwords, clean_address, clean_name
from mediamill.services.accounts.people import People
from mediamill.services.accounts.roster import IN_CHARGE, administers
from mediamill.services.accounts.sessions import Issued, Sessions
from mediamill.services.links.signing import Grant, Signer
from mediamill.services.roles import require_admin
from mediamill.store.port import Action, Check, Equals, Page, Put, Update
from mediamill.store.repositories.audit import OPERATOR
from mediamill.store.repositories.datasets import ProjectShare
from mediamill.store.repositories.invitations import NAMED, Invitation, Invitations
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.users import Role, User, Users

METHOD = "INVITE"
DAYS = 7
SPENT = "This invitation was used already, or holds no more: ask for a new one."

Share = Literal["viewer", "editor"]


@dataclass(frozen=True)
class Invited:
    """An invitation and its link."""

    invitation: Invitation
    url: str


@dataclass(frozen=True)
class Inviting:
    """Makes invitations, and takes those up that are accepted."""

    users: Users
    invitations: Invitations
    units: Units
    signer: Signer
    clock: Clock
    public: str
    """The address that users see, without a slash at its end."""
    passwords: Passwords
    by_password: bool = True
    """Whether who is invited can sign in with one."""
    bell: Doorbell | None = None

    async def invite(
        self, principal: Principal, email: str, role: Role, project: str | None, share: Share | None
    ) -> Invited:
        """Invite somebody by mail, and share a project of the caller's with them if one is named.

        Raises `Forbidden` for who is no administrator, `Conflict` for an address that has an
        account, `NotFound` for a project.
        """
        require_admin(principal)
        if project is not None:
            await Access(self.users.store).load(principal, Project, project, Right.OWN)
        return await self.add(email, role, principal.user, project, share)

    async def add(
        self,
        email: str,
        role: Role,
        by: str = OPERATOR,
        project: str | None = None,
        share: Share | None = None,
        *,
        mail: bool = True,
    ) -> Invited:
        """Make an invitation, and a mail if it is to go by one; raises `Conflict`."""
        self.require_passwords()
        address = clean_address(email)
        if await self.users.by_email(address) is not None:
            raise Conflict("There is an account with this address already.")
        now = await self.users.store.now()
        invitation = Invitation(
            id=new_id("invite"),
            email=address,
            role=role,
            project=project,
            share=share or ("viewer" if project else None),
            by=by,
            created=now,
            expires=now + DAYS * DAY,
        )
        told = {NAMED: invitation.id}
        unit = Unit.notice("mail_invitation", f"invitation:{invitation.id}", 0, by, now=now, **told)
        await self.units.insert([unit] if mail else [], Put(invitation))
        if mail and self.bell is not None:
            await self.bell.ring("work:notices")
        note("invited", invitation.id, role=role.value, project=project)
        return Invited(invitation, await self.link(invitation))

    def require_passwords(self) -> None:
        """Raise `Conflict` where only an issuer signs people in."""
        if not self.by_password:
            raise Conflict("Passwords are not used here: people sign in with the issuer.")

    async def link(self, invitation: Invitation) -> str:
        """Return the address by which an invitation is accepted."""
        return f"{self.public}/invitation#{await self.secret(invitation)}"

    async def secret(self, invitation: Invitation) -> str:
        """Return what the link brings behind its `#`, which no server is sent."""
        grant = Grant(METHOD, invitation.id, "", invitation.expires)
        return await self.signer.issue(grant)

    async def every(self, principal: Principal, after: str | None, limit: int) -> Page[Invitation]:
        """List invitations, newest first; raises `Forbidden`."""
        require_admin(principal)
        return await self.invitations.all(after, limit)

    async def revoke(self, principal: Principal, invitation_id: str) -> None:
        """Take an invitation back, whose link then does nothing.

        Raises `Forbidden`, `NotFound`, and `Conflict` for one that was accepted.
        """
        require_admin(principal)
        invitation = await self.invitations.get(invitation_id)
        if invitation is None:
            raise NotFound(f"There is no invitation {invitation_id}.")
        if not await self.invitations.remove(invitation):
            raise Conflict("It was accepted meanwhile.")
        note("invitation_revoked", invitation.id)

    async def opened(self, token: str) -> Invitation:
        """Return what a link invites to; raises `Forbidden` for one that does so no more."""
        grant = await self.signer.opened(token, METHOD)
        invitation = await self.invitations.get(grant.target)
        if invitation is None or not await self.good(invitation):
            raise Forbidden(SPENT)
        return invitation

    async def good(self, invitation: Invitation) -> bool:
        """Tell whether an invitation waits, and who made it may still invite."""
        if invitation.accepted is not None:
            return False
        maker = None if invitation.by == OPERATOR else await self.users.get(invitation.by)
        return invitation.by == OPERATOR or (maker is not None and administers(maker))

    async def accept(self, token: str, password: str, name: str = "") -> Issued:
        """Make the account that a link invites to, and open a session; also of closed services.

        Raises `InvalidInput` naming the field, `Forbidden` for a link that is not right any more,
        `Conflict` where the address got an account otherwise, and where passwords are not used.
        """
        self.require_passwords()
        invitation, shown = await self.opened(token), clean_name(name)
        words = (invitation.email, shown)
        hashed = await self.passwords.hash(password, words)
        people, now = People(self.users, self.clock), await self.users.store.now()
        user = people.named(invitation.email, name=shown, password=hashed)
        user = user.evolve(role=invitation.role, verified=now)
        spent = {"accepted": now, "user": user.id}
        accepted = Update(Invitation, (invitation.id,), set=spent, when=(Equals("accepted", None),))
        shares = await self._shares(invitation, user, now)
        vouched = self._vouched(invitation)
        try:
            await people.add(user, accepted, *vouched, *shares, may_be_first=False)
        except ConditionFailed:
            raise Forbidden(SPENT) from None
        if user.role is Role.ADMIN:
            await people.claim_first(user)
        note("invitation_accepted", invitation.id, actor=user.id, role=user.role.value)
        note("registered", user.id, actor=user.id, role=user.role.value)
        return await Sessions(self.users, self.clock).open(user)

    def _vouched(self, invitation: Invitation) -> list[Action]:
        """Make the guard that who invites still administers: the word of others is worth nothing.

        Who has lost the role may have kept links, also to accounts of administrators.
        """
        if invitation.by == OPERATOR:
            return []
        return [Check(User, (invitation.by,), when=IN_CHARGE)]

    async def _shares(self, invitation: Invitation, user: User, now: int) -> list[Action]:
        """Make the share that was promised, if the project is still there and its owner's."""
        if invitation.project is None or invitation.share is None:
            return []
        project = await self.users.store.get(Project, invitation.project)
        if project is None or project.hidden or project.owner != invitation.by:
            return []
        role: Share = "editor" if invitation.share == "editor" else "viewer"
        return [Put(ProjectShare(user=user.id, project=project.id, role=role, created=now))]
