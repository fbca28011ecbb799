"""`mediamill usage`: how much the signed-in user keeps on a server."""

from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list, size_text

DAILY = (
    "day", "source", "media_type", "outcome", "files", "bytes", "items", "results", "result_bytes",
)  # fmt: skip
SAID = {
    "files": "Files",
    "jobs": "Open jobs",
    "items": "Items run this month",
    "spending": "Model calls this month",
    "requests": "Requests this minute",
}
"""What is told of each limit beside that of bytes."""


@click.command()
@click.option("--daily", is_flag=True, help="Show what your purged files came to, by day.")
@click.option("--from", "first", metavar="DAY", help="With --daily: from a day on, 2026-11-21.")
@click.option("--to", "last", metavar="DAY", help="With --daily: up to a day.")
@json_option
@connected
def usage(
    *, daily: bool, first: str | None, last: str | None, as_json: bool, client: Client
) -> None:
    """Show how much you keep on a server and let it do, and how much that may be.

    With --daily, what became of files that are gone; columns: day on which they came in, source,
    type, outcome, files, bytes, items, results, their bytes.
    """
    if daily:
        rows = client.pages("/v1/usage/daily", **{"from": first, "to": last})
        show_list(rows, *(lambda row, n=name: row[n] for name in DAILY), as_json=as_json)
        return
    told = client.get("/v1/usage")
    if as_json:
        show(told, as_json=True)
        return
    quota = told["quota_bytes"]
    most = f" of {size_text(quota)}" if quota is not None else ""
    kept, results = size_text(told["bytes"]), size_text(told["results_bytes"])
    click.echo(f"You keep {kept}{most}; {results} of it is results of jobs.")
    if quota is not None and told["bytes"] >= quota:
        click.echo("There is no room for more: delete files and jobs, and empty the trash.")
    for one in told["quotas"]:
        if one["quota"] in SAID and (one["used"] or one["limit"] is not None):
            click.echo(line_of(one))


def line_of(one: dict[str, Any]) -> str:
    """Tell one limit and what is used of it: 41 of 100."""
    what, money = SAID[one["quota"]], one["quota"] == "spending"
    used, limit = (
        None if number is None else f"${number:,.2f}" if money else f"{number:,.0f}"
        for number in (one["used"], one["limit"])
    )
    resets = one["resets_at"]
    until = f" until {resets[:16].replace('T', ' ')} UTC" if resets else ""
    return f"{what}: {used}" + (f" of {limit}{until}." if limit is not None else ".")
