"""The API: a router per noun, each endpoint parsing, calling one service method, and answering."""

from fastapi import APIRouter

from mediamill.web.api import (
    auth,
    changes,
    direct,
    files,
    identities,
    jobs,
    links,
    members,
    notifications,
    operations,
    projects,
    reading,
    service,
    templates,
    tokens,
    uploads,
    usage,
    webhooks,
)

ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    identities.router,
    tokens.router,
    files.router,
    changes.router,
    direct.router,
    uploads.router,
    members.router,
    projects.router,
    templates.router,
    operations.router,
    jobs.router,
    reading.router,
    links.router,
    usage.router,
    notifications.router,
    webhooks.router,
    service.router,
)
