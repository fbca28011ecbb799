"""`mediamill prompt`: ask a model about files, and print what it answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected
from mediamill.cli.remote.following import follow
from mediamill.cli.submit import read_json, settings, show_plan
from mediamill.cli.terminal.failures import SOME_FAILED, Failure
from mediamill.cli.terminal.inputs import gather
from mediamill.cli.terminal.progress import bar
from mediamill.cli.transfer.putting import put
from mediamill.cli.transfer.saving import fetch, place_of

ONLY_PROMPTS = ("system", "schema", "group", "model", "temperature", "max_tokens")
"""Options that say what a prompt is; a template says it itself."""


@click.command()
@click.argument("files", nargs=-1, metavar="FILES…")
@click.option("--prompt", metavar="TEXT", help="What is asked; @FILE reads it from a file.")
@click.option("--system", metavar="TEXT", help="System prompt; @FILE reads it from a file.")
@click.option(
    "--schema",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="JSON Schema that answers are to fit.",
)
@click.option("--group", is_flag=True, help="Ask once about all files together.")
@click.option("--model", metavar="NAME", help="Provider to ask; else the configured chain.")
@click.option("--temperature", type=click.FLOAT, help="How freely it chooses its words, 0 to 1.")
@click.option("--max-tokens", type=click.INT, help="Tokens of one answer.")
@click.option("--template", metavar="NAME", help="Ask what a template says, by its name or id.")
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="VARIABLE=VALUE",
    help="Value of a variable of the template; may be given again.",
)
@click.option("--project", metavar="ID", help="All files of a project, instead of FILES.")
@click.option("--budget", type=click.FLOAT, metavar="DOLLARS", help="What it may cost at most.")
@click.option("--name", help="Name of the job.")
@click.option("--no-reuse", is_flag=True, help="Ask again what was answered before.")
@click.option("--dry-run", is_flag=True, help="Only tell what it would be and cost.")
@click.option(
    "-o", "--output", metavar="FOLDER", help="Save the answers there as files, print their paths."
)
@click.option("--overwrite", is_flag=True, help="Replace files of the same name.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line for each answer.")
@connected
def prompt(files: tuple[str, ...], **given: Any) -> None:
    """Ask a model about FILES, print what it answers.

    FILES are local files and folders, which are uploaded, and ids of files on the server. Each is
    asked about by itself, with --group all together. The exit code is 1 when some have no answer;
    the others are printed.
    """
    ctx, client = click.get_current_context(), given["client"]
    work = _work(client, given)
    body = {**_inputs(client, files, given["project"]), **work}
    body |= {key: given[key] for key in ("name", "budget") if given[key] is not None}
    body |= {"reuse": False} if given["no_reuse"] else {}
    if given["dry_run"]:
        plan = client.request("POST", "/v1/jobs", json=body, params={"dry_run": "true"})
        show_plan(plan, as_json=given["as_json"])
        return
    job = follow(client, client.request("POST", "/v1/jobs", json=body))
    missing = _answers(client, job, given)
    if job["state"] != "succeeded":
        click.echo(f"The job {job['id']} is {job['state']}. {job['error']}".strip(), err=True)
    ctx.exit(SOME_FAILED if missing or job["state"] != "succeeded" else 0)


def _work(client: Client, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked: a prompt, or a template with its variables."""
    if given["template"]:
        beside = [name for name in ("prompt", *ONLY_PROMPTS) if given[name]]
        if beside:
            raise click.UsageError(f"--template says what is asked: leave --{beside[0]} out.")
        template = client.get(f"/v1/templates/{quote(given['template'])}")
        types = {name: one["type"] for name, one in template["variables"].items()}
        return {"template": template["id"], "variables": settings(given["values"], types)}
    if given["values"]:
        raise click.UsageError("--set is for the variables of a --template.")
    if not (given["prompt"] or given["system"]):
        raise click.UsageError("Give --prompt, or a --template.")
    asked = {"prompt": text_of(given["prompt"] or ""), "system": text_of(given["system"] or "")}
    more = {name: given[name] for name in ("model", "temperature", "max_tokens", "group")}
    schema = {"output_schema": read_json(given["schema"])} if given["schema"] else {}
    found = {**asked, **schema, **more}
    return {"prompt": {key: value for key, value in found.items() if value not in ("", None)}}


def text_of(text: str) -> str:
    """Return a text, or what is in the file that `@FILE` names; raises `Failure`."""
    if not text.startswith("@"):
        return text
    try:
        with click.open_file(text[1:], encoding="utf-8") as stream:
            return str(stream.read())
    except OSError as error:
        raise Failure(f"{text[1:]} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Failure(f"{text[1:]} is no UTF-8 text.") from None


def _inputs(client: Client, files: Sequence[str], project: str | None) -> dict[str, Any]:
    """Return what names the inputs; local files are uploaded."""
    if bool(files) == bool(project):
        raise click.UsageError("Give FILES, or --project.")
    if project:
        return {"project": project}
    known = [one for one in files if one.startswith("file_") and not Path(one).exists()]
    for one in files:
        if one not in known and not Path(one).exists():
            raise Failure(f"There is no file {one}.", "Name files, folders, or ids of files.")
    found: dict[str, list[str]] = {}
    for one in files:
        found[one] = [one] if one in known else _uploaded(client, one)
    return {"files": [file for one in dict.fromkeys(files) for file in found[one]]}


def _uploaded(client: Client, path: str) -> list[str]:
    """Upload a file, or the files of a folder; return their ids."""
    inputs = gather([path])
    with bar(in_bytes=True) as progress:
        total = sum(item.path.stat().st_size for item in inputs)
        task = progress.add_task("Uploading", total=total)
        rows = [put(client, item.path, lambda n: progress.advance(task, n)) for item in inputs]
    return [str(row["id"]) for row in rows]


def _answers(client: Client, job: Mapping[str, Any], given: Mapping[str, Any]) -> int:
    """Print or save the answers of a job; return how many are missing."""
    folder = place_of(f"{given['output'].rstrip('/')}/") if given["output"] else None
    several, missing = job["items"] > 1, 0
    for number, item in enumerate(_items(client, job)):
        if not item["outputs"]:
            missing += 1
            click.echo(f"{item['name']}: {item['error'] or item['state']}", err=True)
        elif folder is not None:
            for file in item["outputs"]:
                target = folder / file["name"]
                click.echo(fetch(client, file["url"], target, overwrite=given["overwrite"]))
        elif given["as_json"]:
            click.echo(json.dumps(_line(client, item), ensure_ascii=False))
        else:
            if several:
                click.echo(f"{'' if number == 0 else chr(10)}==> {item['name']} <==")
            click.echo(_text(client, item).rstrip("\n"))
    return missing


def _items(client: Client, job: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return client.pages(f"/v1/jobs/{job['id']}/items")


def _text(client: Client, item: Mapping[str, Any]) -> str:
    return client.send("GET", item["outputs"][0]["url"], params={"direct": "false"}).text


def _line(client: Client, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as a JSON line: parsed where it is JSON itself."""
    text, file = _text(client, item), item["outputs"][0]
    answer = json.loads(text) if file["media_type"] == "application/json" else text
    return {"name": item["name"], "file": item["file"], "result": file["id"], "answer": answer}
