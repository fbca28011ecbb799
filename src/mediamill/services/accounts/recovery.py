"""Passwords changed by who knows them, and set anew by who has forgotten them.

Who registered an address need not be who reads it. So the first password that is set by a mail to
an address which nobody had verified ends all that may open the account besides: API tokens, the
second factor, linked sign-ins, and the role that an issuer gave. Webhooks, which would go on
telling what becomes of its files, are switched off.
"""

import asyncio
from dataclasses import replace
from typing import Any

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import ConditionFailed, Conflict, Unauthenticated
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.guessing import ACCOUNT, FORGOTTEN, SESSION
from mediamill.services.accounts.mailed import RESET, SPENT, Mailed
from mediamill.services.accounts.passwords import clean_address
from mediamill.services.accounts.proving import Proving
from mediamill.services.accounts.roster import Roster
from mediamill.services.accounts.service import Accounts
from mediamill.services.accounts.sessions import BETWEEN_LOOKS, ENDED
from mediamill.store.port import Action, Delete, Equals, Update, unsettled
from mediamill.store.repositories.factors import Factor
from mediamill.store.repositories.identities import Identities, Identity
from mediamill.store.repositories.users import Role, Token, User
from mediamill.store.repositories.webhooks import Webhook, Webhooks

AT_ONCE = 50
"""Linked sign-ins that go in the same write."""
SWITCHED_OFF = {
    "enabled": False,
    "reason": "The address of the account was verified by a new password: whose is this webhook?",
}


class Recovery:
    """Sets passwords; whoever does ends all sessions of the user but their own."""

    def __init__(
        self,
        accounts: Accounts,
        proving: Proving,
        mailed: Mailed,
        identities: Identities,
        webhooks: Webhooks,
    ) -> None:
        self._accounts, self._proving, self._mailed = accounts, proving, mailed
        self._passwords, self._guessing = proving.passwords, proving.guessing
        self._sessions, self._identities, self._webhooks = mailed.sessions, identities, webhooks
        self._roster = Roster(proving.people, mailed.sessions)

    async def change(self, principal: Principal, secret: str, current: str, new: str) -> None:
        """Set the caller's password, in the session `secret`, which alone goes on.

        `current` is what it was; empty for who has none yet. Raises `InvalidInput` about the field
        `current` or `new`, and as `Proving` does.
        """
        self._accounts.refuse_passwords()
        user = await self._proving.prove(principal, current, "current")
        hashed = await self._passwords.hash(new, (user.email, user.name), "new")
        session = await self._sessions.shown(principal, secret)
        if self._sessions.over(session, user):
            raise Unauthenticated(ENDED)
        news = AccountNews(letter="password_changed", to=user.id)
        try:
            await self._mailed.send(news, others=self._setting(user, hashed, session))
        except ConditionFailed:
            raise Conflict("The password was changed meanwhile: try again.") from None
        note("password_changed", user.id)

    async def forgot(self, email: str) -> None:
        """Mail a link for a new password to an address, if an account has it.

        What is done here is the same for all addresses. Raises `InvalidInput` for what is none,
        `Throttled` for a network that asks too often.
        """
        self._accounts.refuse_passwords()
        address = clean_address(email)
        await self._guessing.count_network(FORGOTTEN)
        note("password_forgotten")
        await self._mailed.send(AccountNews(letter="reset", address=address))

    async def reset(self, secret: str, new: str) -> User:
        """Set the password of who was sent a link, and end all their sessions.

        The address counts as verified: they read what was sent there. Return them as they are then.
        Raises `Unauthenticated` for a link that is spent, `InvalidInput`, which spends nothing, and
        `Conflict` where this would end the rights of the last administrator.
        """
        self._accounts.refuse_passwords()
        token, user = await self._mailed.opened(secret, RESET)
        hashed = await self._passwords.hash(new, (user.email, user.name))
        first = bool(token.sent_to) and token.sent_to == user.email and user.verified is None
        fields, gone = await self._taking_over(user) if first else ({}, ())
        fields |= {"reset_link": ""}
        setting = self._setting(user, hashed, None, **fields)
        letter = "password_first" if first else "password_changed"
        try:
            news = AccountNews(letter=letter, to=user.id)
            await self._mailed.send(news, others=(*setting, self._mailed.spending(token), *gone))
        except ConditionFailed:
            raise Unauthenticated(SPENT) from None
        then = user.evolve(**fields, password=hashed, epoch=user.epoch + 1)
        if first:
            await self._forget_late(then)
            await self._sessions.forget(then)
        await self._guessing.forget(ACCOUNT, user.email)
        await self._guessing.forget(SESSION, user.id)
        note("password_reset", user.id, actor=user.id, first=first)
        return then

    async def _taking_over(self, user: User) -> tuple[dict[str, Any], tuple[Action, ...]]:
        """Return what changes of a user, and goes, when they show that the address is theirs."""
        linked = (await self._identities.of(user.id, limit=AT_ONCE)).rows
        fields: dict[str, Any] = {
            "verified": self._sessions.clock.now(), "factor": None, "tenure": user.tenure + 1,
        }  # fmt: skip
        others: tuple[Action, ...] = ()
        if user.role is Role.ADMIN and any(one.granted for one in linked):
            fields["role"] = Role.USER
            others = (await self._roster.another(user),)
        gone = (Delete(Identity, (one.id,)) for one in linked)
        off = (
            Update(Webhook, one.key_values(), set=SWITCHED_OFF, add={"revision": 1})
            for one in await self._webhooks.of_owner(user.id)
        )
        return fields, (Delete(Factor, (user.id,)), *gone, *off, *others)

    async def _forget_late(self, user: User) -> None:
        """Remove what was not listed yet; what is linked from now on is of the new tenure."""
        store, begun = self._mailed.users.store, await self._mailed.users.store.now()
        while True:
            if linked := (await self._identities.of(user.id, limit=AT_ONCE)).rows:
                await store.transact(*(Delete(Identity, (one.id,)) for one in linked))
            elif self._accounts.federation is None or not await unsettled(store, begun):
                return  # without an issuer nothing can have been linked a moment ago
            else:
                await asyncio.sleep(BETWEEN_LOOKS)

    def _setting(
        self, user: User, hashed: str, keep: Token | None, **fields: object
    ) -> tuple[Action, ...]:
        """Make what sets a password and ends the sessions; it fails if either was done before."""
        first, *rest = self._sessions.ending(user, keep)
        assert isinstance(first, Update)  # noqa: S101 - of the user's row
        same = (*first.when, Equals("password", user.password))
        changes = {**first.set, **fields, "password": hashed}
        return replace(first, set=changes, when=same), *rest
