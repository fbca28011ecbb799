"""`mediamill analytics`: ask figures in SQL, define their table elsewhere, export them now."""

import asyncio
import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from mediamill.analytics import asking
from mediamill.analytics.definitions import DIALECTS
from mediamill.analytics.exporting import Exporter
from mediamill.analytics.places import SETTING, open_place
from mediamill.cli.remote.connection import connect
from mediamill.cli.remote.home import read_all_settings
from mediamill.cli.terminal.leading import LeadingGroup
from mediamill.core.backups import refuse_unrestored
from mediamill.core.errors import InvalidInput
from mediamill.core.logs import configure_logging
from mediamill.store.copying import KINDS, copying
from mediamill.store.opening import open_store


@click.group(cls=LeadingGroup, leading="ask")
def analytics() -> None:
    """Ask what was done in SQL: figures by day, type, source, customer, operation and outcome.

    `mediamill analytics "SELECT …"` is short for `mediamill analytics ask "SELECT …"`.
    """


@analytics.command()
@click.argument("query", metavar="SELECT")
@click.option("--from", "first", metavar="DAY", help="The first day [default: a year ago].")
@click.option("--to", "last", metavar="DAY", help="The last day.")
@click.option(
    "--files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Ask exported files in this folder, and no server.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per row.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--server", envvar="MEDIAMILL_SERVER", show_envvar=True, help="Address of the server."
)
@click.option("--token", envvar="MEDIAMILL_TOKEN", show_envvar=True, help="API token.")
def ask(
    query: str,
    *,
    first: str | None,
    last: str | None,
    files: Path | None,
    as_json: bool,
    as_csv: bool,
    server: str | None,
    token: str | None,
) -> None:
    """Answer SELECT about the table `figures`, which is fetched from a server; for analysts.

    It is answered on this machine, by DuckDB, which can then reach neither files nor the network.
    """
    if files is not None:
        table = asking.of_folder(files)
    else:
        table = asking.of_rows(_fetched(server, token, first, last))
    answered = asking.ask(query, table)
    rows = [dict(zip(answered.columns, row, strict=True)) for row in answered.rows]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False, default=str))
    elif as_csv:
        click.echo(_csv(answered), nl=False)
    else:
        for line in _columns(answered):
            click.echo(line)


@analytics.command()
@click.argument("dialect", type=click.Choice(sorted(DIALECTS)))
@click.option("--url", help=f"Where they are exported to [default: {SETTING}].")
def schema(dialect: str, *, url: str | None) -> None:
    """Print what defines the exported table in Athena, AWS Glue or DuckDB."""
    place = _place(url or read_all_settings().analytics_url)
    if dialect != "duckdb" and not place.startswith("s3://"):
        raise InvalidInput(f"{dialect} reads buckets: name one, --url s3://bucket/folder.")
    click.echo(DIALECTS[dialect](place), nl=False)


@analytics.command()
@click.option("--url", help=f"Where to [default: {SETTING}].")
@click.option("--all", "everything", is_flag=True, help="Write all days anew.")
def export(*, url: str | None, everything: bool) -> None:
    """Write figures as Parquet now, as workers do every hour: the days on which anything changed.

    It reads this home's installation.
    """
    configure_logging("text", "error")
    settings = read_all_settings()
    refuse_unrestored(settings.home)
    place = open_place(_place(url or settings.analytics_url))

    async def done() -> int:
        url = settings.store_url
        if (kind := urlsplit(url).scheme) in KINDS:
            await copying(kind).require_there(url)
        store = await open_store(url)
        try:
            return await Exporter(store, place).run(everything=everything)
        finally:
            await store.close()

    days = asyncio.run(done())
    click.echo(f"{days:,} {'day is' if days == 1 else 'days are'} written.")


def _place(url: str) -> str:
    if not url:
        raise InvalidInput(f"Figures are exported nowhere: set {SETTING}, or say --url.")
    return url


def _fetched(
    server: str | None, token: str | None, first: str | None, last: str | None
) -> list[dict[str, Any]]:
    since = first or (datetime.now(UTC).date() - timedelta(365)).isoformat()
    query = {"from": since} | ({"to": last} if last else {})
    with connect(server, token) as client:
        answer = client.send("GET", "/v1/analytics/figures.jsonl", params=query)
    return [json.loads(line) for line in answer.content.split(b"\n") if line]


def _csv(answered: asking.Answered) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(answered.columns)
    writer.writerows(answered.rows)
    return written.getvalue()


def _columns(answered: asking.Answered) -> list[str]:
    """Write rows below a head: aligned for people, tab-separated for programs."""
    rows = [list(answered.columns), *([_text(cell) for cell in row] for row in answered.rows)]
    if not sys.stdout.isatty():
        return ["\t".join(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)
