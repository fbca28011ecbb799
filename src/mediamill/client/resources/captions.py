"""Captions: what models said of pictures, judged and exported."""

from collections.abc import Sequence
from typing import Literal

from mediamill.client import routes
from mediamill.client.calling import Flow, Request, Rows
from mediamill.client.downloading import passing
from mediamill.client.models import (
    AgainView,
    CaptionTextBody,
    CaptionView,
    JudgedView,
    RemovedCaptionsView,
)  # fmt: skip
from mediamill.client.resources.base import D, Resource, only, operation, sequence


class Captions(Resource[D]):
    """`client.captions`: what models said of pictures."""

    @sequence
    def list(
        self, *, job: str | None = None, state: str | None = None, query: str | None = None
    ) -> Rows[CaptionView]:
        """Go through captions, newest first; `query` has the beginnings of words in them."""
        return self.calls.rows(routes.list_captions, only(job=job, state=state, query=query))

    @operation
    def get(self, caption: str) -> Flow[CaptionView]:
        """Read a caption."""
        return self.calls.one(routes.get_caption, caption_id=caption)

    @operation
    def edit(self, caption: str, texts: Sequence[CaptionTextBody]) -> Flow[CaptionView]:
        """Set texts by hand; what the model gave is kept."""
        body = {"captions": [*texts]}
        return self.calls.one(routes.change_caption, json=body, caption_id=caption)

    @operation
    def undo(self, caption: str) -> Flow[CaptionView]:
        """Take the last change back."""
        return self.calls.one(routes.undo_caption, caption_id=caption)

    @operation
    def review(
        self, captions: Sequence[str], state: Literal["new", "approved", "rejected"]
    ) -> Flow[Sequence[JudgedView]]:
        """Judge at most 100 captions; doing it twice changes nothing more."""
        body = {"captions": [*captions], "state": state}
        request = Request("POST", routes.review_captions.path, json=body, repeatable=True)
        answer = yield from self.calls.send(routes.review_captions, request)
        found: Sequence[JudgedView] = answer.json()
        return found

    @operation
    def ask_again(
        self, *, job: str | None = None, query: str | None = None, providers: Sequence[str] = (),
        budget: float | None = None,
    ) -> Flow[AgainView]:  # fmt: skip
        """Ask anew about rejected captions, by jobs; ask again while `has_more`.

        It is not repeated when the answer is lost: what was asked about is not rejected any more.
        """
        body = {"providers": [*providers], **only(job=job, query=query, budget=budget)}
        return self.calls.one(routes.ask_again, json=body)

    @sequence
    def export(
        self, format: Literal["csv", "jsonl", "html"] = "csv", *,  # noqa: A002 - as the API names it
        job: str | None = None, state: str | None = None, query: str | None = None,
        variants: Sequence[str] = (),
    ) -> Rows[bytes]:  # fmt: skip
        """Give captions by file name in pieces: a table, JSON lines, or `<img>` of each."""
        asked = only(format=format, job=job, state=state, query=query, variant=[*variants])
        return passing(Request("GET", routes.export_captions.path, asked), self.calls.retries)

    @operation
    def delete(self, caption: str) -> Flow[None]:
        """Delete a caption for good; its job keeps the result."""
        return self.calls.one(routes.delete_caption, caption_id=caption)

    @operation
    def delete_all(
        self, *, job: str | None = None, state: str | None = None, query: str | None = None
    ) -> Flow[int]:
        """Delete all captions, or those that are chosen, for good; return how many."""
        asked, removed = {"confirm": "delete", **only(job=job, state=state, query=query)}, 0
        while True:
            told: RemovedCaptionsView = yield from self.calls.one(
                routes.delete_captions, query=asked
            )
            removed += told["removed"]
            if not told["has_more"]:
                return removed
