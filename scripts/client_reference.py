"""Write docs/reference/client.md from `mediamill.client`.

`python scripts/client_reference.py` writes it, `--check` tells whether it is out of date.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from mediamill import client
from mediamill.client import errors
from mediamill.client.calling import Give
from mediamill.client.resources.account import Account, Tokens, Webhooks
from mediamill.client.resources.annotations import Annotations
from mediamill.client.resources.base import Resource, operation, sequence
from mediamill.client.resources.captions import Captions
from mediamill.client.resources.files import Files
from mediamill.client.resources.jobs import Jobs, Prompts
from mediamill.client.resources.projects import Projects
from mediamill.client.resources.work import Models, Operations, Templates

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/client.md"
RESOURCES: tuple[type[Resource[Any]], ...] = (
    Files, Jobs, Prompts, Projects, Annotations, Captions, Operations, Templates, Models, Account,
    Tokens, Webhooks,
)  # fmt: skip
HEAD = """\
# The Python client

Written by `scripts/client_reference.py`; how it is used is told
[elsewhere](../how-to/client.md).

`Mediamill` blocks; `AsyncMediamill` has the same calls, to be awaited, and its sequences are
asynchronous iterators. What comes back are dictionaries whose shapes are in
`mediamill.client.models`, made of the published description; [what it answers](answers.md) tells
each field.
"""
GENERIC = """\
## Any other request

`client.request(method, path, params=…, headers=…, json=…)` sends any request of [the HTTP
API](api.md) with the same retries, and answers `status`, `headers`, `content`, `text` and `json()`.
`client.pages(path, …)` goes through any list.
"""


def main() -> int:
    """Write the page; with `--check` only tell whether it would change."""
    text, before = page(), PAGE.read_text() if PAGE.exists() else ""
    if text == before:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/reference/client.md is out of date: run scripts/client_reference.py")
        return 1
    PAGE.write_text(text)
    return 0


def page() -> str:
    """Return the page as the code has it."""
    return "\n".join(lines()).rstrip() + "\n"


def lines() -> Iterator[str]:
    yield HEAD
    yield "## Opening a client\n"
    yield from signature("Mediamill", inspect.signature(client.Mediamill))
    yield f"\n{prose(client.Mediamill)} {prose(client.Mediamill.__init__)}\n"
    yield "`retries` is a `Retries`:\n"
    yield from fields(client.Retries)
    yield "\n`client.having(retries)` is the same client over the same connections, else patient.\n"
    for resource in RESOURCES:
        yield from section(resource)
    yield GENERIC
    yield "## What a call can end with\n"
    yield f"```text\n{tree()}\n```\n"
    yield (
        "`Problem` has the fields of RFC 9457 and ours: `status`, `type`, `title`, `detail`, "
        "`instance`, `code`,\n`errors`, `retryable`, `details`, and `retry_after` in seconds. "
        "[Errors](errors.md) lists every code."
    )


def section(resource: type[Resource[Any]]) -> Iterator[str]:
    """Describe a noun."""
    shown, _, what = prose(resource).partition(": ")
    yield f"## {shown.strip('`')}\n"
    yield f"{what[0].upper()}{what[1:]}\n"
    for name, found in vars(resource).items():
        if isinstance(found, operation | sequence):
            kind = " (a sequence)" if isinstance(found, sequence) else ""
            yield f"### {shown.strip('`').removeprefix('client.')}.{name}{kind}\n"
            yield from signature(name, without_self(found.flow))
            yield f"\n{prose(found)}\n"


def without_self(flow: Any) -> inspect.Signature:
    """Return a method's signature as its callers see it."""
    whole = inspect.signature(flow)
    return whole.replace(
        parameters=[one for one in whole.parameters.values() if one.name != "self"]
    )


def signature(name: str, found: inspect.Signature) -> Iterator[str]:
    """Write a signature, a parameter a line where it is long."""
    parameters, seen = list[str](), False
    for one in found.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not seen:
            parameters.append("*")
        seen = seen or one.kind is one.KEYWORD_ONLY
        parameters.append(parameter(one))
    back = "" if name == "Mediamill" else f" -> {answered(found.return_annotation)}"
    line = f"{name}({', '.join(parameters)}){back}"
    yield "```python"
    if len(line) <= 100:
        yield line
    else:
        yield f"{name}("
        yield from (f"    {one}," for one in parameters)
        yield f"){back}"
    yield "```"


def parameter(one: inspect.Parameter) -> str:
    """Write a parameter with its type and its default."""
    star = "**" if one.kind is one.VAR_KEYWORD else ""
    default = one.default
    plain = isinstance(default, str | int | float | tuple | None) and one.name != "agent"
    shown = "" if default is one.empty else f" = {default!r}" if plain else " = …"
    return f"{star}{one.name}: {typed(one.annotation)}{shown}"


def answered(annotation: Any) -> str:
    """Write what a flow returns, or gives."""
    if str(annotation).startswith("collections.abc.Generator"):
        effects, _, back = get_args(annotation)
        given = [one for one in get_args(effects) if get_origin(one) is Give]
        inner = get_args(given[0])[0] if given else None
        if inner is not None and inner is not Any:
            return f"Iterator[{typed(inner)}]"
        return typed(back)
    return typed(annotation)


def typed(annotation: Any) -> str:
    """Write a type without where it is from."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"\*<class '([\w.]+)'>", r"Unpack[\1]", text.replace("NoneType", "None"))
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", text)


def fields(kind: type) -> Iterator[str]:
    """Write the fields of a dataclass with what is said of each."""
    source = inspect.getsource(kind)
    yield "| field | default | meaning |"
    yield "|---|---|---|"
    for name, default, told in re.findall(
        r'    (\w+): \w+ = ([\w.]+)\n(?:    """(.*?)""")?', source, re.DOTALL
    ):
        yield f"| `{name}` | `{default}` | {' '.join(told.split())} |"


def prose(thing: Any) -> str:
    """Return a docstring as one paragraph."""
    return " ".join((inspect.cleandoc(thing.__doc__ or "")).split())


def tree() -> str:
    """Return the tree of errors as the module draws it."""
    return (errors.__doc__ or "").partition("\n\n")[2].rstrip()


if __name__ == "__main__":
    sys.exit(main())
