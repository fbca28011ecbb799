"""Build the site of docs/ into build/site, and look at what was built.

`mkdocs.yml` says what is in it; the decisions of `docs/adr` are added here, with a page that lists
them. Links that lead out of docs/ go to the repository. Fails where the builder warns, a page is
missing in the navigation, a link within the site leads nowhere, or a page would load anything from
elsewhere.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "https://github.com/mediamill/mediamill"
LINK = re.compile(r"(\]\()((?!\w+:|#)[^)\s]+)((?:\s[^)]*)?\))")
CONSOLE = re.compile(
    r'<div class="highlight"><pre><span></span><code>((?:(?!</code>).)*?class="gp".*?)</code>',
    re.DOTALL,
)
"""A block of `console` as it is built."""
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
"""What a browser fetches by itself; of `link` not what only says where the page belongs."""


def main(root: Path = ROOT) -> int:
    """Build, look, and say what is wrong."""
    problems = [*unlisted(root)] or build(root) or [*wrong(root / "build/site")]
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in the site." if problems else "The site is in build/site.")
    return 1 if problems else 0


def listed(root: Path = ROOT) -> list[str]:
    """Return the pages that the navigation names, in its order."""
    navigation = (root / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    return re.findall(r"([\w./-]+\.md)$", navigation, re.MULTILINE)


def unlisted(root: Path = ROOT) -> Iterator[str]:
    """Tell of pages that the navigation does not name once, and of names without a page."""
    pages = {str(path.relative_to(root / "docs")) for path in (root / "docs").rglob("*.md")}
    pages = {page for page in pages if not page.startswith("adr/")}
    named = listed(root)
    yield from (f"docs/{page} is not in the nav of mkdocs.yml" for page in pages - {*named})
    yield from (f"mkdocs.yml names {page}, which is not there" for page in {*named} - pages)
    yield from (f"mkdocs.yml names {page} twice" for page in {*named} if named.count(page) > 1)


def build(root: Path) -> list[str]:
    """Lay the pages out below build/, and build; returns what the builder complains of."""
    place = root / "build/site-source"
    shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(root / "build/site", ignore_errors=True)
    shutil.copytree(root / "docs", place / "docs")
    settings = (root / "mkdocs.yml").read_text()
    for page in (place / "docs").rglob("*.md"):
        page.write_text(leading(page, place / "docs"))
    adr = place / "docs/adr"
    adr.joinpath("index.md").write_text("\n".join(["# Decisions", "", *decisions(adr), ""]))
    names = ["adr/index.md", *(f"adr/{path.name}" for path in _decided(adr))]
    settings = settings.replace("site_dir: build/site", "site_dir: site").rstrip() + "\n"
    settings += "  - Decisions:\n" + "".join(f"      - {name}\n" for name in names)
    (place / "mkdocs.yml").write_text(settings)
    builder = [str(Path(sys.executable).parent / "zensical"), "build", "--clean", "--strict"]
    done = subprocess.run(
        builder,
        cwd=place,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        for page in (place / "site").rglob("*.html"):
            page.write_text(copied(page.read_text()))
        found = place / "site/search.json"
        found.write_text(json.dumps(sought(json.loads(found.read_text()))))
        (place / "site").rename(root / "build/site")
        return []
    return [re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)]


def sought(index: dict[str, Any]) -> dict[str, Any]:
    """Let a decision be found once, by its title: not each of its headings, which all have."""
    items: dict[str, dict[str, Any]] = {}
    for item in index["items"]:
        where, _, anchor = item["location"].partition("#")
        if anchor and where.startswith("adr/") and where in items:
            items[where]["text"] += item["text"]
        else:
            items[item["location"]] = item
    return index | {"items": [*items.values()]}


def copied(page: str) -> str:
    """Let the button of a block of commands copy those alone, without prompts and output."""

    def one(match: re.Match[str]) -> str:
        lines = html.unescape(re.sub(r"<[^>]+>", "", match[1])).splitlines()
        typed: list[str] = []
        goes_on = False
        for line in lines:
            goes_on = line.startswith("$ ") or (goes_on and line.startswith("    "))
            typed += [line.removeprefix("$ ")] if goes_on else []
        shown = match[0].replace('<span class="go">    ', "<span>    ")
        return shown.replace("<div ", f'<div data-copy="{html.escape(chr(10).join(typed))}" ', 1)

    return CONSOLE.sub(one, page)


def _decided(adr: Path) -> list[Path]:
    return sorted(path for path in adr.glob("*.md") if path.name != "index.md")


def decisions(adr: Path) -> Iterator[str]:
    """List the decisions by their headings."""
    for path in _decided(adr):
        number, _, title = path.read_text().partition("\n")[0].lstrip("# ").partition(". ")
        yield f"- [{number}. {title}]({path.name})"


def leading(page: Path, docs: Path) -> str:
    """Return a page whose links out of docs/ lead to the repository."""

    def led(match: re.Match[str]) -> str:
        target, mark, anchor = match[2].partition("#")
        path = Path(os.path.normpath(page.parent / target))
        if path.is_relative_to(docs) and not path.is_dir():
            return match[0]
        if path.is_relative_to(docs):
            index = "index.md" if path.name == "adr" else None
            where = f"docs/{path.relative_to(docs)}"
            if index:
                return f"{match[1]}{os.path.relpath(path / index, page.parent)}{match[3]}"
        else:
            where = os.path.relpath(path, docs.parent)
        return f"{match[1]}{REPOSITORY}/blob/main/{where}{mark}{anchor}{match[3]}"

    return LINK.sub(led, page.read_text())


class Page(HTMLParser):
    """What a built page links to, loads, and can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        named = {name: value or "" for name, value in attrs}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if tag == "link" and named.get("rel") in {"canonical", "prev", "next", "alternate"}:
            return
        for name in ("href", "src"):
            if name in named:
                which = self.loads if (tag, name) in LOADED else self.links
                which.append(named[name])


def wrong(site: Path) -> Iterator[str]:
    """Tell of links that lead nowhere, and of what is loaded from elsewhere, in a built site."""
    paths = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    for path, page in paths.items():
        where = path.relative_to(site)
        for address in page.loads:
            if urlsplit(address).netloc:
                yield f"{where} loads {address}"
        for address in (*page.links, *page.loads):
            parts = urlsplit(address)
            if path.name == "404.html" or parts.scheme or parts.netloc:
                continue
            target = Path(os.path.normpath(path.parent / unquote(parts.path)))
            target = (
                path if not parts.path else target / "index.html" if target.is_dir() else target
            )
            if not target.exists():
                yield f"{where} leads to {address}, which is not there"
            elif parts.fragment and target in paths and parts.fragment not in paths[target].anchors:
                yield f"{where} leads to {address}, which has no such place"


if __name__ == "__main__":
    sys.exit(main())
