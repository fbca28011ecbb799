"""The pages: rendered here, with live parts that speak the JSON API with the session's cookie."""

from mediamill.web.pages import account
from mediamill.web.pages.rendering import error_page, wants_page
from mediamill.web.pages.routes import router

router.include_router(account.router)

__all__ = ["error_page", "router", "wants_page"]
