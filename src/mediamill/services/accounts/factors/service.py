"""What people do with their second factor: set up, use, renew, turn off; and who must have one.

It is the second to a password: who signs in through an issuer has the issuer's, and who opens the
operator's one-time link works at the machine. So neither is asked, and who has no password need
not have one.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from mediamill.core.acts import note
from mediamill.core.clock import MINUTE, Clock
from mediamill.core.errors import ConditionFailed, Conflict, InvalidInput, SecondFactorRequired
from mediamill.core.ids import new_id
from mediamill.core.sealing import Sealer, about, key_of
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.factors.codes import (
    RECOVERY_CODES,
    is_present_code,
    new_recovery_codes,
    new_secret,
    otpauth,
    qr_code,
    recovery_digest,
    step_of,
    tidied,
)
from mediamill.services.accounts.guessing import CODE, Guessing
from mediamill.services.accounts.mailed import Mailed
from mediamill.store.repositories.factors import Factor, Factors
from mediamill.store.repositories.users import Role, User, Users

Demand = Literal["off", "admins", "everybody"]
"""Who must have a second factor."""

SET_UP_MINUTES = 30
"""How long a secret that was shown waits for its first code."""
ASKED = "Give the code that your authenticator app shows, or a recovery code."
REFUSED = "This code is not right, or was used already: wait for the next one."
NONE_ON = "No second factor is on."


@dataclass(frozen=True)
class SetUp:
    """What an app is set up with, shown once."""

    secret: str
    uri: str

    @property
    def qr_code(self) -> str:
        """The address as an SVG file."""
        return qr_code(self.uri)


@dataclass(frozen=True)
class FactorState:
    """How it stands with a user's second factor."""

    since: int | None
    """When it was turned on (ms); None while it is off."""
    left: int
    """Recovery codes that were not used."""
    demanded: bool
    """Whether this installation wants them to have one."""


class SecondFactors:
    """Sets up and asks for second factors."""

    def __init__(
        self,
        users: Users,
        factors: Factors,
        sealer: Sealer,
        clock: Clock,
        mailed: Mailed,
        guessing: Guessing,
        demand: Demand = "off",
        address: str = "",
    ) -> None:
        self.users, self.factors, self.sealer, self.clock = users, factors, sealer, clock
        self._mailed, self._guessing, self.demand = mailed, guessing, demand
        self._issuer = urlsplit(address).hostname or "Mediamill"  # apps show no space well

    # -- who must have one ----------------------------------------------------------------------

    def demanded_of(self, user: User) -> bool:
        """Tell whether a user must have one."""
        if not user.password:
            return False
        return self.demand == "everybody" or (self.demand == "admins" and user.role is Role.ADMIN)

    def lacks(self, user: User) -> bool:
        """Tell whether a user must set one up before anything else."""
        return user.factor is None and self.demanded_of(user)

    async def state(self, user: User) -> FactorState:
        """Tell how it stands with a user's."""
        factor = await self._on(user.id)
        demanded = self.demanded_of(user)
        if factor is None:
            return FactorState(None, 0, demanded)
        return FactorState(factor.since, len(factor.recovery), demanded)

    # -- setting up -----------------------------------------------------------------------------

    async def begin(self, user: User) -> SetUp:
        """Make a new secret for a user's app, which counts once a code of it was given.

        Raises `Conflict` where one is on, and for who has no password.
        """
        if not user.password:
            raise Conflict("A second factor is asked for beside a password, and you have none.")
        secret = new_secret()
        sealed = await self.sealer.seal(secret, about(Factor, "secret", user.id))
        factor = Factor(
            user=user.id,
            id=new_id("factor"),
            secret=sealed,
            sealed_by=key_of(sealed),
            created=self.clock.now(),
        )
        if not await self.factors.begin(factor):
            raise Conflict("A second factor is on already: turn it off first, for another app.")
        return SetUp(secret, otpauth(secret, self._issuer, user.email or user.name or user.id))

    async def turn_on(self, user: User, code: str) -> Sequence[str]:
        """Turn on what was set up, with its first code; return recovery codes, shown once.

        Raises `Conflict` where nothing waits for a code, `InvalidInput` for a wrong one.
        """
        factor, now = await self.factors.get(user.id), self.clock.now()
        stale = Conflict("Nothing waits for a code, or not any more: begin the set-up again.")
        if factor is None or factor.since is not None:
            raise stale
        if now - factor.created > SET_UP_MINUTES * MINUTE:
            raise stale
        step = await self._step(factor, tidied(code))
        if step is None:
            message = "The app shows another code now. Is the time of its device right?"
            raise InvalidInput.at("code", message)
        codes = new_recovery_codes()
        turning_on = self.factors.turning_on(factor, now, step, _digests(codes))
        try:
            await self._mailed.send(AccountNews(letter="factor_on", to=user.id), others=turning_on)
        except ConditionFailed:
            raise stale from None
        note("second_factor_on", user.id)
        return codes

    async def renew(self, user: User) -> Sequence[str]:
        """Make new recovery codes, shown once, in place of the former; raises `Conflict`."""
        factor = await self._on(user.id)
        if factor is None:
            raise Conflict(NONE_ON)
        codes = new_recovery_codes()
        if not await self.factors.set_recovery(factor, _digests(codes)):
            raise Conflict("Recovery codes were used or made at the same moment: try again.")
        note("recovery_codes_made", user.id)
        return codes

    async def turn_off(self, user: User) -> None:
        """Turn it off, and forget secret and recovery codes; raises `Conflict` where none is."""
        news = AccountNews(letter="factor_off", to=user.id)
        try:
            await self._mailed.send(news, others=self.factors.removing(user.id))
        except ConditionFailed:
            raise Conflict(NONE_ON) from None
        note("second_factor_off", user.id)

    # -- being asked ----------------------------------------------------------------------------

    async def require(self, user: User, code: str, where: str = "") -> None:
        """Take a code of a user whose password is right; nothing is asked where none is on.

        Each code is taken once. Tries count for the user, or for `where` they are made: the known
        browser or the session, neither of which who guesses elsewhere keeps waiting. Raises
        `SecondFactorRequired` without a code, and for a wrong one, `Throttled`.
        """
        factor = await self._on(user.id)
        if factor is None:
            return
        typed = tidied(code)
        if not typed:
            raise SecondFactorRequired(ASKED)
        right = self._take_present if is_present_code(typed) else self._take_recovery
        async with self._guessing.trying((CODE, where or user.id)):
            if not await right(factor, typed):
                errors = [{"pointer": "code", "message": REFUSED}]
                raise SecondFactorRequired(REFUSED, errors=errors)

    async def _take_present(self, factor: Factor, code: str) -> bool:
        step = await self._step(factor, code)
        return step is not None and await self.factors.take_step(factor, step)

    async def _take_recovery(self, factor: Factor, code: str) -> bool:
        used = recovery_digest(code)
        for _ in range(RECOVERY_CODES):  # each time another one was taken first
            left = [kept for kept in factor.recovery if not hmac.compare_digest(kept, used)]
            if len(left) == len(factor.recovery):
                return False
            if await self.factors.set_recovery(factor, left):
                note("recovery_code_used", factor.user, left=len(left))
                return True
            again = await self._on(factor.user)  # another one was used meanwhile, or this one
            if again is None:
                return False
            factor = again
        return False

    # -- inside ---------------------------------------------------------------------------------

    async def _on(self, user: str) -> Factor | None:
        factor = await self.factors.get(user)
        return factor if factor is not None and factor.since is not None else None

    async def _step(self, factor: Factor, code: str) -> int | None:
        secret = await self.sealer.open(factor.secret, about(Factor, "secret", factor.user))
        return step_of(secret, code, self.clock.now())


def _digests(codes: Sequence[str]) -> list[str]:
    return [recovery_digest(code) for code in codes]
