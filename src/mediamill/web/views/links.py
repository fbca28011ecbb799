"""Links as they look outside."""

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.links.service import Link
from mediamill.web.views.common import Count, Time, View


class LinkView(View):
    url: str = Field(description="Needs no session; give it only to whom it is for.")
    expires_at: Time
    name: str
    size: Count = Field(description="Bytes.")
    media_type: str = Field(examples=["application/zip"])


def link_view(link: Link, base: str) -> LinkView:
    """Describe a link under the service's address."""
    return LinkView(
        url=link.url or f"{base}/v1/links/{link.token}",
        expires_at=rfc3339(link.expires),
        name=link.content.name,
        size=link.content.size,
        media_type=link.content.media_type,
    )
