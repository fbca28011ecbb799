"""`mediamill import`: bring files to a server from web addresses, buckets and folders."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from mediamill.adapters.objects.opening import is_bucket
from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option
from mediamill.cli.remote.home import load_settings
from mediamill.cli.terminal.failures import Failure, Refused
from mediamill.cli.terminal.progress import bar
from mediamill.cli.terminal.tallying import Tally
from mediamill.cli.transfer.buckets import ENDING, BucketImport
from mediamill.cli.transfer.pushed import Memory
from mediamill.cli.transfer.pushing import Options, Push, checked, walk
from mediamill.client.shipping import Said

POLL_SECONDS = 0.5


@click.command("import")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCES…")
@click.option("--tag", "tags", multiple=True, help="Tag of every file; may be given again.")
@click.option("--project", help="Id of a project that every file joins.")
@click.option("--wait", is_flag=True, help="Wait until what the server fetches has arrived.")
@click.option(
    "--parallel", type=click.IntRange(1, 32), default=4, show_default=True,
    help="How many files are on their way at once.",
)  # fmt: skip
@json_option
@connected
@click.pass_context
def import_(ctx: click.Context, /, sources: tuple[str, ...], **given: Any) -> None:
    """Bring files to a server: from web addresses, buckets, folders.

    https://… is fetched by the server. s3://BUCKET/FOLDER?endpoint=…&region=… is read here, with
    your own credentials in the AWS_… variables; objects that came before and did not change are
    skipped. A file that fails is reported and the others go on; the exit code is then 1.
    """
    client, said = given["client"], Said(given["tags"], given["project"])
    addresses = [source for source in sources if is_address(source)]
    paths = [one for one in sources if not is_address(one) and not is_bucket(one)]
    with bar(in_bytes=True) as progress:
        task = progress.add_task("Importing", total=None)
        tally = Tally(
            "imported", as_json=given["as_json"], advance=lambda n: progress.advance(task, n)
        )
        begun = list(_begin(client, addresses, said, tally))
        for source in sources:
            if is_bucket(source):
                home = load_settings().home
                BucketImport(client, source, said, home, given["parallel"], tally).run()
    _folders(client, paths, said, tally, given)
    for source, row in begun:
        _end(client, source, row, tally, wait=given["wait"])
    ctx.exit(tally.sum())


def is_address(source: str) -> bool:
    """Tell whether a source is a web address."""
    return source.lower().startswith(("http://", "https://"))


def _begin(
    client: Client, addresses: Sequence[str], said: Said, tally: Tally
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ask the server to fetch addresses; yields what it took on."""
    for address in addresses:
        body = {"url": address, "tags": list(said.tags)}
        if said.project:
            body["project"] = said.project
        try:
            yield address, client.request("POST", "/v1/files", json=body)
        except Refused as refusal:
            if refusal.status in ENDING:
                raise
            tally.fail(address, refusal.message)


def _end(client: Client, source: str, row: dict[str, Any], tally: Tally, *, wait: bool) -> None:
    """Tell what became of an address."""
    while wait and row["state"] in ("receiving", "checking"):
        time.sleep(POLL_SECONDS)
        row = client.get(f"/v1/files/{row['id']}")
    if row["state"] == "rejected":
        tally.fail(source, row.get("error") or "the server rejected it")
    else:
        tally.bring(row, source)


def _folders(
    client: Client, paths: Sequence[str], said: Said, tally: Tally, given: dict[str, Any]
) -> None:
    """Send local files and what is in folders, as `mediamill files push` does."""
    if missing := [path for path in paths if not Path(path).exists()]:
        raise Failure(f"{missing[0]} is neither an address nor a file here.")
    if not paths:
        return
    options = Options(tuple(said.tags), said.project or "")
    with Memory(load_settings().home) as memory, bar(in_bytes=True) as progress:
        push = Push(
            client,
            memory,
            options,
            progress,
            parallel=given["parallel"],
            as_json=given["as_json"],
        )
        push.run(checked(walk(paths), paths))
    tally.brought += push.counts["uploaded"]
    tally.skipped += push.counts["present"]
    for path, reason in push.refused:
        tally.fail(str(path), reason)
