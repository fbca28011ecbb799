"""The page on which administrators set up who answers."""

from typing import Any

from fastapi import APIRouter, Response

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.web.pages.rendering import page
from mediamill.web.security import Caller, Mill
from mediamill.web.views.models import chain_view, provider_view

router = APIRouter(include_in_schema=False)


@router.get("/models")
async def models_page(caller: Caller, mill: Mill) -> Response:
    """Show chains and providers, with forms for them."""
    shown = await _shown(mill, caller)
    return page("models.html", user=await mill.accounts.profile(caller), **shown)


@router.get("/parts/models")
async def models_part(caller: Caller, mill: Mill) -> Response:
    """Render chains and providers as they are now."""
    return page("parts/models.html", **await _shown(mill, caller))


async def _shown(mill: App, caller: Principal) -> dict[str, Any]:
    service = mill.models.providers
    found = [provider_view(one) for one in await service.list(caller)]
    return {
        "providers": found,
        "chains": [chain_view(one) for one in await service.chains(caller)],
        "states": {one.name: one.health.state for one in found},
    }
