"""What models answered, as pages show it: rendered Markdown, JSON as a tree, or why there is none.

An answer's beginning stands in its item's data; the rest is read from the result file, as far as
it is shown.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.errors import MediamillError
from mediamill.services.jobs.items import ItemView as Item
from mediamill.web.pages import markdown
from mediamill.web.pages.trees import tree
from mediamill.web.texts import load
from mediamill.web.views.results import ResultFileView, item_view

t = load()
PAGE = 10
"""Answers that are rendered at once."""
_BYTES = 4 * markdown.MOST
"""Of a file that is read to be shown: characters have four bytes at most."""
_NOTHING = Markup("")


@dataclass(frozen=True)
class Shown:
    """One item of a job as a page shows it."""

    key: str
    """Tells items apart on a page, and through the stages of a job."""
    name: str
    state: str
    error: str = ""
    file: ResultFileView | None = None
    """The file of the answer."""
    more: tuple[ResultFileView, ...] = ()
    """What else there is."""
    html: Markup = _NOTHING
    cut: bool = False
    """Whether only its beginning is shown."""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def truncated(self) -> bool:
        """Whether the answer went on when it was not to be continued further."""
        return bool(self.data.get("truncated"))

    @property
    def repaired(self) -> bool:
        """Whether it is the second answer, after one that did not fit."""
        return bool(self.data.get("repaired"))

    @property
    def by(self) -> str:
        """Who answered, with the model where its name does not tell."""
        provider, model = (str(self.data.get(name) or "") for name in ("provider", "model"))
        return f"{provider} ({model})" if model and model not in provider else provider

    @property
    def tokens(self) -> str:
        """What was used, for people; empty where nobody knows."""
        sent, said = (self.data.get(f"{way}_tokens") for way in ("input", "output"))
        if not (isinstance(sent, int) and isinstance(said, int)):
            return ""
        return t("models.tokens", sent=sent, said=said)


async def answers(
    mill: App, caller: Principal, job_id: str, after: str | None
) -> tuple[list[Shown], str | None]:
    """Return some items of a job with their answers, and the cursor of those that follow."""
    page = await mill.items.list(caller, job_id, None, after, PAGE)
    return [await _shown(mill, caller, item) for item in page.rows], page.after


async def _shown(mill: App, caller: Principal, item: Item) -> Shown:
    view, data = item_view(item), (item.result.data if item.result else None) or {}
    key = f"{view.stage}-{view.index}-{item.result.generation if item.result else 0}"
    if not view.outputs:
        return Shown(key, view.name, view.state, view.error, data=data)
    first, *more = view.outputs
    text, cut = await _text(mill, caller, first, data)
    html, too_long = await asyncio.to_thread(_html, text, first.media_type, cut)
    return Shown(
        key, view.name, view.state, view.error, first, tuple(more), html, cut or too_long, data
    )


async def _text(
    mill: App, caller: Principal, file: ResultFileView, data: Mapping[str, Any]
) -> tuple[str, bool]:
    """Return an answer and whether that is its beginning only; empty for what is no text."""
    if isinstance(data.get("text"), str) and not data.get("shortened"):
        return data["text"], False
    if not file.media_type.startswith("text/") and file.media_type != "application/json":
        return "", False
    try:
        content = await mill.files.content(caller, file.id)
        async with aclosing(content.read(0, min(content.size, _BYTES))) as read:  # type: ignore[type-var]  # every way to read is a generator
            found = b"".join([bytes(part) async for part in read])
    except MediamillError:
        return str(data.get("text", "")), True
    return found.decode(errors="replace"), content.size > _BYTES


def _html(text: str, media_type: str, cut: bool) -> tuple[Markup, bool]:
    """Render an answer, and tell whether only its beginning is rendered."""
    long = len(text) > markdown.MOST
    if media_type == "application/json" and not (cut or long):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return _plain(text), False
        return Markup('<div class="tree">{}</div>').format(tree(value)), False
    if media_type == "text/markdown":
        return markdown.rendered(text), long
    return _plain(text[: markdown.MOST]), long


def _plain(text: str) -> Markup:
    return Markup('<pre tabindex="0">{}</pre>').format(text) if text else Markup("")
