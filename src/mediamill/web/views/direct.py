"""Direct uploads as they look outside."""

from collections.abc import Sequence

from pydantic import Field

from mediamill.blobs.port import Presigned
from mediamill.core.clock import rfc3339
from mediamill.services.uploads.direct import Place, count_of
from mediamill.store.repositories.uploads import Upload
from mediamill.web.views.common import Count, Listed, Time, View, listed


class RequestView(View):
    """A request to the bucket; who has it may send it, without a session, until it expires."""

    method: str = Field(examples=["PUT"])
    url: str
    headers: dict[str, str] = Field(description="To be sent along as they are.")
    expires_at: Time


class PartView(View):
    """Bytes `start … start + size` of the file."""

    number: Count
    start: Count
    size: Count
    arrived: bool
    request: RequestView | None = Field(description="What sends it; null once it has arrived.")


class DirectView(View):
    """A direct upload that has begun."""

    id: str = Field(examples=["upload_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    name: str
    state: str = Field(examples=["receiving"])
    size: Count
    part_size: Count = Field(description="Bytes of each part but the last.")
    part_count: Count = Field(description="1 for an upload that is a single request.")
    parts: Listed[PartView] = Field(description="The first of them.")
    created_at: Time
    expires_at: Time = Field(description="When it is removed unless it is complete.")
    links: dict[str, str]


def direct_view(upload: Upload, places: Sequence[Place], *, more: bool) -> DirectView:
    here = f"/v1/uploads/{upload.id}"
    return DirectView(
        id=upload.id,
        name=upload.name,
        state=upload.state,
        size=upload.size or 0,
        part_size=upload.part_size,
        part_count=count_of(upload),
        parts=places_view(places, more=more),
        created_at=rfc3339(upload.created),
        expires_at=rfc3339(upload.expires),
        links={"self": here, "parts": f"{here}/parts", "complete": f"{here}/complete"},
    )


def places_view(places: Sequence[Place], *, more: bool) -> Listed[PartView]:
    """Show a page of parts; the cursor is the number of its last one."""
    after = str(places[-1].number) if more else None
    return listed([_place(place) for place in places], after)


def _place(place: Place) -> PartView:
    return PartView(
        number=place.number,
        start=place.start,
        size=place.size,
        arrived=place.arrived,
        request=None if place.request is None else _request(place.request),
    )


def _request(signed: Presigned) -> RequestView:
    return RequestView(
        method=signed.method,
        url=signed.url,
        headers=dict(signed.headers),
        expires_at=rfc3339(signed.expires),
    )
