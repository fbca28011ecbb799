"""Links that work without a session: make them, and follow them; thumbnails too."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from mediamill.services.links.service import LEAST_SECONDS, LINK_SECONDS, MOST_SECONDS
from mediamill.web.api.files import BYTES, ELSEWHERE
from mediamill.web.gateway import gateway_of
from mediamill.web.parsing import PROBLEM, FileId, JobId, StrictRoute
from mediamill.web.redirecting import redirected
from mediamill.web.security import Caller, Mill, the_app
from mediamill.web.serving import serve
from mediamill.web.views.links import LinkView, link_view

router = APIRouter(prefix="/v1", tags=["links"], responses=PROBLEM, route_class=StrictRoute)

Seconds = Annotated[
    int, Query(ge=LEAST_SECONDS, le=MOST_SECONDS, description="How long it works, in seconds.")
]
Token = Annotated[str, Path(max_length=2_000)]


@router.get("/jobs/{job_id}/download/{file_id}")
async def link_output(
    job_id: JobId,
    file_id: FileId,
    caller: Caller,
    mill: Mill,
    request: Request,
    expires_in: Annotated[
        int | None,
        Query(ge=LEAST_SECONDS, le=MOST_SECONDS, description="Seconds it works; else an hour."),
    ] = None,
    direct: Annotated[
        bool, Query(description="Lead to the bucket itself where it can be, for an hour at most.")
    ] = True,
) -> LinkView:
    """Make a link to what one input of a job became, or to one of its results.

    `file_id` is the id of either. Several outputs come as one zip; 409 with the state until there
    is an outcome, and with the reason when it failed.
    """
    link = await mill.links.to_output(caller, job_id, file_id, expires_in, direct=direct)
    return link_view(link, base_of(request))


@router.post("/jobs/{job_id}/link")
async def link_job(
    job_id: JobId, caller: Caller, mill: Mill, request: Request, expires_in: Seconds = LINK_SECONDS
) -> LinkView:
    """Make a link to a job's download; 409 with the state until the job has ended."""
    return link_view(await mill.links.to_job(caller, job_id, expires_in), base_of(request))


@router.post("/files/{file_id}/link")
async def link_file(
    file_id: FileId,
    caller: Caller,
    mill: Mill,
    request: Request,
    expires_in: Seconds = LINK_SECONDS,
) -> LinkView:
    """Make a link to a file's bytes."""
    return link_view(await mill.links.to_file(caller, file_id, expires_in), base_of(request))


@router.head("/links/{token}", responses=BYTES, response_class=Response)
@router.get("/links/{token}", responses=ELSEWHERE, response_class=Response)
async def follow_link(token: Token, mill: Mill, request: Request) -> Response:
    """Download what a link leads to; 403 when it is not right or too old, 404 when that is gone."""
    content = await mill.links.open(token)
    return await redirected(request, mill, content) or serve(
        request, content, cache="private, no-store"
    )


@router.head("/thumbnails/{token}", responses=BYTES, response_class=Response)
@router.get("/thumbnails/{token}", responses=BYTES, response_class=Response)
async def show_thumbnail(token: Token, mill: Mill, request: Request) -> Response:
    """Show a thumbnail by a signed link; 403 when it is too old, 404 when its file is gone.

    Lists of files give these with `thumbnails=signed`. Any cache may keep it until the link ends.
    """
    picture = await mill.pictures.open(token)
    kept = f"public, max-age={picture.seconds}, immutable"
    answer = serve(request, picture.content, inline=True, cache=kept)
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # whoever has it may show it
    return answer


def base_of(request: Request) -> str:
    """Return the address that users see."""
    public = the_app(request).settings.public_url.rstrip("/")
    here = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return public or here + gateway_of(request.scope).prefix
