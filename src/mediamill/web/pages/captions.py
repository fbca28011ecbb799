"""The pages of captions: have some made, find them again, judge them."""

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Response

from mediamill.adapters.providers.port import Kind
from mediamill.app import App
from mediamill.captions.languages import NAMES
from mediamill.captions.model import VARIANTS, Style
from mediamill.captions.rules import ALT_LETTERS, CONCISE_WORDS, CREATIVE_LETTERS
from mediamill.core.access import Principal, Right
from mediamill.services.models.choices import Choices
from mediamill.store.repositories.captions import CaptionState
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.spending import month_of
from mediamill.web.api.captions import JOB
from mediamill.web.pages.rendering import page
from mediamill.web.security import Caller, Mill

OPERATION = "caption"
LIMITS = {"concise": CONCISE_WORDS, "creative": CREATIVE_LETTERS, "alt-text": ALT_LETTERS}
"""The most words of the first variant, and letters of the others."""

router = APIRouter(include_in_schema=False)

OfJob = Annotated[str, Query(alias="job", pattern=JOB)]


@router.get("/captions")
async def captions_page(caller: Caller, mill: Mill, job: OfJob = "") -> Response:
    """Choose pictures, have them captioned, and see captions as they come."""
    return await _page(mill, caller, "captions.html", "", job=await _job(mill, caller, job),
                       **await _money(mill, caller))  # fmt: skip


@router.get("/captions/history")
async def history_page(caller: Caller, mill: Mill) -> Response:
    """Show all captions, newest first, with a search."""
    return await _page(mill, caller, "captions_history.html", "/history")


@router.get("/captions/review")
async def review_page(caller: Caller, mill: Mill, job: OfJob = "") -> Response:
    """Show captions beside their pictures, to be approved, edited and rejected."""
    found = await _job(mill, caller, job)
    return await _page(mill, caller, "captions_review.html", "/review", job=found)


async def _page(
    mill: App, caller: Principal, template: str, section: str, **context: Any
) -> Response:
    return page(
        template,
        user=await mill.accounts.profile(caller),
        section=section,
        offer=await Choices(mill.parts.models, OPERATION, Kind.CAPTION).offer(),
        variants={variant: LIMITS[variant] for variant in VARIANTS},
        styles=("", *get_args(Style)),
        languages=NAMES,
        states=[*CaptionState],
        **context,
    )


async def _job(mill: App, caller: Principal, job: str) -> Job | None:
    """Return the job that a page is about; raises `NotFound`."""
    return await mill.access.load(caller, Job, job, Right.OWN) if job else None


async def _money(mill: App, caller: Principal) -> dict[str, Any]:
    """Return what the caller keeps, has spent (micro-dollars), and how much of both they may."""
    nouns = mill.repositories
    month = month_of(await mill.store.now())
    budgets = await mill.parts.models.budgets_of(caller.user)
    taken = await nouns.spending.taken(caller.user, month)
    return {
        "usage": await nouns.usages.get(caller.user),
        "quota": (await nouns.usages.limits(caller.user)).bytes,
        "spent": taken,
        "may_spend": budgets.owner,
    }
