"""What the code has, the documentation has: each thing is looked for where it is to be found.

Most of it is written from the code (`scripts/reference.py`), so what is looked for here is what
that leaves out: a page that lost its place, a kind of thing that nobody writes about.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import pytest

from mediamill.cli.root import root
from mediamill.core.access import Scope
from mediamill.core.events import TYPES
from mediamill.core.metrics import METRICS
from mediamill.core.settings import Settings
from mediamill.operations.catalogue import OPERATIONS
from mediamill.store.repositories.users import Role
from mediamill.web.app import description
from mediamill.web.problems import CODES
from tests.docs.blocks import DOCS, ROOT, pages
from tests.docs.test_docs import reference

HIDDEN = {"help"}
"""Options that every command has."""


def operations() -> Iterable[str]:
    for name in OPERATIONS.names():
        yield f"\n## {name}\n"
        for field in OPERATIONS.get(name).model_fields:
            yield f"\n## {name}\n…\n| `{field}` |"


def commands(command: click.Command = root, path: str = "mediamill") -> Iterable[str]:
    yield f"\n### {path}\n"
    context = click.Context(command, info_name=path)
    for one in command.params:
        if isinstance(one, click.Option) and not one.hidden and one.name not in HIDDEN:
            yield f"\n### {path}\n…{max(one.opts, key=len)}"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from commands(below, f"{path} {name}")


def settings() -> Iterable[str]:
    return (f"\n| `MEDIAMILL_{name.upper()}` |" for name in Settings.model_fields)


def metrics() -> Iterable[str]:
    return (f"\n| `{name}` |" for name in METRICS)


def problems() -> Iterable[str]:
    codes = {kind.code for kind in reference.error_classes()} | set(CODES.values())
    return (f'<a id="{code}"></a>`{code}`' for code in sorted(codes))


def routes() -> Iterable[str]:
    for path, methods in description()["paths"].items():
        for method, route in methods.items():
            head = f"\n### {method.upper()} {path}\n"
            yield head
            for one in route.get("parameters", ()):
                yield f"{head}…\n| `{one['name']}` |"


def shapes() -> Iterable[str]:
    for name, schema in description()["components"]["schemas"].items():
        if name.endswith("View"):
            yield from (f"\n## {name}\n…\n| `{field}` |" for field in schema.get("properties", ()))


def events() -> Iterable[str]:
    return (f"\n| `{name}` |" for name in TYPES)


def extras() -> Iterable[str]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return (f"`{name}`" for name in table["project"]["optional-dependencies"])


def permissions() -> Iterable[str]:
    yield from (f"`{scope.value}`" for scope in Scope)
    yield from (f"\n| `{role.value}` |" for role in Role)


KINDS: dict[str, tuple[str, Callable[[], Iterable[str]]]] = {
    "operations and their parameters": ("reference/operations.md", operations),
    "commands and their options": ("reference/cli.md", commands),
    "settings": ("reference/settings.md", settings),
    "metrics": ("reference/metrics.md", metrics),
    "types of problems": ("reference/errors.md", problems),
    "routes and their parameters": ("reference/api.md", routes),
    "fields that are answered": ("reference/answers.md", shapes),
    "types of events": ("reference/events.md", events),
    "extras": ("reference/extras.md", extras),
    "permissions": ("how-to/administration.md", permissions),
}
"""What there is, and the page on which it is told."""


def missing(wanted: Iterable[str], text: str) -> list[str]:
    """Return what is not in a text; `…` parts a section's heading from what stands in it."""
    sections = dict(_sections(text))
    found = []
    for one in wanted:
        head, mark, part = one.partition("…")
        place = sections.get(head, "") if mark else text
        if (part if mark else head) not in place:
            found.append(one.replace("\n", ""))
    return found


def _sections(text: str) -> Iterable[tuple[str, str]]:
    parts = re.split(r"(\n##+ [^\n]+\n)", text)
    return zip(parts[1::2], parts[2::2], strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_told(kind: str):
    page, wanted = KINDS[kind]
    some = [*wanted()]
    assert some
    assert missing(some, (DOCS / page).read_text()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_out_is_found(kind: str):
    """The planted fault: each kind of thing, taken out of its page."""
    page, wanted = KINDS[kind]
    text = (DOCS / page).read_text()
    some = [*wanted()]
    for one in (*some[:2], some[-1]):
        head, mark, part = one.partition("…")
        gone = text.replace((part if mark else head).strip("\n"), "")
        assert one.replace("\n", "") in missing(some, gone)


def test_every_page_is_reached_from_another():
    assert unreached({page: page.read_text() for page in pages()}) == []


def test_one_that_is_not_is_found():
    """The planted fault: links to a page taken out, and a page that only leads to itself."""
    texts = {page: page.read_text() for page in pages()}
    gone = DOCS / "how-to/retention.md"
    left = {page: text.replace("retention.md", "") for page, text in texts.items()}
    left[gone] += "[here](retention.md)"
    assert unreached(left) == [gone]


def unreached(texts: dict[Path, str]) -> list[Path]:
    """Return the pages that no other page has a link to."""
    led = {
        (page.parent / target).resolve()
        for page, text in texts.items()
        for target in re.findall(r"\]\(([^)#\s]+)", text)
        if (page.parent / target).resolve() != page
    }
    inner = [page for page in texts if page.parent != ROOT and page != DOCS / "index.md"]
    return [page for page in inner if page not in led]
