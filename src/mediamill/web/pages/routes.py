"""Pages that stand alone, and those that come before others with the same beginning."""

from fastapi import APIRouter, Request, Response

from mediamill.web.pages import new_job, signin
from mediamill.web.pages.reference import endpoints
from mediamill.web.pages.rendering import page
from mediamill.web.security import Mill, present

router = APIRouter(include_in_schema=False)
router.include_router(signin.router)
router.include_router(new_job.router)  # before `/jobs/{job_id}`


@router.get("/docs")
async def docs_page(request: Request, mill: Mill) -> Response:
    """Show the API's description, rendered from its own document."""
    document = request.app.openapi()
    here = await present(request, mill)
    user = await mill.accounts.profile(here) if here else None
    return page("docs.html", document=document, groups=endpoints(document), user=user)
