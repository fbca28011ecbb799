"""Whole tables of an application, read directly, as records."""

from mediamill.app import App
from mediamill.core.records import R
from mediamill.store.codec import layout_of
from tests.faults.rows import rows


def table(app: App, kind: type[R]) -> list[R]:
    """Read a whole table."""
    return [layout_of(kind).decode(row) for row in rows(app.settings.store_url, kind)[kind.table]]
