"""The script that takes the pictures of the documentation; none is taken here."""

import ast
import re
from pathlib import Path

from mediamill.web.pages.rendering import TEMPLATES
from mediamill.web.statics import STATIC

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "scripts" / "screenshots.py").read_text()
PAGES = "\n".join(
    path.read_text() for path in [*TEMPLATES.rglob("*.html"), *STATIC.rglob("[!.]*.js")]
)


def selectors():
    """Yield what the script looks for on pages."""
    for node in ast.walk(ast.parse(SCRIPT)):
        if (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"click", "check", "fill", "locator", "wait_for_selector"}
        ):
            yield "".join(
                part.value
                for part in ast.walk(node.args[0])
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )


def test_what_it_waits_for_is_on_the_pages():
    found = list(selectors())
    assert len(found) > 10
    for selector in found:
        for name in re.findall(r"[#.\[]([a-z][\w-]+)", selector):
            assert re.search(rf"\b{name}\b", PAGES), f"{name} in {selector}"


def test_each_picture_is_taken_and_shown():
    taken = set(re.findall(r'save\(\w+, "([\w-]+)"\)', SCRIPT))
    taken |= {f"{page}-{kind}" for page in ("files", "job") for kind in ("dark", "phone")}
    assert taken == {path.stem for path in (ROOT / "docs" / "images").glob("*.png")}
    told = "".join(path.read_text() for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")))
    assert set(re.findall(r"images/([\w-]+)\.png", told)) == taken
