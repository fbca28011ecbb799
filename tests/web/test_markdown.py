"""Answers of models as pages show them: nothing in them acts, calls out or breaks the page."""

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamill.web.pages import markdown, trees
from mediamill.web.pages.markdown import rendered
from mediamill.web.pages.trees import MAX_DEPTH, MOST_NODES, tree

ALLOWED = {
    "p": set(), "br": set(), "hr": set(), "em": set(), "strong": set(), "s": set(), "code": set(),
    "pre": {"tabindex"}, "blockquote": set(), "ul": set(), "li": set(), "ol": {"start"},
    "h4": set(), "h5": set(), "h6": set(), "span": {"class"},
    "a": {"href", "title", "target", "rel"}, "div": {"class", "tabindex", "role", "aria-label"},
    "table": set(), "thead": set(), "tbody": set(), "tr": set(), "th": {"class"}, "td": {"class"},
    "details": {"open"}, "summary": set(),
}  # fmt: skip
"""Elements that an answer may become, with their attributes."""


class Reader(HTMLParser):
    """Reads what a browser would: elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.open = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def read(html):
    """Read HTML, and see that all in it is allowed."""
    found = Reader(str(html))
    for tag, attributes in found.elements:
        assert tag in ALLOWED, (tag, attributes)
        assert attributes.keys() <= ALLOWED[tag], (tag, attributes)
        if "href" in attributes:
            assert re.match("(https?://[^/]|mailto:)", attributes["href"], re.IGNORECASE)
            assert attributes["rel"] == "noopener noreferrer nofollow"
    assert found.open == []
    return found


HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "<style>*{display:none}</style>", "<iframe src=//e.org>", "<base href=//e.org>",
    "<!-- --!><script>alert(1)</script>", "<![CDATA[<b>]]>", "<?php x ?>", "<!doctype html>",
    "[a](javascript:alert(1))", "[a](JaVaScRiPt:alert(1))", "[a](java&#115;cript:alert(1))",
    "[a](&#x6A;avascript:alert(1))", "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:x)", "[a](file:///etc/passwd)", "[a](//evil.org)", "[a](/v1/auth/logout)",
    "[a](\u0001javascript:alert(1))", "[a]( javascript:alert(1))", "[a](java\tscript:alert(1))",
    "<javascript:alert(1)>", "<data:text/html,x>", "[a]: javascript:alert(1)\n\n[a]",
    "[a]\n\n[a]: <javascript:alert(1)> 'x'", "![a](https://evil.org/pixel.gif)",
    "![a](javascript:alert(1))", "![a](data:image/svg+xml;base64,PHN2Zz4=)",
    '![a](https://e.org/x.png "onload=alert(1)")', "[![a](https://e.org/x)](https://e.org)",
    '[a](https://e.org/"onmouseover="alert(1))', "[a](https://e.org 'x\" onclick=\"alert(1)')",
    "```html\" onclick=alert(1)\n<b>\n```", "~~~<script>\nx\n~~~", "`<script>`",
    "|<script>|\n|:-:|\n|<img src=x>|", "# <script>", "\x00<script>", "&lt;script&gt;",
    "<https://e.org/?\"onclick=alert(1)>", "<a@e.org\" onclick=x>", "\u202e[a](https://e.org)",
    "[a](http:javascript)", "[a](https:///x)", "[a](http://[::1)", "9999999999. x", "- [x] done",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_acts(text):
    read(rendered(text))
    read(rendered(f"> - {text}\n\n{text}"))


def test_what_is_allowed_but_wrong_is_noticed(monkeypatch):
    monkeypatch.setattr(markdown, "allowed", lambda address: True)
    with pytest.raises(AssertionError):
        read(rendered("[a](javascript:alert(1))"))


@given(st.text(st.sampled_from("<>[]()!`*_~|#-&:\"'/\\ \n\tax0;=javscript:"), max_size=200))
def test_whatever_is_said(text):
    read(rendered(text))


def test_what_is_meant_stays():
    found = read(rendered("# A\n\n*b* ~~c~~ [d](https://e.org/?a=1&b=2)\n\n1. x\n\n|y|\n|-:|\n|z|"))
    tags = [tag for tag, _ in found.elements]
    assert tags[0] == "h4"
    assert {"em", "s", "a", "ol", "table"} <= {*tags}
    assert dict(found.elements)["a"]["href"] == "https://e.org/?a=1&b=2"
    assert dict(found.elements)["td"] == {"class": "right"}


def test_code_is_shown_as_it_stands():
    assert "<b>&amp;" in read(rendered("```html\n<b>&amp;\n```")).text


NESTED = [">" * 15_000 + "a", "- " * 5_000 + "a", "[" * 9_000 + "a" + "](u)" * 3_000,
          "*" * 9_000 + "a" + "*" * 9_000, "\n".join("  " * n + "- a" for n in range(150)),
          "|" + "a|" * 600 + "\n|" + "-|" * 600 + "\n" + "|a\n" * 100]  # fmt: skip


@pytest.mark.parametrize("text", NESTED, ids=range(len(NESTED)))
def test_what_is_nested_without_end_does_no_harm(text):
    assert len(read(rendered(text)).elements) < 150_000


def test_a_long_answer_is_cut():
    assert len(read(rendered("a" * 100_000)).text) <= markdown.MOST + 1


# -- JSON -----------------------------------------------------------------------------------------


def test_a_tree_says_all_that_a_document_says():
    value = {"<b>": ["<script>", 1, None, True, {}], "deep": {"a": {"b": {"c": "&"}}}, "e": []}
    found = read(tree(value))
    for word in ("<b>", "<script>", "null", "true", "{}", "deep", "&", "[]"):
        assert word in found.text
    opened = [attributes for tag, attributes in found.elements if tag == "details"]
    assert ["open" in one for one in opened] == [True, True, True, False]


def test_a_tree_ends():
    deep = json.loads('{"a":' * 300 + "1" + "}" * 300)
    assert len(read(tree(deep)).elements) < 8 * MAX_DEPTH
    wide = [[n, n] for n in range(50_000)]
    assert len(read(tree(wide)).elements) < 10 * MOST_NODES


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_any_document_is_a_tree(value):
    read(trees.tree(value))
