"""`mediamill captions`: what models said of pictures, found again, judged and exported."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, show_list
from mediamill.cli.terminal.failures import SOME_FAILED, Failure
from mediamill.client.models import AgainView, CaptionTextBody

C = TypeVar("C", bound=Callable[..., Any])

STATES = click.Choice(["new", "approved", "edited", "rejected"])
AT_ONCE = 100
"""Captions that one request judges."""


def choosing(command: C) -> C:
    """Give a command the options that say which captions are meant."""
    for option in (
        click.option("--state", type=STATES, help="Only those in this state."),
        click.option("--job", help="Only those of this job."),
        click.option(
            "--words", "query", default="", metavar="WORDS",
            help="Only those with words that begin with all of these.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def captions() -> None:
    """Find captions again, judge them, and export them by file name."""


@captions.command("list")
@choosing
@json_option
@connected
def list_(*, state: str | None, job: str | None, query: str, as_json: bool, client: Client) -> None:
    """List captions, newest first, those of a job in the order of its inputs."""
    _show(client, _query(state, job, query), as_json=as_json)


@captions.command()
@click.argument("words", nargs=-1, required=True)
@json_option
@connected
def search(words: Sequence[str], *, as_json: bool, client: Client) -> None:
    """List captions whose texts, labels or file names have words that begin with all WORDS."""
    _show(client, _query(None, None, " ".join(words)), as_json=as_json)


def _show(client: Client, query: dict[str, Any], *, as_json: bool) -> None:
    show_list(
        client.api.captions.list(**query),
        lambda row: row["id"],
        lambda row: row["state"],
        lambda row: row["member"] or row["file_name"],
        lambda row: " | ".join(one["text"] for one in row["captions"]) or _labels(row),
        lambda row: ", ".join(row["providers"]),
        as_json=as_json,
    )


def _labels(row: dict[str, Any]) -> str:
    return ", ".join(one["name"] for one in row["labels"])


@captions.command("show")
@click.argument("caption", metavar="ID")
@json_option
@connected
def show_(caption: str, *, as_json: bool, client: Client) -> None:
    """Show what was said of one picture, and what was made of it by hand."""
    show(client.api.captions.get(caption), as_json=as_json)


@captions.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@connected
def approve(ids: Sequence[str], *, client: Client) -> None:
    """Approve captions."""
    _judge(client, ids, "approved")


@captions.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@connected
def reject(ids: Sequence[str], *, client: Client) -> None:
    """Reject captions; `mediamill captions rerun` then asks anew about them."""
    _judge(client, ids, "rejected")


def _judge(client: Client, ids: Sequence[str], state: Any) -> None:
    missed = list[str]()
    for start in range(0, len(ids), AT_ONCE):
        for one in client.api.captions.review(ids[start : start + AT_ONCE], state):
            if one["caption"] is None:
                missed.append(one["id"])
            else:
                click.echo(f"{one['id']}\t{one['caption']['state']}")
    if missed:
        click.echo(f"Not there, or changed at the same moment: {', '.join(missed)}.", err=True)
        raise SystemExit(SOME_FAILED)


@captions.command()
@click.argument("caption", metavar="ID")
@click.argument("text")
@click.option("--variant", default="concise", show_default=True, help="Which of its captions.")
@click.option("--language", default="en", show_default=True, help="In which language.")
@json_option
@connected
def edit(
    caption: str, text: str, *, variant: Any, language: str, as_json: bool, client: Client
) -> None:
    """Set a text by hand; what the model gave is kept."""
    set_by_hand: CaptionTextBody = {"variant": variant, "language": language, "text": text}
    show(client.api.captions.edit(caption, [set_by_hand]), as_json=as_json)


@captions.command()
@click.argument("caption", metavar="ID")
@json_option
@connected
def undo(caption: str, *, as_json: bool, client: Client) -> None:
    """Take the last change of a caption back."""
    show(client.api.captions.undo(caption), as_json=as_json)


@captions.command()
@click.option("--job", default="", help="Only of this job.")
@click.option("--words", "query", default="", metavar="WORDS", help="Only with these words.")
@click.option("--provider", "providers", multiple=True, help="Whom to ask instead; repeatable.")
@click.option("--budget", type=float, help="The most that each job may cost, in US dollars.")
@connected
def rerun(
    job: str, query: str, providers: Sequence[str], budget: float | None, *, client: Client
) -> None:
    """Ask anew about rejected captions, and print the ids of the jobs that do."""
    for again in _again(client, job=job, query=query, providers=providers, budget=budget):
        for one in again["jobs"]:
            click.echo(one)
        for unasked in again["failed"]:
            click.echo(f"{unasked['id']}: {unasked['message']}", err=True)


def _again(client: Client, **asked: Any) -> Iterator[AgainView]:
    """Ask until nothing is left that can be asked about."""
    while True:
        again = client.api.captions.ask_again(**asked)
        yield again
        if not again["has_more"] or not again["jobs"]:
            return


@captions.command()
@choosing
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl", "html"]), default="csv",
    show_default=True, help="A table, JSON lines, or <img> of each.",
)  # fmt: skip
@click.option(
    "--variant", "variants", multiple=True, help="Only these, such as alt-text; repeatable."
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file.")
@connected
def export(
    *, state: str | None, job: str | None, query: str, form: Any, variants: Sequence[str],
    output: Path | None, client: Client,
) -> None:  # fmt: skip
    """Write captions by file name, as they stand now; to the terminal unless told where."""
    chosen = _query(state, job, query)
    with _opened(output) as stream:
        for chunk in client.api.captions.export(form, variants=variants, **chosen):
            stream.write(chunk)
    if output is not None:
        click.echo(str(output))


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        stream = output.open("xb")
    except FileExistsError:
        raise Failure(f"{output} is there already.") from None
    try:
        with stream:
            yield stream
    except BaseException:
        output.unlink()
        raise


@captions.command()
@click.argument("ids", nargs=-1, metavar="[ID...]")
@choosing
@click.option("--all", "every", is_flag=True, help="All, or all that the options choose.")
@click.option("--yes", is_flag=True, help="Do not ask before all are deleted.")
@connected
def delete(
    ids: Sequence[str], *, state: str | None, job: str | None, query: str, every: bool, yes: bool,
    client: Client,
) -> None:  # fmt: skip
    """Delete captions from the history for good; jobs keep their results."""
    if bool(ids) == every:
        raise Failure("Name captions, or say --all.")
    for caption in ids:
        client.api.captions.delete(caption)
    if not every:
        return
    if not yes:
        click.confirm("Delete them for good, with what was made of them by hand?", abort=True)
    removed = client.api.captions.delete_all(**_query(state, job, query))
    click.echo(f"{removed} deleted")


def _query(state: str | None, job: str | None, query: str) -> dict[str, Any]:
    """Return the options that choose, None where not given."""
    return {"state": state, "job": job, "query": query or None}
