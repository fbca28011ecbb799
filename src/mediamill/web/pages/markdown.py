"""Render what models answered: Markdown as HTML that nothing in it can turn against its reader.

CommonMark with tables and struck-out text, by markdown-it-py. HTML in it is text, pictures are
their descriptions, so that nothing is fetched, and links lead to web and mail addresses only, in a
tab of their own that is not told where one came from. No attribute that the page's policy refuses.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from mediamill.web.texts import load

t = load()
MOST = 20_000
"""Characters that are rendered; what is longer is downloaded."""
MAX_NESTING = 20
SCHEMES = frozenset({"http", "https", "mailto"})
_BELOW = 3
"""Headings of answers stand below those of the page: the first level is `h4`."""
_LINK = {"target": "_blank", "rel": "noopener noreferrer nofollow"}


def rendered(text: str) -> Markup:
    """Return Markdown as HTML; at most `MOST` characters of it.

    Takes a second at most, for what is made to take long.
    """
    return Markup(_parser().render(text[:MOST]))  # noqa: S704 - this is where it becomes safe


def allowed(address: str) -> bool:
    """Tell whether a link may lead there."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return False
    if parts.scheme.lower() not in SCHEMES:
        return False
    return parts.scheme.lower() == "mailto" or bool(parts.hostname)


class Renderer(RendererHTML):
    """Writes tokens; what it does not know of is written as markdown-it-py does."""

    def image(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Write a picture's description."""
        said = self.renderInlineAsText(tokens[place].children, options, env)
        told = t("prompts.picture", said=said) if said else t("prompts.picture_untold")
        return f'<span class="muted">{told}</span>'

    def link_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Write a link, whose address shows where it is pointed at."""
        address = str(tokens[place].attrGet("href") or "")
        tokens[place].attrs = {"href": address, "title": address, **_LINK}
        return self.renderToken(tokens, place, options, env)

    def fence(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Write a block of code, whatever its language is said to be."""
        return f"<pre><code>{escapeHtml(tokens[place].content)}</code></pre>\n"

    def heading_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Write where a heading begins, below those of the page."""
        return f"<{_below(tokens[place].tag)}>"

    def heading_close(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        return f"</{_below(tokens[place].tag)}>\n"

    def table_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Write where a table begins, which scrolls by itself."""
        return '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>\n'

    def table_close(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Write where a cell begins; to the right by a class, as styles are refused."""
        token = tokens[place]
        right = "right" in str(token.attrs.pop("style", ""))
        return f'<{token.tag} class="right">' if right else f"<{token.tag}>"

    td_open = th_open


def _below(tag: str) -> str:
    return f"h{min(6, int(tag[1]) + _BELOW)}"


def _parser() -> MarkdownIt:
    """Make a parser; one for each text, as it is used in threads."""
    options = {"html": False, "linkify": False, "typographer": False, "maxNesting": MAX_NESTING}
    return _Parser("js-default", options, renderer_cls=Renderer)


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return allowed(url)
