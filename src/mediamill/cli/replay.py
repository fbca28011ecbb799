"""`mediamill replay`: make an output again, and say whether it is the same."""

import asyncio
import hashlib
import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from mediamill.cli.local.replaying import Verdict, differences, likeness, lines_of, replayed
from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option
from mediamill.cli.remote.following import follow
from mediamill.cli.terminal.failures import SOME_FAILED, Failure


@click.command()
@click.argument("what", metavar="FILE_ID|MANIFEST")
@click.argument("name", required=False)
@json_option
@connected
def replay(what: str, name: str | None, *, as_json: bool, client: Client) -> None:
    """Make an output again by its lineage, and say whether it is the same.

    A report is made again of the whole set. What a model answers is not: that differs each time.

    FILE_ID is a result on the server, or a frame that a project took out of one. MANIFEST is the
    manifest.jsonl that `mediamill run` wrote beside its outputs, or their folder; with NAME only
    that output. The exit code is 1 where bytes differ: what differs of libraries and processor is
    named, and how like the images are.
    """
    path = Path(what)
    if path.exists():
        folder, lines = lines_of(path, name)
        verdicts = asyncio.run(replayed(folder, lines, folder))
    elif name is not None or not what.startswith("file_"):
        raise Failure(f"There is no file {what}.", "Name a manifest.jsonl, or a result's id.")
    else:
        verdicts = [_on_server(client, what)]
    for verdict in verdicts:
        click.echo(json.dumps(_told(verdict)) if as_json else _said(verdict))
    if not all(verdict.same for verdict in verdicts):
        click.get_current_context().exit(SOME_FAILED)


def _on_server(client: Client, file_id: str) -> Verdict:
    """Have a server make a result again; raises `Failure` where that fails.

    Of a frame that a project took out of a job's archive the archive is made again.
    """
    before = client.get(f"/v1/files/{file_id}")
    whole, path = (before["lineage"].get(name, "") for name in ("archive", "path"))
    job = follow(client, client.request("POST", f"/v1/files/{file_id}/replay"))
    results = client.get(f"/v1/jobs/{job['id']}/results")["data"]
    n = int((whole or file_id).rpartition("-")[2])
    if not results or n >= len(results[0]["files"]):
        why = results[0]["error"] if results else job["error"]
        raise Failure(f"It could not be made again: {why or job['state']}")
    made = results[0]["files"][n]
    if made["sha256"] == before["sha256"]:
        return Verdict(before["name"], same=True)
    place = f"members/{quote(path)}" if whole else "content"
    other = client.send("GET", f"/v1/files/{made['id']}/{place}").content
    if hashlib.sha256(other).hexdigest() == before["sha256"]:
        return Verdict(before["name"], same=True)
    one = client.send("GET", f"/v1/files/{file_id}/content").content
    then, now = (
        client.get(f"/v1/files/{each}")["lineage"].get("libraries", {})
        for each in (whole or file_id, made["id"])
    )
    differing = differences(then, now)
    return Verdict(before["name"], same=False, psnr=likeness(one, other), libraries=differing)


def _said(verdict: Verdict) -> str:
    if verdict.same:
        return f"{verdict.name}: the same bytes"
    if verdict.error:
        return f"{verdict.name}: {verdict.error}"
    versions = ", ".join(
        f"{name} was {then}, is {now}" for name, (then, now) in verdict.libraries.items()
    )
    like = "" if verdict.psnr is None else f", {_decibels(verdict.psnr)}"
    differing = versions or "libraries and processor are as they were"
    return f"{verdict.name}: other bytes{like}; {differing}"


def _decibels(value: float) -> str:
    return "the same pixels" if math.isinf(value) else f"PSNR {value:.1f} dB"


def _told(verdict: Verdict) -> dict[str, Any]:
    known: dict[str, Any] = {"name": verdict.name, "same": verdict.same}
    if verdict.error:
        known["error"] = verdict.error
    if verdict.psnr is not None:
        known["psnr"] = None if math.isinf(verdict.psnr) else round(verdict.psnr, 2)
        known["same_pixels"] = math.isinf(verdict.psnr)
    if verdict.libraries:
        known["libraries"] = {
            name: {"then": then, "now": now} for name, (then, now) in verdict.libraries.items()
        }
    return known
