"""Go through a whole list, page by page."""

from typing import Any

from mediamill.client.calling import Give, Request, Rows
from mediamill.client.retrying import Retries, sending

AT_ONCE = 100
"""Rows of a page, the most that the server gives."""


def pages(after: str | None, **query: Any) -> dict[str, Any]:
    """Return the query that asks for a page."""
    return {"limit": AT_ONCE, **query} | ({} if after is None else {"after": after})


def listing(path: str, query: dict[str, Any], retries: Retries) -> Rows[Any]:
    """Give every row of a list; the next page is asked for when the last row was taken."""
    after: str | None = None
    while True:
        request = Request("GET", path, params=pages(after, **query))
        page = (yield from sending(request, retries)).json()
        for row in page["data"]:
            yield Give(row)
        after = page.get("after")
        if not page["has_more"] or after is None:
            return
