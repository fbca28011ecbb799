"""`mediamill projects push | sample | split | freeze | versions | export | share`: datasets."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mediamill.cli.annotating import imported, told
from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list, size_text
from mediamill.cli.remote.home import load_settings
from mediamill.cli.submit import read_steps, steps_option
from mediamill.cli.terminal.failures import DONE, SOME_FAILED, Failure, Refused
from mediamill.cli.terminal.progress import bar
from mediamill.cli.transfer.saving import fetch

AT_ONCE = 1_000
WAIT = 30
CONFLICT = 409
FORMATS = ("files", "coco", "yolo", "voc", "webdataset")

project_argument = click.argument("project_id", metavar="ID")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS…", type=click.Path(exists=True))
@click.option(
    "--project",
    metavar="NAME",
    help="Its id or name; made if new [named like the one folder given].",
)
@click.option(
    "--annotations",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="COCO, YOLO or VOC (a .json, .xml or .zip), taken in when the images are there.",
)
@click.option("--format", "form", type=click.Choice(["coco", "yolo", "voc"]), help="Of it.")
@click.option("--skip-invalid", is_flag=True, help="Leave out what is wrong in it.")
@click.option(
    "--split-folders/--no-split-folders",
    default=True,
    help="Folders called train, valid or test say the split.",
)
@click.option("--parallel", type=click.IntRange(1, 32), default=4, help="Files at a time [4].")
@json_option
@connected
@click.pass_context
def push(
    ctx: click.Context,
    paths: tuple[str, ...],
    *,
    project: str | None,
    annotations: str | None,
    form: str | None,
    skip_invalid: bool,
    split_folders: bool,
    parallel: int,
    as_json: bool,
    client: Client,
) -> None:
    """Upload folders of images into a project, with their annotations.

    Run again it goes on where it stopped: what is on the server is not sent again. A file that the
    server refuses is reported at the end and the others go on; the exit code is then 1, as it is
    where something is wrong with the annotations, of which nothing is stored then.
    """
    from mediamill.annotations.tree import split_of
    from mediamill.cli.transfer.pushed import Memory
    from mediamill.cli.transfer.pushing import Options, Parcel, Push, checked, walk

    target = _project(client, project or _named(paths))
    splits: dict[str, list[str]] = defaultdict(list)

    def settled(parcel: Parcel, file: str) -> None:
        split = split_of(f"{parcel.folder}/{parcel.name}", named=False)
        if split and split_folders:
            splits[split].append(file)

    apart = None if annotations is None else Path(annotations).resolve()
    found = (one for one in walk(paths) if apart is None or one.path.resolve() != apart)
    with Memory(load_settings().home) as memory:
        with bar(in_bytes=True) as progress:
            pushing = Push(
                client, memory, Options(project=target), progress,
                parallel=parallel, as_json=as_json, settled=settled,
            )  # fmt: skip
            try:
                pushing.run(checked(found, paths))
            finally:
                pushing.summary()
        _place(client, target, splits)
        wrong = 0
        if annotations is not None:
            wrong = _annotate(client, target, Path(annotations), form, skip_invalid=skip_invalid)
    ctx.exit(SOME_FAILED if pushing.counts["refused"] or wrong else DONE)


@click.command()
@json_option
@connected
def sample(*, as_json: bool, client: Client) -> None:
    """Make a project of small pictures with classes and boxes; print its id."""
    task = _ended(client, client.request("POST", "/v1/projects/sample"))
    project = task["links"]["self"].split("/")[3]
    if as_json:
        show(client.get(f"/v1/projects/{project}"), as_json=True)
    else:
        click.echo(project)


@click.command()
@project_argument
@click.option("--train", type=float, default=0.8, help="Share of train [0.8].")
@click.option("--validation", type=float, default=0.1, help="Share of validation [0.1].")
@click.option("--test", type=float, default=0.1, help="Share of test [0.1].")
@click.option("--seed", type=int, default=0, help="Another seed is another split [0].")
@click.option("--stratify/--no-stratify", default=True, help="Spread every class alike.")
@click.option(
    "--group-by",
    multiple=True,
    type=click.Choice(["video", "name", "near-duplicates"]),
    default=("video",),
    help="What keeps files together; repeatable [video].",
)
@click.option("--keep/--anew", default=True, help="Leave files where they are, or split anew.")
@json_option
@connected
def split(project_id: str, *, as_json: bool, client: Client, **options: Any) -> None:
    """Place the files of a project in train, validation and test; say what came of it."""
    body = {**options, "group_by": list(options["group_by"])}
    outcome = _ended(client, client.request("POST", f"/v1/projects/{project_id}/split", json=body))[
        "outcome"
    ]
    if as_json:
        show(outcome, as_json=True)
        return
    for name, wanted in outcome["wanted"].items():
        reached, count = outcome["reached"].get(name, 0.0), outcome["counts"].get(name, 0)
        click.echo(f"{name}\t{count}\twanted {wanted:.1%}\treached {reached:.1%}")
    if unchecked := outcome.get("unchecked"):
        words = "not in the health check, so near-duplicates may be apart: check again, then split."
        click.echo(f"{unchecked} of the images: {words}", err=True)


@click.command()
@project_argument
@click.option("--name", default="", help="What to call it.")
@click.option("--seed", type=int, default=None, help="Of the steps.")
@steps_option
@click.option("--subset", "subsets", multiple=True, default=("original",), help="[original]")
@json_option
@connected
def freeze(project_id: str, *, as_json: bool, client: Client, **options: Any) -> None:
    """Fix files, splits and annotations of a project under a hash; print number and hash."""
    body = {
        "name": options["name"], "seed": options["seed"],
        "steps": read_steps(options["steps"]) if options["steps"] else [],
        "subsets": list(options["subsets"]),
    }  # fmt: skip
    version = client.request("POST", f"/v1/projects/{project_id}/versions", json=body)
    while version["state"] == "building":
        version = client.get(version["links"]["self"], wait=WAIT)
    if version["state"] == "failed":
        raise Failure("The version could not be made.", version["error"])
    if as_json:
        show(version, as_json=True)
    else:
        click.echo(f"{version['number']}\t{version['hash']}")


@click.command()
@project_argument
@json_option
@connected
def versions(project_id: str, *, as_json: bool, client: Client) -> None:
    """List the frozen versions of a project, newest first."""
    show_list(
        client.pages(f"/v1/projects/{project_id}/versions"),
        lambda row: row["number"],
        lambda row: row["state"],
        lambda row: f"{row['files']} files",
        lambda row: size_text(row["bytes"]),
        lambda row: row["hash"][:12],
        lambda row: row["name"],
        as_json=as_json,
    )


@click.command()
@project_argument
@click.argument("number", type=int, metavar="NUMBER")
@click.option("--format", "form", type=click.Choice(FORMATS), default="coco", help="[coco]")
@click.option("--split", "part", type=click.Choice(["train", "validation", "test"]), help="Only.")
@click.option("--rest", is_flag=True, help="What is left, where images had to go.")
@click.option("-o", "--output", type=click.Path(), help="File to write; default: as it is named.")
@connected
def export(
    project_id: str,
    number: int,
    *,
    form: str,
    part: str | None,
    rest: bool,
    output: str | None,
    client: Client,
) -> None:
    """Download a frozen version; a broken connection is taken up where it broke."""
    query = f"format={form}" + (f"&split={part}" if part else "") + "&rest=true" * rest
    here = f"/v1/projects/{project_id}/versions/{number}/export?{query}"
    while not _prepared(client, here):
        continue  # the server lets one wait
    ending = "tar" if form == "webdataset" else "zip"
    target = Path(output or f"{project_id}-v{number}-{form}.{ending}")
    click.echo(str(fetch(client, here, target, overwrite=False)))


@click.command()
@project_argument
@click.argument("user", metavar="USER")
@click.option("--role", type=click.Choice(["viewer", "editor"]), default="viewer", help="[viewer]")
@click.option("--revoke", is_flag=True, help="Take it back instead.")
@connected
def share(project_id: str, user: str, *, role: str, revoke: bool, client: Client) -> None:
    """Share a project with a user, by address or id, or take that back."""
    here = f"/v1/projects/{project_id}/shares"
    if not revoke:
        row = client.request("POST", here, json={"user": user, "role": role})
        click.echo(f"{row['email'] or row['id']} is {row['role']} of {project_id}.")
        return
    for row in client.pages(here):
        if user in (row["id"], row["email"]):
            client.request("DELETE", f"{here}/{row['id']}")
            click.echo(f"{user} sees {project_id} no more.")
            return
    raise Failure(f"{project_id} is not shared with {user}.", f"See {here}.")


def _named(paths: tuple[str, ...]) -> str:
    """Return what a project is called that is named like the one folder given."""
    folders = [Path(path).resolve() for path in paths if Path(path).is_dir()]
    if len(paths) != 1 or not folders or not folders[0].name:
        raise click.UsageError("Say which project with --project: only one folder names one.")
    return folders[0].name


def _project(client: Client, name: str) -> str:
    """Return the id of a project by its id or name; a new one, which is said, where none is."""
    if name.startswith("proj_"):
        return str(client.get(f"/v1/projects/{name}")["id"])
    for row in client.pages("/v1/projects"):
        if row["name"] == name.strip():
            return str(row["id"])
    made = str(client.request("POST", "/v1/projects", json={"name": name})["id"])
    click.echo(f"{name} is a new project, {made}.", err=True)
    return made


def _annotate(
    client: Client, project: str, file: Path, form: str | None, *, skip_invalid: bool
) -> int:
    """Put a set of annotations on a project; say what came of it, return how much is wrong."""
    task = imported(client, project, file, form, skip_invalid=skip_invalid)
    errors = int(task["outcome"]["errors"])
    click.echo(told(client, project, task), err=True)
    if errors and not skip_invalid:
        words = "None of the annotations are stored: mend the set and push again, or leave out "
        click.echo(f"{words}what is wrong with --skip-invalid.", err=True)
    return errors


def _place(client: Client, project: str, splits: dict[str, list[str]]) -> None:
    for name, files in splits.items():
        for some in _parts(files):
            body = {"files": some, "set": {"split": name}}
            client.request("PATCH", f"/v1/projects/{project}/files", json=body)


def _parts(files: list[str]) -> Iterator[list[str]]:
    once = list(dict.fromkeys(files))
    for start in range(0, len(once), AT_ONCE):
        yield once[start : start + AT_ONCE]


def _ended(client: Client, task: dict[str, Any]) -> dict[str, Any]:
    """Follow a task to its end; raises `Failure` with its reason."""
    with bar() as progress:
        shown = progress.add_task(str(task["kind"]).capitalize(), total=1.0, note="")
        while task["finished_at"] is None:
            task = client.get(task["links"]["self"], wait=2)
            note = f"{task['done']}/{task['total']}"
            progress.update(shown, completed=task["progress"], note=note)
    if task["state"] != "succeeded":
        raise Failure(f"The {task['kind']} failed.", task["error"])
    return task


def _prepared(client: Client, here: str) -> bool:
    """Ask for an export until it is laid out; raises what else is wrong."""
    try:
        client.send("GET", f"{here}&wait={WAIT}", headers={"Range": "bytes=0-0"})
    except Refused as refusal:
        if refusal.status == CONFLICT and "being prepared" in refusal.message:
            return False
        raise
    return True


COMMANDS = (push, sample, split, freeze, versions, export, share)
