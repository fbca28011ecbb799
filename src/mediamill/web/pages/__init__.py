"""The pages: rendered here, with live parts that speak the JSON API with the session's cookie."""

from mediamill.web.pages import (
    account,
    admin,
    analytics,
    captions,
    datasets,
    erasures,
    files,
    jobs,
    models,
    prompts,
    recovery,
    spending,
    webhooks,
)
from mediamill.web.pages.errors import error_card, error_page, wants_page
from mediamill.web.pages.routes import router

router.include_router(account.router)
router.include_router(admin.router)
router.include_router(analytics.router)
router.include_router(captions.router)
router.include_router(datasets.router)
router.include_router(erasures.router)
router.include_router(files.router)
router.include_router(jobs.router)
router.include_router(models.router)
router.include_router(prompts.router)
router.include_router(recovery.router)
router.include_router(spending.router)
router.include_router(webhooks.router)

__all__ = ["error_card", "error_page", "router", "wants_page"]
