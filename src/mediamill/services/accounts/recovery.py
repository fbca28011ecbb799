"""Passwords changed by who knows them, and set anew by who has forgotten them."""

from dataclasses import replace

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import ConditionFailed, Conflict, Unauthenticated
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.guessing import ACCOUNT, FORGOTTEN
from mediamill.services.accounts.mailed import RESET, SPENT, Mailed
from mediamill.services.accounts.passwords import clean_address
from mediamill.services.accounts.proving import Proving
from mediamill.services.accounts.service import Accounts
from mediamill.services.accounts.sessions import digest
from mediamill.store.port import Action, Equals, Update
from mediamill.store.repositories.users import Token, User


class Recovery:
    """Sets passwords; whoever does ends all sessions of the user but their own."""

    def __init__(self, accounts: Accounts, proving: Proving, mailed: Mailed) -> None:
        self._accounts, self._proving, self._mailed = accounts, proving, mailed
        self._passwords, self._guessing = proving.passwords, proving.guessing
        self._sessions = mailed.sessions

    async def change(self, principal: Principal, secret: str, current: str, new: str) -> None:
        """Set the caller's password, in the session `secret`, which alone goes on.

        `current` is what it was; empty for who has none yet. Raises `InvalidInput` about the field
        `current` or `new`, and as `Proving` does.
        """
        self._accounts.refuse_passwords()
        user = await self._proving.prove(principal, current, "current")
        hashed = await self._passwords.hash(new, (user.email, user.name), "new")
        session = await self._mailed.users.token(digest(secret))
        if session is None or session.id != principal.token:
            raise Unauthenticated("This session has ended meanwhile: sign in again.")
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

        The address counts as verified: they read what was sent there. Raises `Unauthenticated` for
        a link that is spent, and `InvalidInput`, which spends nothing.
        """
        self._accounts.refuse_passwords()
        token, user = await self._mailed.opened(secret, RESET)
        hashed = await self._passwords.hash(new, (user.email, user.name))
        fields: dict[str, object] = {"reset_link": ""}
        if token.sent_to == user.email and user.verified is None:
            fields["verified"] = self._sessions.clock.now()
        others = (*self._setting(user, hashed, None, **fields), self._mailed.spending(token))
        try:
            news = AccountNews(letter="password_changed", to=user.id)
            await self._mailed.send(news, others=others)
        except ConditionFailed:
            raise Unauthenticated(SPENT) from None
        await self._guessing.forget(ACCOUNT, user.email)
        note("password_reset", user.id, actor=user.id)
        return user

    def _setting(
        self, user: User, hashed: str, keep: Token | None, **fields: object
    ) -> tuple[Action, ...]:
        """Make what sets a password and ends the sessions; it fails if either was done before."""
        first, *rest = self._sessions.ending(user, keep)
        assert isinstance(first, Update)  # noqa: S101 - of the user's row
        same = (*first.when, Equals("password", user.password))
        changes = {**first.set, **fields, "password": hashed}
        return replace(first, set=changes, when=same), *rest
