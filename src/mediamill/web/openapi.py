"""The published description: FastAPI's, with our one error shape and nothing that is not served."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from mediamill import __version__
from mediamill.web.views.common import Problem

SUMMARY = "Put images and videos in, get frames, datasets and answers out."
TAGS = [
    {"name": "accounts", "description": "Register, sign in, sign out."},
    {"name": "tokens", "description": "What programs show instead of a password."},
    {"name": "files", "description": "Media that was put in, and what jobs made of it."},
    {"name": "operations", "description": "What can be done to a file."},
    {"name": "jobs", "description": "Operations over files, run in the background."},
    {"name": "service", "description": "Health and metrics."},
]


def operation_id(route: APIRoute) -> str:
    """Name an operation by its function, and its method where the function serves two."""
    return f"{route.name}_head" if route.methods == {"HEAD"} else route.name


def describing(web: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return the function that describes `web`, once."""

    def describe() -> dict[str, Any]:
        if web.openapi_schema is None:
            document = get_openapi(
                title="Mediamill",
                version=__version__,
                summary=SUMMARY,
                routes=web.routes,
                tags=TAGS,
            )
            reference = "#/components/schemas/{model}"
            problem = Problem.model_json_schema(ref_template=reference)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas |= problem.pop("$defs", {}) | {"Problem": problem}
            web.openapi_schema = document
        return web.openapi_schema

    return describe
