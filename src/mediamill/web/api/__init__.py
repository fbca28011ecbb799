"""The API: a router per noun, each endpoint parsing, calling one service method, and answering."""

from fastapi import APIRouter

from mediamill.web.api import auth, files, jobs, operations, service, tokens

ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    tokens.router,
    files.router,
    operations.router,
    jobs.router,
    service.router,
)
