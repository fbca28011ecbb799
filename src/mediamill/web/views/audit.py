"""What is shown of the audit trail."""

from typing import Any

from pydantic import Field

from mediamill.core.ids import made_at
from mediamill.store.repositories.audit import Act, Verdict
from mediamill.web.views.common import Count, Time, View, moment


class ActView(View):
    """Something that somebody did, or was kept from."""

    id: str = Field(examples=["audit_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    at: Time
    action: str = Field(examples=["file_deleted"])
    verdict: Verdict
    actor: str = Field(
        description="Id of who did it; `nobody` who was not signed in, `operator` who worked at "
        "the machine itself.",
        examples=["user_01KAHRQPV0V3E3M2X5E2C8T2QG"],
    )
    about: str | None = Field(description="Id of what, or whom, it was done to.")
    address: str = Field(description="IP address that it came from.", examples=["192.0.2.7"])
    agent: str = Field(description="What the program called itself.", examples=["curl/8.5.0"])
    request: str = Field(description="Id of the request, as in the log.")
    count: Count = Field(description="How often the same was denied within a minute.")
    details: dict[str, Any]


def act_view(act: Act) -> ActView:
    return ActView(
        id=act.id,
        at=moment(made_at(act.id)) or "",
        action=act.action,
        verdict=act.verdict,
        actor=act.actor,
        about=act.about,
        address=act.address,
        agent=act.agent,
        request=act.request,
        count=act.count,
        details=act.details,
    )
