"""`mediamill admin feedback`: what users said to who runs the service."""

from itertools import islice
from typing import Any

import click

from mediamill.cli.admin.installation import administer
from mediamill.cli.remote.connection import json_option, show_list
from mediamill.core.acts import note
from mediamill.core.clock import rfc3339
from mediamill.core.errors import NotFound
from mediamill.store.port import MAX_PAGE, Store
from mediamill.store.repositories.feedback import Feedback, Feedbacks, FeedbackState
from mediamill.store.repositories.units import Units


@click.group()
def feedback() -> None:
    """List what users said, and mark it as done."""


@feedback.command("list")
@click.option("--done", is_flag=True, help="What is marked as done, instead of what is open.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@json_option
def list_(*, done: bool, limit: int, as_json: bool) -> None:
    """List it, newest first: id, time, user, pictures, page, text."""
    state = FeedbackState.DONE if done else FeedbackState.OPEN
    found = administer(lambda store: _said(store, state, limit))
    show_list(
        map(_row, found),
        lambda row: row["id"],
        lambda row: row["created_at"],
        lambda row: row["user"],
        lambda row: str(row["pictures"] or ""),
        lambda row: row["page"],
        lambda row: " ".join(row["text"].split()),
        as_json=as_json,
    )


@feedback.command()
@click.argument("ids", nargs=-1, required=True, metavar="IDS…")
@click.option("--reopen", is_flag=True, help="Mark it as open again.")
def done(ids: tuple[str, ...], *, reopen: bool) -> None:
    """Mark it as done."""
    state = FeedbackState.OPEN if reopen else FeedbackState.DONE

    async def mark(store: Store) -> None:
        for each in ids:
            if not await _rows(store).mark(each, state):
                raise NotFound(f"There is no feedback {each}.")
            note("feedback_marked", each, state=state.value)

    administer(mark)
    click.echo(f"{len(ids)} marked as {state.value}.")


def _rows(store: Store) -> Feedbacks:
    return Feedbacks(store, Units(store))


async def _said(store: Store, state: FeedbackState, limit: int) -> list[Feedback]:
    found, after = list[Feedback](), None
    while True:
        page = await _rows(store).in_state(state, after, min(limit, MAX_PAGE))
        found.extend(islice(page.rows, limit - len(found)))
        if (after := page.after) is None or len(found) == limit:
            return found


def _row(said: Feedback) -> dict[str, Any]:
    return {
        "id": said.id,
        "created_at": rfc3339(said.created),
        "user": said.user,
        "state": said.state.value,
        "pictures": said.copies,
        "page": said.page,
        "text": said.text,
    }
