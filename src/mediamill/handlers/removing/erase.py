"""`erase`: remove all that is kept about somebody, and leave a receipt that names nobody.

    told     whose account it is has a mail that says until when it can be taken back
    begun    the time is over: what there is is counted, and it cannot be taken back any more
    looked   what is about their records has been looked through, and need not be again
    gone     nothing is found any more
    sure     nor a while later, when requests that were let in before have ended too
    done     the receipt is mailed, and the user's id and address are in no row any more

The unit is the service's own and not the user's, since it outlives all that is theirs. What it
needs to know of them is in it until the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from mediamill.adapters.mail.port import Letter, Post
from mediamill.core.clock import DAY, HOUR, MINUTE, SECOND
from mediamill.core.errors import ConditionFailed, DeliveryRefused, MediamillError
from mediamill.engine.lease import Lease
from mediamill.handlers.telling.mailing import leads_somewhere
from mediamill.letters.erasure import ErasureLetters
from mediamill.store.port import Equals, Update, unsettled
from mediamill.store.repositories.erasures import Erasure, Erasures, ErasureState, about, group_of
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.users import Users

log = structlog.get_logger(__name__)

KIND, OWNER = "erase", "system"
LOOK_AGAIN_MS = 5 * SECOND
SURE_MS = HOUR
"""How long after all is gone it is looked once more."""
MAIL_MS, MAIL_AGAIN_MS = DAY, 5 * MINUTE
"""For how long the mails of an erasure are tried, and how often."""


class Erases(Protocol):
    """What knows all that is kept about somebody (`services/privacy/erasing.py`)."""

    async def count(self, user: str, email: str) -> dict[str, int]:
        """Count the rows that there are, by table."""

    async def step(self, user: str, email: str, erasure: str, *, first: bool) -> bool:
        """Do what can be done now; True when only rows are left that `finish` removes."""

    async def finish(self, user: str, email: str, erasure: str, *, last: bool) -> None:
        """Remove these rows, in the `last` look those too by which others' rows are found."""


def erase_unit(erasure: Erasure, now: int) -> Unit:
    """Make the one unit of an erasure, due now."""
    group, named = group_of(erasure.id), erasure.id
    return Unit.chore(KIND, group, 0, OWNER, cost=1.0, now=now, due=now, erasure=named)


@dataclass
class Erase:
    """Brings erasures to their end, whoever dies in between."""

    users: Users
    erasing: Erases
    letters: ErasureLetters
    post: Post

    def __post_init__(self) -> None:
        self.store = self.users.store

    async def run(self, lease: Lease) -> None:
        erasure = await Erasures(self.store).get(lease.unit.payload["erasure"])
        if erasure is None or erasure.user is None:
            await lease.vanish()
        elif erasure.state is ErasureState.WAITING:
            await self._wait(lease, erasure)
        else:
            await self._go_on(lease, erasure, lease.unit.payload)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Try again later: what should be gone must go."""
        log.error("erasure goes on later", action="erasure_failed", exc_info=error)
        await lease.release(MINUTE, str(error))

    async def _wait(self, lease: Lease, erasure: Erasure) -> None:
        """Tell whose account it is; begin when it cannot be taken back any more."""
        payload, now = lease.unit.payload, await self.store.now()
        user = await self.users.get(erasure.user or "")
        email = "" if user is None else user.email
        if now < erasure.due:
            if "told" not in payload:
                letter = await self.letters.closing(email, erasure)
                if not await self._mailed(letter, erasure.asked, now):
                    await lease.release(min(MAIL_AGAIN_MS, erasure.due - now))
                    return
                await lease.write(payload={**payload, "told": now})
            await lease.release(erasure.due - now)
            return
        known = {"erasure": erasure.id, "user": erasure.user, "email": email}
        counts = await self.erasing.count(erasure.user or "", email)
        kept = (await Usages(self.store).get(erasure.user or "")).bytes
        begun = {"state": ErasureState.RUNNING, "counts": counts, "bytes": kept}
        still = (Equals("state", ErasureState.WAITING),)
        try:
            change = Update(Erasure, (erasure.id,), set=begun, when=still)
            await lease.write(change, payload=known)
        except ConditionFailed:  # it was taken back at this moment
            await lease.vanish()
            return
        await lease.release()

    async def _go_on(self, lease: Lease, erasure: Erasure, payload: Mapping[str, Any]) -> None:
        who: tuple[str, str] = payload["user"], payload["email"]
        if "sure" not in payload:
            first = "looked" not in payload
            if not await self.erasing.step(*who, erasure.id, first=first):
                if first:
                    await lease.write(payload={**payload, "looked": await self.store.now()})
                await lease.release(LOOK_AGAIN_MS)
                return
            now = await self.store.now()
            gone = int(payload.get("gone", now))
            wait = gone + max(SURE_MS, await unsettled(self.store, now)) - now
            await self.erasing.finish(*who, erasure.id, last=wait <= 0)
            if wait > 0:
                await lease.write(payload={**payload, "gone": gone})
                await lease.release(wait)
                return
            await lease.write(payload={**payload, "sure": now})
        await self._end(lease, erasure, who[1])

    async def _end(self, lease: Lease, erasure: Erasure, email: str) -> None:
        """Mail the receipt, then forget whose it is."""
        now = await self.store.now()
        letter = await self.letters.receipt(email, erasure)
        if not await self._mailed(letter, int(lease.unit.payload["sure"]), now):
            await lease.release(MAIL_AGAIN_MS)
            return
        done = {"state": ErasureState.DONE, "user": None, "ended": now}
        await lease.vanish(Update(Erasure, (erasure.id,), set=done))
        log.info("account erased", action="account_erased", **about(erasure))

    async def _mailed(self, letter: Letter, since: int, now: int) -> bool:
        """Send a mail; False where it is to be tried again."""
        if not leads_somewhere(self.post, letter.to):
            return True
        try:
            await self.post.send(letter)
        except DeliveryRefused:
            return True
        except MediamillError as error:
            log.warning("mail postponed", action="erasure_mail_postponed", error=error.message)
            return now - since >= MAIL_MS
        return True
