"""`mediamill doctor`: check that this machine can run the service, and say what is missing."""

import json
from collections.abc import Iterator

import click

from mediamill.cli.remote.connection import DEFAULT_SERVER, json_option
from mediamill.cli.remote.home import read_all_settings
from mediamill.cli.service.checks import Check, Level
from mediamill.cli.service.examining import examine
from mediamill.cli.service.keeping import references
from mediamill.core.errors import MediamillError
from mediamill.core.logs import configure_logging

SIGNS = {Level.OK: "ok", Level.NOTE: "note", Level.PROBLEM: "PROBLEM"}


@click.command()
@click.option(
    "--server",
    envvar="MEDIAMILL_SERVER",
    show_envvar=True,
    help=f"Also check that this server answers; default: see whether {DEFAULT_SERVER} does.",
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, server: str | None, as_json: bool) -> None:
    """Check that this machine can run the service.

    Looks at the secrets that settings refer to, Python, SQLite, the disk under MEDIAMILL_HOME, the
    store, the codecs, what the kernel grants to the sandbox, the broker, mail, sign-in, the keys
    that seal secrets, who answers model calls (nobody is asked), backups, where figures go, the
    settings, and the server. The exit code is 1 when something is a real problem.
    """
    configure_logging("text", "error")  # to stderr, beside what is told here
    checks = []
    for check in _checks(server):
        checks.append(check)
        if not as_json:
            click.echo(f"{SIGNS[check.level]:<8} {check.name:<18} {check.text}")
    problems = sum(check.level is Level.PROBLEM for check in checks)
    if as_json:
        rows = [{"name": c.name, "level": c.level.value, "text": c.text} for c in checks]
        click.echo(json.dumps({"ok": not problems, "checks": rows}, ensure_ascii=False))
    elif problems:
        click.echo(f"\n{problems} problems. The service may not run well before they are solved.")
    else:
        click.echo("\nThis machine can run the service.")
    ctx.exit(1 if problems else 0)


def _checks(server: str | None) -> Iterator[Check]:
    kept = list(references())
    yield from kept
    if any(check.level is Level.PROBLEM for check in kept):
        return  # the rest depends on them
    try:
        settings = read_all_settings()
    except MediamillError as error:
        yield Check("settings", Level.PROBLEM, error.message)
        return
    yield from examine(settings, server, DEFAULT_SERVER)
