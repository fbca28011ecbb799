"""Write the reference parts of docs/ from the code.

Settings, operations, errors, metrics, what is logged, commands and exit codes.

Each part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; the prose around it is
written by hand. `python scripts/reference.py` writes them, `--check` tells which are out of date.
"""

import ast
import difflib
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
from api_reference import api, shapes

from mediamill.analytics.table import COLUMNS, DAY
from mediamill.cli.root import root
from mediamill.cli.terminal import failures
from mediamill.core.declaring import Of
from mediamill.core.errors import MediamillError
from mediamill.core.events import TYPES, schema
from mediamill.core.metrics import METRICS
from mediamill.core.settings import Settings
from mediamill.operations.catalogue import OPERATIONS
from mediamill.web.problems import CODES

ROOT = Path(__file__).resolve().parent.parent
DOCS, SOURCES = ROOT / "docs", ROOT / "src" / "mediamill"


LOG_LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "log")
ACTS = "core/acts.py"
"""Logs what is noted for the audit trail, by the acts of docs/how-to/audit.md."""


def main() -> int:
    """Write every part anew; with `--check` only tell what would change."""
    check = "--check" in sys.argv[1:]
    stale = [path for path in (*PARTS, *WHOLE) if update(DOCS / path, check=check)]
    for path in stale:
        print(f"docs/{path} {'is out of date: run scripts/reference.py' if check else 'written'}")
    return 1 if check and stale else 0


def update(path: Path, *, check: bool = False) -> bool:
    """Bring the parts of a page up to date; True when something was or would be changed."""
    before, after = path.read_text() if path.exists() else "", fresh(path)
    if after != before and not check:
        path.write_text(after)
    return after != before


def parts_of(path: Path) -> dict[str, Callable[[], Iterator[str]]]:
    """Return the parts of the page that a path ends with."""
    return next(parts for page, parts in PARTS.items() if str(path).endswith(page))


def stale_lines(path: Path) -> str:
    """Return what is out of date on a page as a difference; empty when nothing is."""
    lines = (text.splitlines() for text in (path.read_text(), fresh(path)))
    return "\n".join(difflib.unified_diff(*lines, "written", "from the code", lineterm="", n=0))


def fresh(path: Path) -> str:
    """Return a page with its parts made anew."""
    if path.is_relative_to(DOCS) and (whole := WHOLE.get(str(path.relative_to(DOCS)))):
        return whole()
    after = path.read_text()
    for name, part in parts_of(path).items():
        marks = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not marks.search(after):
            raise SystemExit(f"{path} has no place for {name}")
        text = "\n".join(part()) + "\n"
        after = marks.sub(lambda match, text=text: match[1] + text + match[2], after)
    return after


def table(*head: str) -> Iterator[str]:
    """Begin a table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"


def cell(value: Any) -> str:
    """Write a value so that it stays within its cell."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def settings() -> Iterator[str]:
    """List every setting with its default."""
    yield from table("setting", "default", "meaning")
    for name, field in Settings.model_fields.items():
        default = getattr(field.default, "get_secret_value", lambda value=field.default: value)()
        shown = f"`{cell(default)}`" if str(default) else ""
        yield f"| `MEDIAMILL_{name.upper()}` | {shown} | {cell(field.description)} |"


def operations() -> Iterator[str]:
    """List every operation with its parameters."""
    for name in OPERATIONS.names():
        kind = OPERATIONS.get(name)
        schema = kind.model_json_schema()
        yield from (f"## {name}", "", (kind.__doc__ or "").strip(), "")
        yield f"Takes {', '.join(kind.accepts) or 'any file'}. Version {kind.version}."
        yield ""
        yield from table("parameter", "default", "range", "meaning")
        for field, facts in schema.get("properties", {}).items():
            default = facts.get("default")
            shown = "" if default in (None, []) else f"`{cell(default)}`"
            meaning = cell(facts.get("description", ""))
            yield f"| `{field}` | {shown} | {span(schema, facts)} | {meaning} |"
        yield ""


def span(schema: dict[str, Any], facts: dict[str, Any]) -> str:
    """Write the allowed values of a parameter."""
    if "$ref" in facts:
        facts = {**schema["$defs"][facts["$ref"].rpartition("/")[2]], **facts}
    choices = [part for part in facts.get("anyOf", ()) if part.get("type") != "null"]
    if len(choices) == 1:
        facts = {**choices[0], **facts}
    if "enum" in facts:
        return ", ".join(f"`{choice}`" for choice in facts["enum"])
    low = facts.get("minimum", facts.get("exclusiveMinimum"))
    high = facts.get("maximum", facts.get("exclusiveMaximum"))
    if "prefixItems" in facts:
        return f"two of {span(schema, facts['prefixItems'][0])}"
    if low is None and high is None:
        return "a list" if facts.get("type") == "array" else ""
    opened = "over " if "exclusiveMinimum" in facts else ""
    return f"{opened}{'' if low is None else low}…{'' if high is None else high}"


def errors() -> Iterator[str]:
    """List every error code, as the API and `mediamill run --json` give it."""
    yield from table("code", "status", "retryable", "meaning")
    for kind in sorted(error_classes(), key=lambda kind: (kind.status, kind.code)):
        anchor = f'<a id="{kind.code}"></a>`{kind.code}`'
        retryable = "yes" if kind.retryable else "no"
        yield f"| {anchor} | {kind.status} | {retryable} | {cell(meaning(kind))} |"
    ours = {kind.code for kind in error_classes()}
    for status, code in CODES.items():
        if code not in ours:
            about = f"HTTP: {HTTPStatus(status).phrase.lower()}"
            yield f'| <a id="{code}"></a>`{code}` | {status} | no | {about} |'


def error_classes() -> Iterator[type[MediamillError]]:
    """Go through the tree of errors that the core declares."""
    pending: list[type[MediamillError]] = [MediamillError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        if kind.__module__ == "mediamill.core.errors":
            yield kind


def meaning(kind: type[MediamillError]) -> str:
    """Return the meaning of an error as the tree in the docstring of core/errors.py gives it."""
    from mediamill.core import errors as module

    if kind is MediamillError:
        return "something unexpected; the log says what"
    line = next(line for line in (module.__doc__ or "").splitlines() if f" {kind.code} " in line)
    words = line.partition(f" {kind.code} ")[2].split(maxsplit=1)
    return words[1] if len(words) > 1 else MEANINGS[kind.code]


MEANINGS = {
    "out_of_memory": "an input needed more memory than MEDIAMILL_SLOT_MEMORY_MB",
    "timed_out": "an input took longer than MEDIAMILL_SLOT_TIMEOUT_SECONDS",
}
"""Of codes whose line in the tree says nothing."""


def metrics(of: Of = Of.PROCESS) -> Iterator[str]:
    """List what `/metrics` gives."""
    yield from table("metric", "type", "labels", "meaning")
    for metric in METRICS.values():
        if metric.of is of:
            labels = ", ".join(metric.labels)
            yield f"| `{metric.name}` | {metric.kind} | {labels} | {cell(metric.meaning)} |"


def shared() -> Iterator[str]:
    """List what every server of the API gives alike."""
    return metrics(Of.INSTALLATION)


def events() -> Iterator[str]:
    """List every event."""
    yield from table("type", "what has happened")
    for name, text in TYPES.items():
        yield f"| `{name}` | {text} |"


def logs() -> Iterator[str]:
    """List what the program logs, by action."""
    found: dict[str, list[LogLine]] = {}
    for line in log_lines():
        found.setdefault(line.action, []).append(line)
    yield from table("action", "level", "text", "beside", "where")
    for action in sorted(found):
        some = found[action]
        levels = ", ".join(dict.fromkeys(one.level for one in some))
        beside = ", ".join(dict.fromkeys(f"`{name}`" for one in some for name in one.beside))
        where = ", ".join(dict.fromkeys(f"`{one.where}`" for one in some))
        yield f"| `{action}` | {levels} | {cell(some[0].text)} | {beside} | {where} |"


@dataclass(frozen=True)
class LogLine:
    """One call; what is not written out is empty."""

    where: str
    number: int
    level: str
    action: str
    text: str
    beside: tuple[str, ...]
    """Names of the other fields."""


def log_lines(folder: Path = SOURCES) -> Iterator[LogLine]:
    """Yield every line that modules of a folder log."""
    for path in sorted(folder.rglob("*.py")):
        where = str(path.relative_to(folder))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (level := log_level(node.func)) and where != ACTS:
                yield log_line(where, level, node)


def log_level(called: ast.expr) -> str:
    """Return the level of a call of a logger; `level` is a name for one that was chosen before."""
    match called:
        case ast.Attribute(value=ast.Name(id="log" | "logger"), attr=name) if name in LOG_LEVELS:
            return "error" if name == "exception" else name
        case ast.Name(id="level"):
            return "info"
    return ""


def log_line(where: str, level: str, call: ast.Call) -> LogLine:
    named = {one.arg: one.value for one in call.keywords if one.arg}
    text = _written(call.args[0]) if call.args else ""
    beside = tuple(name for name in named if name not in ("action", "exc_info", "extra"))
    return LogLine(where, call.lineno, level, _written(named.get("action")), text, beside)


def _written(value: ast.expr | None) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def exit_codes() -> Iterator[str]:
    """Repeat the table of cli/terminal/failures.py."""
    lines = (failures.__doc__ or "").splitlines()
    yield from (line for line in lines if line.startswith("|"))


def commands() -> Iterator[str]:
    """Write the help of every command."""
    context = click.Context(root, info_name="mediamill", **root.context_settings)
    yield from command_help(root, context)


def command_help(command: click.Command, context: click.Context) -> Iterator[str]:
    """Write the help of a command and of those below it."""
    context.terminal_width = context.max_content_width = 96
    text = command.get_help(context).replace(str(Path.home()), "~")
    yield from (f"### {context.command_path}", "", "```text", text, "```", "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from command_help(
                    below, click.Context(below, context, name, **below.context_settings)
                )


def figures() -> Iterator[str]:
    """Write the columns of the exported table."""
    yield from ("| column | | meaning |", "|---|---|---|")
    yield f"| `{DAY.name}` | partition | {DAY.meaning} |"
    for one in COLUMNS:
        yield f"| `{one.name}` | {one.kind} | {one.meaning} |"


EXTRAS = {
    "analytics": "`mediamill analytics`: figures asked in SQL",
    "heic": "HEIC pictures, in and out",
    "kafka": "files from Kafka and MSK, events to Kafka",
    "amqp": "doorbells by RabbitMQ",
    "bedrock": "models of Amazon Bedrock",
    "dynamodb": "the store in DynamoDB",
    "kms": "secrets sealed by AWS KMS",
    "local-models": "captions and labels by models on this machine",
    "nats": "doorbells by NATS",
    "oidc": "signing in through Cognito or another issuer",
    "otel": "traces, sent by OTLP",
    "postgresql": "the store in PostgreSQL",
    "redis": "doorbells by Redis",
    "rekognition": "labels by Amazon Rekognition",
    "s3": "bytes in S3 and what speaks its protocol",
    "sagemaker": "models at endpoints of Amazon SageMaker",
    "secretsmanager": "settings kept in AWS Secrets Manager",
    "ses": "mail by Amazon SES",
    "smtp": "mail by SMTP",
    "sns": "events to Amazon SNS",
    "sqs": "doorbells by Amazon SQS, events from there",
    "ssm": "settings kept in AWS Systems Manager",
}
"""What each extra is for; one that has no words here stops the writing."""


def extras() -> Iterator[str]:
    """List the extras with what they bring."""
    table_of = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    yield from table("extra", "for", "brings")
    for name, libraries in sorted(table_of["optional-dependencies"].items()):
        names = ", ".join(f"`{cell(library)}`" for library in libraries)
        yield f"| `{name}` | {EXTRAS[name]} | {names} |"


PARTS = {
    "reference/extras.md": {"extras": extras},
    "reference/api.md": {"api": api},
    "reference/answers.md": {"shapes": shapes},
    "reference/settings.md": {"settings": settings},
    "how-to/analytics.md": {"figures": figures},
    "reference/operations.md": {"operations": operations},
    "reference/errors.md": {"errors": errors, "exit-codes": exit_codes},
    "reference/events.md": {"events": events},
    "reference/logs.md": {"logs": logs},
    "reference/metrics.md": {"metrics": metrics, "shared": shared},
    "reference/cli.md": {"exit-codes": exit_codes, "commands": commands},
}
"""Which parts stand on which page."""
WHOLE = {"reference/events.schema.json": lambda: json.dumps(schema(), indent=2) + "\n"}
"""Files that nobody writes by hand."""

if __name__ == "__main__":
    sys.exit(main())
