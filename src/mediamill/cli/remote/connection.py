"""Options that all client commands share: which server, which token, JSON or text."""

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from mediamill.cli.remote.client import Client, checked_address
from mediamill.cli.remote.home import load_settings, read_credentials
from mediamill.cli.remote.trust import trusting

DEFAULT_SERVER = "http://127.0.0.1:8750"

C = TypeVar("C", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def connected(command: C) -> C:
    """Give a command `--server`, and call it with a `client` that is signed in."""

    @click.option(
        "--server",
        envvar="MEDIAMILL_SERVER",
        show_envvar=True,
        help=f"Address of the server; default: where you signed in last, else {DEFAULT_SERVER}.",
    )
    @click.option(
        "--token",
        envvar="MEDIAMILL_TOKEN",
        show_envvar=True,
        help="API token; default: that of `mediamill login`. Others may see a command line: "
        "prefer the variable.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, server: str | None, token: str | None, **options: Any) -> Any:
        with connect(server, token) as client:
            return command(*args, client=client, **options)

    return wrapped  # type: ignore[return-value]  # click adds the option to whatever it is given


def connect(server: str | None, token: str | None) -> Client:
    """Open a client for a server with the token given, else with the one kept for this server."""
    home = load_settings().home
    kept = read_credentials(home)
    address = checked_address(server or (kept.server if kept else DEFAULT_SERVER))
    if not token and kept is not None and kept.server == address:
        token = kept.token
    return Client(address, token or "", verify=trusting(address, home))


def show(row: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one record: JSON, or a line per field."""
    if as_json:
        click.echo(json.dumps(row, ensure_ascii=False))
        return
    width = max(map(len, row), default=0)
    for name, value in row.items():
        if value not in (None, "", [], {}):
            click.echo(f"{name:<{width}}  {_text(value)}")


def show_list(
    rows: Iterable[Mapping[str, Any]], *columns: Callable[[Any], Any], as_json: bool
) -> None:
    """Print records as they come: a JSON line each, or tab-separated columns."""
    for row in rows:
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
        else:
            click.echo("\t".join(_text(column(row)) for column in columns))


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def size_text(size: float) -> str:
    """Write a number of bytes for people, in powers of ten as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
