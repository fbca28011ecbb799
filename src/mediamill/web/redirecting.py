"""Content that its reader fetches from the bucket itself."""

from starlette.requests import Request
from starlette.responses import Response

from mediamill.app import App
from mediamill.services.content import Content
from mediamill.web.gateway import gateway_of
from mediamill.web.serving import unchanged

SECONDS = 300
"""How long the address works: a reader follows at once, and a long answer may outlast it."""


async def redirected(
    request: Request, mill: App, content: Content, wanted: bool | None = None
) -> Response | None:
    """Answer a GET with where the bytes are, if that is wanted and can be; else None.

    A HEAD too where signing takes work: it tells whether that is done.

    The address is made anew for each request and kept nowhere: it says, signed, that the content is
    an attachment, and its name. Without a wish it is as the service is set up, and what does not
    pass whole through a gateway is at the bucket.
    """
    passes = "range" in request.headers or not gateway_of(request.scope).exceeds(content.size)
    usual = mill.settings.direct_downloads and not content.dear
    wanted = (usual or not passes) if wanted is None else wanted
    methods = ("GET", "HEAD") if content.dear else ("GET",)
    if not wanted or content.sign is None or request.method not in methods:
        return None
    if unchanged(request, content):
        return None
    signed = await content.sign(SECONDS)
    headers = {
        "Location": signed.url,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return Response(status_code=307, headers=headers)
