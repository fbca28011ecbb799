"""Addresses of thumbnails in what is listed: those that need a session, or signed ones."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from fastapi import Query

from mediamill.app import App
from mediamill.store.repositories.files import File
from mediamill.web.views.files import FileView

Thumbnails = Annotated[
    Literal["own", "signed"],
    Query(
        description="Whether links to thumbnails need a token or session as all else does (`own`), "
        "or nothing (`signed`): then they are the same for all who ask within an hour, may be kept "
        "by caches, and end with the next hour."
    ),
]
SIGNED = "signed"
V = TypeVar("V", bound=FileView)


def address_of(token: str) -> str:
    """Return where a signed thumbnail is."""
    return f"/v1/thumbnails/{token}"


async def pictured(mill: App, files: Sequence[File], views: list[V], wanted: str) -> list[V]:
    """Give views of files that the caller may see signed links, if that is wanted."""
    if wanted == SIGNED:
        tokens = await mill.pictures.tokens(files)
        for file, view in zip(files, views, strict=True):
            view.links.pop("thumbnail", None)
            if file.id in tokens:
                view.links["thumbnail"] = address_of(tokens[file.id])
    return views
