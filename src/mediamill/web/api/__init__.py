"""The API: a router per noun, each endpoint parsing, calling one service method, and answering."""

from fastapi import APIRouter

from mediamill.web.api import (
    auth,
    changes,
    direct,
    files,
    jobs,
    links,
    members,
    operations,
    projects,
    reading,
    service,
    templates,
    tokens,
    uploads,
    usage,
)

ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
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
    service.router,
)
