"""Proving once more who one is, before what would hurt most from somebody else's hands.

A session lasts for days, on machines that others sit down at. So a few acts ask that who shows it
has given password and code within the last minutes; having just signed in counts, whichever way.
"""

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.clock import MINUTE, Clock
from mediamill.core.errors import (
    ConditionFailed,
    ConfirmationNeeded,
    Conflict,
    Forbidden,
    Unauthenticated,
)
from mediamill.services.accounts.factors.service import SecondFactors
from mediamill.services.accounts.guessing import SESSION, Guessing
from mediamill.services.accounts.passwords import Passwords
from mediamill.services.accounts.people import People
from mediamill.services.accounts.sessions import ENDED, digest
from mediamill.store.port import Equals, Update
from mediamill.store.repositories.users import Token, Users

RECENT_MINUTES = 10
ASKED = "Confirm that it is you: give your password once more, and the code of the second factor."
NONE_HERE = (
    "You have no password here: sign out and in again, which counts too. Another link to sign in "
    "with is printed at the machine of the service by `mediamill admin users sign-in-link {}`."
)
NOT_BY_TOKENS = "This takes a session of somebody who signed in: no token may do it."


class Confirming:
    """Asks for password and code again, and remembers for a while that they were given."""

    def __init__(
        self,
        users: Users,
        clock: Clock,
        passwords: Passwords,
        factors: SecondFactors,
        guessing: Guessing,
    ) -> None:
        self.users, self.clock, self._people = users, clock, People(users, clock)
        self._passwords, self._factors, self._guessing = passwords, factors, guessing

    def require_recent(self, principal: Principal) -> None:
        """Raise `ConfirmationNeeded` unless who asks has lately proved who they are.

        Raises `Forbidden` for API tokens and an issuer's: no program has a password to give.
        """
        if not principal.session:
            raise Forbidden(NOT_BY_TOKENS)
        if self.clock.now() - principal.confirmed >= RECENT_MINUTES * MINUTE:
            raise ConfirmationNeeded(ASKED)

    async def confirm(
        self, principal: Principal, secret: str, password: str, code: str = ""
    ) -> None:
        """Take the password, and the code where a second factor is on, for the session `secret`.

        Raises `Unauthenticated` for a wrong password, `SecondFactorRequired` for the code,
        `Throttled` for who guesses, `Forbidden` for a token, `Conflict` for who has no password.
        """
        if not principal.session:
            raise Forbidden(NOT_BY_TOKENS)
        user = await self._people.active(principal.user)
        if not user.password:
            raise Conflict(NONE_HERE.format(user.email or user.id))
        try:
            async with self._guessing.trying((SESSION, user.id)):
                right, _ = await self._passwords.verify(password, user.password)
                if not right:
                    raise Unauthenticated("The password is not right.")
                await self._factors.require(user, code, principal.token)
        except Unauthenticated as error:
            note("confirmation_refused", user.id, denied=True, code=error.code)
            raise
        told = {"confirmed": self.clock.now()}
        same = (Equals("user", user.id), Equals("id", principal.token))
        try:
            await self.users.store.transact(Update(Token, (digest(secret),), set=told, when=same))
        except ConditionFailed:
            raise Unauthenticated(ENDED) from None
        note("confirmed", user.id, token=principal.token)
