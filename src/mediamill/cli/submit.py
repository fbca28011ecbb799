"""`mediamill jobs submit`: a job over files, a project, an archive or a manifest."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show
from mediamill.cli.terminal.ending import finish
from mediamill.cli.terminal.failures import Failure

notify_option = click.option(
    "--notify/--no-notify", default=None, help="Get a mail at its end, or none."
)
budget_option = click.option(
    "--budget", type=click.FloatRange(0), metavar="DOLLARS", help="The most its model calls cost."
)
steps_option = click.option(
    "--steps",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Steps as a JSON list of {operation, parameters}; - reads them from stdin.",
)
SOURCES = ("project", "archive", "manifest")


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE_IDS]…")
@click.option("--project", metavar="ID", help="All files of a project.")
@click.option("--subset", metavar="SUBSET", help="Of the project only files in this subset.")
@click.option("--split", metavar="SPLIT", help="Of the project only files in this split.")
@click.option("--archive", metavar="FILE_ID", help="The members of a zip, without unpacking it.")
@click.option(
    "--members",
    multiple=True,
    metavar="PATTERN",
    help="Which members of the archive, as 'train/*.jpg'; may be given again.",
)
@click.option("--manifest", metavar="FILE_ID", help="An uploaded text that lists inputs.")
@click.option("--template", metavar="NAME", help="Steps from a template, by id or name.")
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="VARIABLE=VALUE",
    help="Value of a variable of the template; may be given again.",
)
@steps_option
@click.option(
    "--output-project", metavar="ID", help="Project that the result files join, with annotations."
)
@click.option("--name", help="Name of the job and of its download.")
@click.option("--seed", type=click.INT, help="Seed of everything that is drawn.")
@click.option("--class", "klass", type=click.Choice(("interactive", "bulk")), help="Its queue.")
@click.option("--batch", is_flag=True, help="Let models answer within hours, for less.")
@click.option("--no-reuse", is_flag=True, help="Do again what an earlier job did.")
@budget_option
@notify_option
@click.option("--dry-run", is_flag=True, help="Only tell what the job would be.")
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@json_option
@connected
def submit(files: tuple[str, ...], **given: Any) -> None:
    """Run a template, or steps from a file, over inputs on the server; print the job's id.

    Inputs are files, or one of --project, --archive and --manifest. With --wait the exit code is
    1 when some items failed.
    """
    ctx, client = click.get_current_context(), given["client"]
    body = {**_inputs(files, given), **_work(client, given)}
    more = ("name", "seed", "subset", "split", "output_project", "budget")
    body |= {key: given[key] for key in more if given[key] is not None}
    body |= {"class": given["klass"]} if given["klass"] else {}
    body |= {"batch": True} if given["batch"] else {}
    body |= {"reuse": False} if given["no_reuse"] else {}
    body |= told(given["notify"])
    if given["dry_run"]:
        plan = client.request("POST", "/v1/jobs", json=body, params={"dry_run": "true"})
        show_plan(plan, as_json=given["as_json"])
        return
    job = client.request("POST", "/v1/jobs", json=body)
    finish(ctx, client, job, wait=given["wait"], as_json=given["as_json"])


def show_plan(plan: dict[str, Any], *, as_json: bool) -> None:
    """Print what a job would be; for people numbers say how far they can be relied on."""
    if as_json:
        show(plan, as_json=True)
        return
    asks = [_sure(one, "inputs") for one in plan["asks"]]
    show({**_sure(plan, "outputs"), "asks": asks}, as_json=False)


def _sure(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a row whose number has the words before it that say so: `about 12`."""
    word = {"about": "about ", "at_most": "at most "}.get(row[f"{name}_are"], "")
    shown = {key: value for key, value in row.items() if key != f"{name}_are"}
    return {**shown, name: "not known" if row[name] is None else f"{word}{row[name]}"}


def told(notify: bool | None) -> dict[str, Any]:
    """Return what a request says of mails, if it says anything."""
    return {} if notify is None else {"notify": {"email": notify}}


def _inputs(files: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one source of inputs that is given."""
    named: dict[str, Any] = {name: given[name] for name in SOURCES if given[name]}
    if files:
        named["files"] = list(files)
    if len(named) != 1:
        raise click.UsageError("Give FILE_IDS, or one of --project, --archive and --manifest.")
    if given["members"]:
        named["members"] = list(given["members"])
    return named


def _work(client: Client, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the steps, or the template with its variables."""
    if bool(given["template"]) == (given["steps"] is not None):
        raise click.UsageError("Give --template or --steps.")
    if given["template"]:
        template = client.get(f"/v1/templates/{quote(given['template'])}")
        types = {name: one["type"] for name, one in template["variables"].items()}
        return {"template": template["id"], "variables": settings(given["values"], types)}
    if given["values"]:
        raise click.UsageError("--set is for the variables of a --template.")
    return {"steps": read_steps(given["steps"])}


def read_steps(path: Path) -> Any:
    """Read steps from a JSON file, or from stdin for `-`: a list, or an object with `steps`.

    Raises `Failure`.
    """
    steps = read_json(path)
    return steps["steps"] if isinstance(steps, dict) and "steps" in steps else steps


def settings(words: Iterable[str], types: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of `variable=value` words: text for a text variable, else JSON if it is."""
    values: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            raise click.BadParameter(f"{word!r} is not VARIABLE=VALUE.", param_hint="--set")
        values[name.strip()] = text if types.get(name.strip()) == "string" else _value(text)
    return values


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_json(path: Path) -> Any:
    """Read a JSON file, or stdin for `-`; raises `Failure`."""
    try:
        with click.open_file(str(path), encoding="utf-8") as stream:
            return json.load(stream)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise Failure(f"{path} is no JSON: {error}.") from None
