"""Taking a second factor away from somebody who has lost it, by who runs the service."""

from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import ConditionFailed, Conflict
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.mailed import Mailed
from mediamill.services.accounts.roster import Roster
from mediamill.services.roles import require_admin
from mediamill.store.repositories.factors import Factors
from mediamill.store.repositories.users import User


@dataclass(frozen=True)
class FactorResets:
    """Removes second factors of others."""

    roster: Roster
    factors: Factors
    mailed: Mailed

    async def reset_for(self, principal: Principal, user_id: str) -> User:
        """Do so for an administrator; raises `Forbidden` for others."""
        require_admin(principal)
        return await self.reset(user_id)

    async def reset(self, who: str) -> User:
        """Turn off the second factor of a user, named by id or address, for the operator.

        Raises `NotFound` without such a user, `Conflict` where none is on.
        """
        user = await self.roster.find(who)
        news = AccountNews(letter="factor_reset", to=user.id)
        try:
            await self.mailed.send(news, others=self.factors.removing(user.id))
        except ConditionFailed:
            raise Conflict(f"{user.email or user.id} has no second factor.") from None
        note("second_factor_reset", user.id)
        return user
