"""`mediamill projects annotate`: put a set of annotations on the files of a project."""

from pathlib import Path
from typing import Any

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show
from mediamill.cli.remote.home import load_settings
from mediamill.cli.terminal.failures import DONE, SOME_FAILED, Failure
from mediamill.cli.terminal.progress import bar

SHOWN = 20
"""Findings that are printed; the rest is counted."""


@click.command()
@click.argument("project_id", metavar="ID")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["coco", "yolo", "voc"]), help="Default: told by FILE."
)
@click.option("--dry-run", is_flag=True, help="Check only; nothing is stored.")
@click.option("--skip-invalid", is_flag=True, help="Leave out what is wrong, and store the rest.")
@click.option("--apply-splits", is_flag=True, help="Move files to the splits that FILE says.")
@json_option
@connected
@click.pass_context
def annotate(
    ctx: click.Context,
    project_id: str,
    file: Path,
    *,
    form: str | None,
    dry_run: bool,
    skip_invalid: bool,
    apply_splits: bool,
    as_json: bool,
    client: Client,
) -> None:
    """Put the annotations in FILE, a .json, .xml or .zip, on the files of a project.

    All of it is checked first. Nothing is stored while there are errors, unless they are skipped;
    the exit code is 1 wherever there were some.
    """
    options = {"dry_run": dry_run, "skip_invalid": skip_invalid, "apply_splits": apply_splits}
    task = imported(client, project_id, file, form, **options)
    if as_json:
        show(task["outcome"], as_json=True)
    else:
        click.echo(told(client, project_id, task))
    ctx.exit(SOME_FAILED if task["outcome"]["errors"] else DONE)


def imported(
    client: Client, project_id: str, file: Path, form: str | None, **options: bool
) -> dict[str, Any]:
    """Send a set and have it put on the files of a project; return the task at its end."""
    body = {"file": _sent(client, file), **options} | ({"format": form} if form else {})
    here = f"/v1/projects/{project_id}/annotations/import"
    return _ended(client, client.request("POST", here, json=body))


def _sent(client: Client, file: Path) -> str:
    """Upload a file, unless it is on the server; return its id."""
    from mediamill.cli.transfer.pushed import Memory
    from mediamill.cli.transfer.pushing import Found, Options, Push

    sent: list[str] = []
    with Memory(load_settings().home) as memory, bar(in_bytes=True) as progress:
        push = Push(
            client, memory, Options(folder_tags=False), progress, parallel=1, as_json=False,
            settled=lambda _, known: sent.append(known),
        )  # fmt: skip
        push.run(iter([Found(file)]))
    if not sent:
        raise Failure(f"{file} was refused.", push.refused[0][1] if push.refused else "")
    return sent[0]


def _ended(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    with bar() as progress:
        shown = progress.add_task("Annotations", total=1.0, note="")
        while task["finished_at"] is None:
            task = client.get(task["links"]["self"], wait=2)
            progress.update(shown, completed=task["progress"])
    if task["state"] != "succeeded":
        raise Failure(task["error"])
    return task


def told(client: Client, project_id: str, task: dict[str, Any]) -> str:
    """Print what was found wrong, the first of it; return a sentence on what is stored."""
    outcome = task["outcome"]
    findings = f"/v1/projects/{project_id}/annotations/imports/{task['id']}/findings"
    for row, _ in zip(client.pages(findings), range(SHOWN), strict=False):
        click.echo(f"{row['place']}: {row['level']}: {row['message']}", err=True)
    found = outcome["errors"] + outcome["warnings"]
    if found > SHOWN:
        click.echo(f"… and {found - SHOWN:,} more.", err=True)
    left = "stored without what is wrong" if outcome["errors"] else "stored"
    stored = left if outcome["stored"] else "nothing is stored"
    return (
        f"{outcome['format']}: {outcome['images']:,} images, {outcome['annotations']:,} "
        f"annotations; {outcome['errors']:,} errors, {outcome['warnings']:,} warnings: {stored}."
    )
