"""The password said once more by who is signed in, before they change how they get in."""

from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import Forbidden
from mediamill.services.accounts.confirming import NOT_BY_TOKENS, Confirming
from mediamill.services.accounts.guessing import SESSION, Guessing
from mediamill.services.accounts.passwords import Passwords, invalid
from mediamill.services.accounts.people import People
from mediamill.store.repositories.users import User


@dataclass(frozen=True)
class Proving:
    """Asks for it; who guesses is slowed down as at the sign-in."""

    people: People
    passwords: Passwords
    guessing: Guessing
    confirming: Confirming

    async def prove(self, principal: Principal, password: str, field: str) -> User:
        """Return the caller, whose password this is.

        Where the password alone does not sign them in, or there is none, they must have proved
        lately who they are. Raises `InvalidInput` about `field`, `ConfirmationNeeded`, `Throttled`,
        `Forbidden` for a program's token.
        """
        if not principal.session:
            raise Forbidden(NOT_BY_TOKENS)
        user = await self.people.active(principal.user)
        if user.factor or not user.password:
            self.confirming.require_recent(principal)
        if user.password:
            async with self.guessing.trying((SESSION, user.id)):
                right, _ = await self.passwords.verify(password, user.password)
                if not right:
                    note("password_refused", user.id, denied=True)
                    raise invalid(field, "This is not your password.")
        return user
