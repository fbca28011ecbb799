"""Feedback: what users say to who runs the service, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.acts import note
from mediamill.core.errors import InvalidInput, NotFound, QuotaExceeded
from mediamill.core.ids import new_id
from mediamill.services.content import Content
from mediamill.services.files.service import FileService, blob_content
from mediamill.services.roles import require_admin
from mediamill.store.port import Page
from mediamill.store.repositories.feedback import NAMED, Feedback, Feedbacks, FeedbackState
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import Users

TOLD = 20
"""Administrators who get a mail, at most."""


@dataclass(frozen=True)
class FeedbackService:
    """Takes feedback from everybody, and shows it to administrators."""

    feedback: Feedbacks
    users: Users
    files: FileService
    blobs: Blobs
    bell: Doorbell

    async def say(
        self, principal: Principal, text: str, page: str = "", files: Sequence[str] = ()
    ) -> Feedback:
        """Keep what a user says, with copies of pictures of theirs, and tell administrators.

        Raises `InvalidInput` for what is no picture of theirs, `QuotaExceeded` for too much a day.
        """
        for place, file_id in enumerate(files):
            await self._refuse_others(principal, file_id, f"files.{place}")
        now = await self.users.store.now()
        said = Feedback(
            id=new_id("feedback"), user=principal.user, text=text, page=page,
            files=tuple(dict.fromkeys(files)), copies=None if files else 0, created=now,
        )  # fmt: skip
        group, told = f"feedback:{said.id}", {NAMED: said.id}
        units = [
            Unit.notice(
                "mail_feedback", f"{group}:{user.id}", 0, user.id, now=now, **told, to=user.id
            )
            for user in (await self.users.administrators())[:TOLD]
        ]
        if files:
            units.append(Unit.notice("feedback", group, 0, principal.user, now=now, **told))
        if not await self.feedback.add(said, units):
            raise QuotaExceeded(
                f"That is enough for a day: {self.feedback.most} times. Go on tomorrow."
            )
        await self.bell.ring("work:notices")
        note("feedback_given", said.id)
        return said

    async def list(
        self, principal: Principal, state: FeedbackState, after: str | None, limit: int
    ) -> Page[Feedback]:
        """List what was said, newest first; administrators only."""
        require_admin(principal)
        return await self.feedback.in_state(state, after, limit)

    async def mark(self, principal: Principal, feedback_id: str, state: FeedbackState) -> Feedback:
        """Mark one as done, or open again; raises `Forbidden`, `NotFound`."""
        require_admin(principal)
        if not await self.feedback.mark(feedback_id, state):
            raise _absent(feedback_id)
        note("feedback_marked", feedback_id, state=state.value)
        return await self._get(feedback_id)

    async def delete(self, principal: Principal, feedback_id: str) -> None:
        """Remove one and its pictures; raises `Forbidden`, `NotFound`."""
        require_admin(principal)
        said = await self._get(feedback_id)
        await self.feedback.remove(said)
        for number in range(1, (said.copies or 0) + 1):
            await self.blobs.delete(said.blob(number))
        note("feedback_deleted", said.id)

    async def picture(self, principal: Principal, feedback_id: str, number: int) -> Content:
        """Return a copy of a picture; raises `Forbidden`, `NotFound`."""
        require_admin(principal)
        said = await self._get(feedback_id)
        if not 1 <= number <= (said.copies or 0):
            raise NotFound(f"There is no picture {number}.")
        blob, name = said.blob(number), f"{said.id}-{number}.jpg"
        size = (await self.blobs.info(blob)).size
        return blob_content(self.blobs, blob, name, "image/jpeg", size, f"f-{said.id}-{number}")

    async def _get(self, feedback_id: str) -> Feedback:
        said = await self.feedback.get(feedback_id)
        if said is None:
            raise _absent(feedback_id)
        return said

    async def _refuse_others(self, principal: Principal, file_id: str, where: str) -> None:
        try:
            file = await self.files.ready(principal, file_id)
        except NotFound as error:
            raise InvalidInput.at(where, error.message) from None
        if file.owner != principal.user or not file.media_type.startswith("image/"):
            raise InvalidInput.at(where, "This is no picture of yours.")


def _absent(feedback_id: str) -> NotFound:
    return NotFound(f"There is no feedback {feedback_id}.")
