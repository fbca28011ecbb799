"""Deleting an account: shut at once, taken back for a day, then removed.

What shows and takes back a deletion is a signed link, since who asked is signed in no more: it is
in the answer and in the mail, and stored nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import DAY
from mediamill.core.errors import (
    AccountClosing,
    ConditionFailed,
    Conflict,
    NotFound,
)
from mediamill.core.ids import new_id
from mediamill.handlers.removing.erase import erase_unit
from mediamill.services.accounts.roster import Roster
from mediamill.services.accounts.service import Accounts
from mediamill.services.links.signing import Grant, Signer
from mediamill.services.roles import require_admin
from mediamill.store.port import Delete, Equals, Page, Put, Update
from mediamill.store.repositories.erasures import Erasure, Erasures, ErasureState, group_of
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.users import Role, User

UNDO_MS = DAY
"""How long a deletion can be taken back."""
METHOD = "ERASURE"
LINK_DAYS = 3650
TOO_LATE = "It is too late: the account is being removed."
CHANGED = "The deletion has changed at this moment: try again."
OWN = "This account is your own, which is deleted on the account page (DELETE /v1/me)."


@dataclass(frozen=True)
class Deletions:
    """Begins deletions, and takes them back, for whoever may."""

    roster: Roster
    units: Units
    bell: Doorbell

    async def erase(self, who: str, by: str, *, now: bool = False) -> Erasure:
        """Delete the account with an id or address; again with `now` begins one that waits.

        Raises `NotFound`, and `Conflict` for the last administrator.
        """
        user = await self.roster.find(who)
        if user.erasing:
            erasure = await self.need(user.erasing)
            return await self._hasten(erasure) if now else erasure
        return await self.begin(user, by, now=now)

    async def begin(self, user: User, by: str, *, now: bool) -> Erasure:
        """Shut an account, and have it removed a day later, or `now`; raises `Conflict`."""
        time = await self.units.store.now()
        erasure = Erasure(
            id=new_id("erasure"), user=user.id, by=by, barred=user.disabled, asked=time,
            due=time if now else time + UNDO_MS,
        )  # fmt: skip
        same = tuple(Equals(one, getattr(user, one)) for one in ("erasing", "role", "disabled"))
        shut = {"disabled": True, "erasing": erasure.id}
        guards = [await self.roster.another(user)] if user.role is Role.ADMIN else []
        shutting = Update(User, (user.id,), set=shut, add={"epoch": 1}, when=same)
        try:
            await self.units.insert([erase_unit(erasure, time)], shutting, Put(erasure), *guards)
        except ConditionFailed:
            message = "The account has changed at this moment: look, and try again."
            raise Conflict(message) from None
        note("account_closed", user.id, erasure=erasure.id, now=now)
        await self.bell.ring("work:housekeeping")
        return erasure

    async def undo(self, erasure: Erasure) -> Erasure:
        """Open it again; raises `Conflict` when it is too late."""
        if erasure.state is not ErasureState.WAITING or erasure.user is None:
            raise Conflict(TOO_LATE, state=erasure.state)
        time = await self.units.store.now()
        kept = {"state": ErasureState.UNDONE, "user": None, "ended": time}
        back = {"disabled": erasure.barred, "erasing": None}
        try:
            await self.units.store.transact(
                Update(Erasure, (erasure.id,), set=kept,
                       when=(Equals("state", ErasureState.WAITING),)),
                Update(User, (erasure.user,), set=back, when=(Equals("erasing", erasure.id),)),
                Delete(Unit, (group_of(erasure.id), 0)),
            )  # fmt: skip
        except ConditionFailed:
            raise Conflict(TOO_LATE, state="running") from None
        note("account_kept", erasure.user, erasure=erasure.id)
        return erasure.evolve(**kept)

    async def need(self, erasure_id: str) -> Erasure:
        """Return a deletion; raises `NotFound`."""
        erasure = await Erasures(self.units.store).get(erasure_id)
        if erasure is None:
            raise NotFound(f"There is no erasure {erasure_id}.")
        return erasure

    async def _hasten(self, erasure: Erasure) -> Erasure:
        time = await self.units.store.now()
        if erasure.state is not ErasureState.WAITING or erasure.due <= time:
            return erasure
        waiting = (Equals("state", ErasureState.WAITING),)
        sooner = Update(Erasure, (erasure.id,), set={"due": time}, when=waiting)
        unit = await self.units.get(group_of(erasure.id), 0)
        if unit is None:  # it was just undone, or has just ended
            raise Conflict(CHANGED)
        same = (Equals("state", unit.state), Equals("fence", unit.fence))
        soon = Update(Unit, (group_of(erasure.id), 0), set={"due": time}, when=same)
        try:
            await self.units.commit(sooner, soon, wake=("housekeeping", "system"))
        except ConditionFailed:
            raise Conflict(CHANGED) from None
        note("account_closed", erasure.user, erasure=erasure.id, now=True)
        await self.bell.ring("work:housekeeping")
        return erasure.evolve(due=time)


@dataclass(frozen=True)
class Closing:
    """Deletions as their owners ask for them, and as their links show them."""

    deletions: Deletions
    accounts: Accounts
    signer: Signer
    public: str
    """The address that users see, without a slash at its end."""

    async def close(self, principal: Principal, *, now: bool = False) -> Erasure:
        """Delete the caller's account: it is shut at once, and removed a day later, or `now`.

        Raises `Conflict` for the last administrator.
        """
        user = await self.accounts.profile(principal)
        return await self.deletions.begin(user, "user", now=now)

    async def erase(self, principal: Principal, user_id: str, *, now: bool = False) -> Erasure:
        """Delete another user's account, for administrators.

        Raises as `Deletions.erase`, and `Conflict` for one's own.
        """
        require_admin(principal)
        if user_id == principal.user:
            raise Conflict(OWN)
        return await self.deletions.erase(user_id, "administrator", now=now)

    async def keep(self, principal: Principal, erasure_id: str) -> Erasure:
        """Take a deletion back, for administrators; raises `NotFound` and `Conflict`."""
        require_admin(principal)
        return await self.deletions.undo(await self.deletions.need(erasure_id))

    async def all(self, principal: Principal, after: str | None, limit: int) -> Page[Erasure]:
        """List all deletions of accounts, the last first, for administrators."""
        require_admin(principal)
        return await Erasures(self.deletions.units.store).all(after, limit)

    async def restore(
        self, email: str, password: str, code: str = "", kept: Sequence[str] = ()
    ) -> Erasure:
        """Take a deletion back by address, password and code; raises as a sign-in does.

        Raises `Conflict` for an account that is not being deleted, and when it is too late.
        """
        user = await self.accounts.prove(email, password, code, kept)
        if not user.erasing:
            raise Conflict("This account is not being deleted: sign in as ever.")
        return await self.deletions.undo(await self.deletions.need(user.erasing))

    async def offered(self, closing: AccountClosing) -> AccountClosing:
        """Return what a sign-in is told, with the token by which that is taken back.

        Who is told so has given the password, and a code that is good once.
        """
        token = await self.token(closing.details["erasure"])
        return AccountClosing(closing.message, **closing.details, token=token)

    async def undo(self, token: str) -> Erasure:
        """Take a deletion back by its link; raises `Forbidden`, and `Conflict` when too late."""
        return await self.deletions.undo(await self.receipt(token))

    async def receipt(self, token: str) -> Erasure:
        """Return what became of a deletion, by its link; raises `Forbidden` and `NotFound`."""
        return await self.deletions.need((await self.signer.opened(token, METHOD)).target)

    async def token(self, erasure_id: str) -> str:
        """Return what a link to a deletion ends with; the same whenever it is asked for."""
        erasure = await self.deletions.need(erasure_id)
        until = erasure.asked + LINK_DAYS * DAY
        return await self.signer.issue(Grant(METHOD, erasure.id, "", until))

    async def link(self, erasure_id: str) -> str:
        """Return the address of the page that shows a deletion."""
        return f"{self.public}/erasures/{await self.token(erasure_id)}"
