"""Write the types and the routes of `mediamill.client` from the published description.

`python scripts/client_models.py` writes them, `--check` tells which are out of date.
"""

import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mediamill.web.app import description
from mediamill.web.idempotency import HEADER

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "src/mediamill/client"
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
NAMES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def main() -> int:
    """Write both modules; with `--check` only tell what would change."""
    check, stale = "--check" in sys.argv[1:], False
    for name, text in fresh().items():
        path = FOLDER / name
        if path.exists() and path.read_text() == text:
            continue
        stale = True
        print(f"{name} {'is out of date: run scripts/client_models.py' if check else 'written'}")
        if not check:
            path.write_text(text)
    return 1 if check and stale else 0


def fresh() -> dict[str, str]:
    """Return each module's text as the description has it."""
    document = description()
    return {
        "models.py": formatted("\n".join(models(document["components"]["schemas"]))),
        "routes.py": formatted("\n".join(routes(document["paths"]))),
    }


def formatted(text: str) -> str:
    """Format a module as all others are."""
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "x.py", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout


def models(schemas: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Write a type for each schema: what comes back is a plain dictionary of that shape."""
    yield '"""What the server takes and gives. Written by `scripts/client_models.py`."""'
    yield "from typing import Any, Literal, NotRequired, TypeAlias, TypedDict"
    for name in sorted(schemas):
        schema = schemas[name]
        if "properties" in schema:
            yield from model(name, schema)
        else:
            written = typed(schema)
            yield f"{name}: TypeAlias = {written if plain(written) else repr(written)}"


def model(name: str, schema: dict[str, Any]) -> Iterator[str]:
    """Write an object; one with a name that Python keeps for itself in the functional form."""
    needed = set(schema.get("required", ()))
    fields = {
        field: f'"{typed(one)}"' if field in needed else f'NotRequired["{typed(one)}"]'
        for field, one in schema["properties"].items()
    }
    if any(keyword.iskeyword(field) for field in fields):
        pairs = ", ".join(f'"{field}": {one}' for field, one in fields.items())
        yield f'{name} = TypedDict("{name}", {{{pairs}}})'
        return
    yield f"class {name}(TypedDict):"
    if told := told_of(schema):
        yield textwrap.indent(f'"""{told}"""', "    ")
    for field, one in fields.items():
        yield f"    {field}: {one.replace(chr(34), '') if plain(one) else one}"


def plain(written: str) -> bool:
    """Tell whether a type names no other, so that it needs no quotes."""
    return not re.search(r"[A-Z]\w+", re.sub(r"NotRequired|Any|None|Literal\[.*?\]", "", written))


def told_of(schema: dict[str, Any]) -> str:
    """Return the first sentence that describes a schema, in one line."""
    first = str(schema.get("description", "")).partition("\n\n")[0]
    return textwrap.shorten(first, 90, placeholder=" …") if first else ""


def typed(schema: dict[str, Any]) -> str:
    """Write a schema as a type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(typed(one) for one in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        return f"list[{typed(schema.get('items', {}))}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {typed(values) if isinstance(values, dict) else 'Any'}]"
    return NAMES.get(str(kind), "Any")


def routes(paths: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Write where each operation is, and whether it does once what carries a key."""
    yield '"""Where each operation of the server is. Written by `scripts/client_models.py`."""'
    yield "from mediamill.client.calling import Route"
    found = {
        operation["operationId"]: (method, path, operation)
        for path, served in paths.items()
        for method, operation in served.items()
        if method in METHODS
    }
    for name in sorted(found):
        method, path, operation = found[name]
        keyed = any(one["name"] == HEADER for one in operation.get("parameters", ()))
        more = ", keyed=True" if keyed else ""
        yield f'{name} = Route("{method.upper()}", "{path}"{more})'


if __name__ == "__main__":
    sys.exit(main())
