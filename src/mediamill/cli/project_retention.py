"""`mediamill projects retention`: how long a project keeps its files, and what that takes."""

from collections import Counter
from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, size_text

DECIDES = {
    "project": "by this rule",
    "installation": "by the installation's rules",
    "other": "by other projects",
}
WHEN = {
    "now": "at once",
    "day": "in a day",
    "week": "in 7 days",
    "month": "in 30 days",
    "later": "later",
}


@click.command()
@click.argument("project_id", metavar="ID")
@click.argument("days", required=False)
@click.option("--dry-run", is_flag=True, help="Tell what DAYS would take; set nothing.")
@json_option
@connected
def retention(
    project_id: str, *, days: str | None, dry_run: bool, as_json: bool, client: Client
) -> None:
    """Say for how many DAYS a project keeps its files, from when each joined.

    Or `none`, for ever, or `installation`: what holds elsewhere. Files that are in other projects
    too go when the last of these lets them go. Without DAYS, and with --dry-run, it tells what goes
    when.
    """
    here = f"/v1/projects/{project_id}"
    if days is not None and not dry_run:
        row = client.request("PATCH", here, json={"keep_days": _said(days)})
        if as_json:
            show(row, as_json=True)
        else:
            click.echo(f"{project_id} keeps its files {_rule(row['keep_days'])}.")
            if alone := row["keep_days_alone_at"]:
                click.echo(f"What it said before holds beside that until {alone}.")
        return
    found = _looked(client, f"{here}/retention", {"keep_days": days} if days else {})
    if as_json:
        show(found, as_json=True)
        return
    click.echo(f"kept {_rule(found['keep_days'])}")
    for name, told in WHEN.items():
        click.echo(f"{told}: {_amount(found['goes'][name])}")
    click.echo(f"never: {_amount(found['kept'])}")
    why = [f"{count:,} {DECIDES[name]}" for name, count in found["why"].items() if count]
    click.echo("decided: " + (", ".join(why) or "no files"))
    if found["results"]:
        click.echo(f"{found['results']:,} results in it go with the files they were made of.")
    if found["mixed"]:
        click.echo(f"{found['mixed']:,} of them with the first of several files.")
    if found["alone_at"]:
        click.echo(f"This would hold alone from {found['alone_at']}.")


def _looked(client: Client, path: str, query: dict[str, str]) -> dict[str, Any]:
    """Ask for all members of a project, and add up what the answers say."""
    found = page = client.get(path, **query)
    goes = {name: Counter(going) for name, going in found["goes"].items()}
    sums = {name: Counter(found[name]) for name in ("kept", "why")}
    made = Counter({name: found[name] for name in ("results", "mixed")})
    while page["has_more"]:
        page = client.get(path, **query, after=page["after"])
        for name, going in page["goes"].items():
            goes[name].update(going)
        for name, one in sums.items():
            one.update(page[name])
        made.update({name: page[name] for name in made})
    whole = {**made, "has_more": False, "after": None}
    return {**found, "goes": {name: dict(one) for name, one in goes.items()}, **sums, **whole}


def _said(days: str) -> int | str:
    """Read DAYS as the API takes them; what they may be the server knows."""
    return int(days) if days.isdecimal() else days


def _rule(days: int | str) -> str:
    if days == "installation":
        return "as the installation says"
    return "for ever" if days == "none" else f"for {days} days"


def _amount(going: dict[str, int]) -> str:
    text = f"{going['files']:,} files, {size_text(going['bytes'])}"
    if going["results"]:
        text += f", with {going['results']:,} results, {size_text(going['result_bytes'])}"
    return text + (f", and {going['frozen']:,} images of versions" if going["frozen"] else "")
