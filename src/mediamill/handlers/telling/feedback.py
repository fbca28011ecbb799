"""`feedback`, `mail_feedback`: copy the pictures that a user showed, and mail what they said.

A copy is at most 2048 pixels wide and high and has no metadata; who runs the service sees nothing
of the original.
"""

from dataclasses import dataclass, field
from pathlib import Path

from mediamill.adapters.mail.port import Letter
from mediamill.blobs.port import Blobs
from mediamill.core.errors import SlotFailure
from mediamill.engine.inputs import call_item, home_of, opened
from mediamill.engine.lease import Lease
from mediamill.engine.slots import Call, SlotPool, Succeeded
from mediamill.handlers.telling.accounts import AccountMail
from mediamill.handlers.telling.mailing import TO, Mailing
from mediamill.letters.account import AccountNews
from mediamill.store.port import Exists, Update
from mediamill.store.repositories.feedback import NAMED, Feedback, Feedbacks
from mediamill.store.repositories.files import File
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import User

COPY = ("thumbnail", {"size": 2048, "quality": 90})
TOLD = 1_000
"""Characters of it that a mail has."""


@dataclass
class FeedbackPictures:
    """Makes the copies; a file of which none can be made is left out."""

    feedback: Feedbacks
    lookup: FileLookup
    blobs: Blobs
    results: Blobs
    slots: SlotPool
    scratch: Path

    async def run(self, lease: Lease) -> None:
        said = await self.feedback.get(lease.unit.payload[NAMED])
        if said is None or said.copies is not None:
            await lease.vanish()
            return
        made = 0
        for file_id in said.files:
            file = await self.lookup.get(file_id)
            if file is None or file.obstacle or file.owner != said.user:
                continue
            try:
                made += await self._copied(file, said.blob(made + 1))
            except SlotFailure:
                if not lease.unit.attempts:
                    raise
        await self._record(lease, said, made)

    async def give_up(self, lease: Lease, error: BaseException) -> None:
        """Leave it without pictures."""
        said = await self.feedback.get(lease.unit.payload[NAMED])
        if said is None:
            await lease.vanish()
        else:
            await self._record(lease, said, 0)

    async def _record(self, lease: Lease, said: Feedback, made: int) -> None:
        change = Update(Feedback, (said.id,), set={"copies": made}, when=(Exists(),))
        await lease.vanish(change)

    async def _copied(self, file: File, blob: str) -> bool:
        """Copy a picture; tell whether that could be done."""
        home = home_of(file, self.blobs, self.results)
        async with (
            self.slots.acquire() as slot,
            opened(home, file.blob, self.scratch) as descriptor,
        ):
            item = call_item(0, file, descriptor)
            async for event in slot.run(Call((COPY,), (item,))):
                if isinstance(event, Succeeded) and event.outcome.files:
                    await self.blobs.adopt(blob, event.outcome.files[0].path)
                    return True
        return False


@dataclass
class FeedbackMail(AccountMail):
    """Tells an administrator what a user said; they may want no such mails."""

    feedback: Feedbacks = field(kw_only=True)

    async def reader(self, unit: Unit) -> User | None:
        return await self.users.get(unit.payload[TO])

    async def unwelcome(self, user: User) -> str:
        return await super().unwelcome(user) or await Mailing.unwelcome(self, user)

    def counter(self, unit: Unit, user: User) -> str:
        return f"feedback:{user.id}"

    async def gone(self, unit: Unit) -> str:
        return "" if await self.feedback.get(unit.payload[NAMED]) else "It was deleted."

    async def letter(self, unit: Unit, user: User) -> Letter:
        said = await self.feedback.get(unit.payload[NAMED])
        news = AccountNews(letter="feedback", about=said.text[:TOLD] if said else "")
        key = unit.group.replace(":", ".")
        return self.letters.write(news, user.email, "", key, unit.created)
