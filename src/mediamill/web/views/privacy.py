"""Exports of everything, and deletions of accounts, as the API shows them."""

from pydantic import Field

from mediamill.store.repositories.erasures import Erasure, ErasureState
from mediamill.store.repositories.exports import Export, ExportState
from mediamill.web.views.common import Count, Time, View, moment


class ExportView(View):
    id: str = Field(examples=["export_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    state: ExportState
    asked_at: Time
    made_at: Time | None
    expires_at: Time | None = Field(description="Until when it can be fetched.")
    size: Count | None = Field(description="Bytes of the zip.")
    members: Count | None
    error: str | None


class ErasureView(View):
    id: str = Field(examples=["erasure_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    state: ErasureState
    user: str | None = Field(description="Whose account; null once it is gone, or was kept.")
    by: str = Field(description="`user`, `administrator` or `operator`.")
    asked_at: Time
    due_at: Time = Field(description="Until when it can be taken back.")
    ended_at: Time | None
    removed: dict[str, int] = Field(description="How many rows of each table there were.")
    removed_bytes: Count


class ClosedView(ErasureView):
    token: str = Field(description="Shows the receipt, and takes the deletion back; shown once.")
    url: str = Field(description="The page that does both.")


def export_view(export: Export) -> ExportView:
    ready = export.state is ExportState.READY
    return ExportView(
        id=export.id,
        state=export.state,
        asked_at=moment(export.asked) or "",
        made_at=moment(export.made),
        expires_at=moment(export.expires),
        size=export.size if ready else None,
        members=export.members if ready else None,
        error=export.error or None,
    )


def erasure_view(erasure: Erasure) -> ErasureView:
    return ErasureView(
        id=erasure.id,
        state=erasure.state,
        user=erasure.user,
        by=erasure.by,
        asked_at=moment(erasure.asked) or "",
        due_at=moment(erasure.due) or "",
        ended_at=moment(erasure.ended),
        removed=dict(erasure.counts),
        removed_bytes=erasure.bytes,
    )
