"""`mediamill export`: put the results of jobs into a folder or a bucket."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click
from anyio.from_thread import start_blocking_portal

from mediamill.adapters.objects.opening import is_bucket, open_objects
from mediamill.cli.remote.archive import Download, Item
from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option
from mediamill.cli.remote.following import TERMINAL, follow
from mediamill.cli.terminal.failures import Failure, Refused, Unreachable
from mediamill.cli.terminal.progress import bar
from mediamill.cli.terminal.tallying import Tally
from mediamill.cli.transfer.buckets import ENDING, Line
from mediamill.cli.transfer.sinks import BucketSink, FolderSink, Sink
from mediamill.core.errors import MediamillError
from mediamill.media.archive.names import Names, safe_name

PARALLEL = 4


@click.command("export")
@click.argument("jobs", nargs=-1, required=True, metavar="JOBS…")
@click.option(
    "-o", "--output", required=True, metavar="PLACE", help="Folder, or s3://BUCKET/FOLDER?…"
)
@click.option("--zip", "as_zip", is_flag=True, help="One zip per job instead of its files.")
@click.option("--wait", is_flag=True, help="Wait until the jobs have ended.")
@click.option("--overwrite", is_flag=True, help="Replace what is there with other content.")
@json_option
@connected
@click.pass_context
def export(ctx: click.Context, /, jobs: tuple[str, ...], **given: Any) -> None:
    """Put all result files of JOBS into a folder or a bucket.

    Names are those of the job's zip: frames in a folder per video, and manifest.jsonl. Of several
    jobs each has a folder of its own. What is there already with the same content is skipped, so
    running it again goes on where it ended.
    """
    client, rows = given["client"], list[dict[str, Any]]()
    for job_id in dict.fromkeys(jobs):
        job = client.get(f"/v1/jobs/{job_id}")
        rows.append(follow(client, job) if given["wait"] else job)
        if rows[-1]["state"] not in TERMINAL:
            message = f"The job {job_id} is {rows[-1]['state']}."
            raise Failure(message, "Pass --wait, or run this again when it has ended.")
    with ExitStack() as stack, bar(in_bytes=True) as progress:
        task = progress.add_task("Exporting", total=None)
        tally = Tally(
            "exported", as_json=given["as_json"], advance=lambda n: progress.advance(task, n)
        )
        place = Place(stack, given["output"])
        for job, name in named(rows):
            folder = "" if len(rows) == 1 or given["as_zip"] else name
            run = Export(client, job, place.sink(folder), tally, overwrite=given["overwrite"])
            if given["as_zip"]:
                run.zip(f"{name}.zip")
            else:
                run.files()
    ctx.exit(tally.sum())


def named(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """Give each job a name of its own for its folder or zip."""
    names = Names()
    return ((job, names.claim(safe_name(job.get("name") or job["id"]))) for job in rows)


class Place:
    """Where the results go."""

    def __init__(self, stack: ExitStack, output: str) -> None:
        self._output = output
        if is_bucket(output):
            self._objects = open_objects(output)
            self._portal = stack.enter_context(start_blocking_portal())

    def sink(self, folder: str) -> Sink:
        """Return what takes the files of a job."""
        if is_bucket(self._output):
            return BucketSink(self._portal, self._objects, folder)
        place = Path(self._output) / folder
        if place.exists() and not place.is_dir():
            raise Failure(f"{place} is a file.", "Name a folder.")
        return FolderSink(place)


class Export:
    """The results of one job on their way."""

    def __init__(
        self, client: Client, job: dict[str, Any], sink: Sink, tally: Tally, *, overwrite: bool
    ) -> None:
        self._sink, self._tally, self._overwrite = sink, tally, overwrite
        self._job, self._download = job, Download(client, job)

    def files(self) -> None:
        """Export every file of the job's download."""
        wanted = [item for item in self._download.items() if self._is_wanted(item)]
        with ThreadPoolExecutor(PARALLEL) as pool:
            line = Line(pool, 2 * PARALLEL, self._settle)
            try:
                for batch in self._batches(wanted):
                    line.put(batch[0].name, partial(self._put, batch))
                line.end()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def zip(self, name: str) -> None:
        """Export the job's download as it is."""
        item = self._download.whole(name)
        if not self._is_wanted(item):
            return
        chunks = self._download.range(self._sink.kept(item), item.size)
        try:
            self._sink.put(item, self._counted(chunks))
        except (Failure, MediamillError) as error:
            if isinstance(error, Unreachable):
                raise
            self._tally.fail(name, error.message)
        else:
            self._tally.bring({"name": name, "size": item.size}, name)

    def _batches(self, wanted: Sequence[Item]) -> Iterator[list[Item]]:
        """Read what an ended command has begun by itself, to go on there."""
        begun = {item.name for item in wanted if self._sink.kept(item)}
        yield from ([item] for item in wanted if item.name in begun)
        yield from self._download.batches([item for item in wanted if item.name not in begun])

    def _is_wanted(self, item: Item) -> bool:
        try:
            state = self._sink.state(item)
        except (Failure, MediamillError) as error:
            self._tally.fail(item.name, error.message)
            return False
        if state == "same":
            self._tally.skip(item.name)
        elif state == "other" and not self._overwrite:
            self._tally.fail(item.name, "is there with other content; --overwrite replaces it")
            return False
        return state != "same"

    def _put(self, batch: Sequence[Item]) -> list[tuple[Item, str]]:
        """Export members that lie together; return each with why it failed, if it did."""
        outcomes = list[tuple[Item, str]]()
        for item, chunks in self._download.read(batch, skip=self._sink.kept(batch[0])):
            passing = self._counted(chunks)
            try:
                self._sink.put(item, passing)
            except (Failure, MediamillError) as error:
                if isinstance(error, Unreachable):
                    raise
                outcomes.append((item, error.message))
            else:
                outcomes.append((item, ""))
            for _ in passing:
                pass  # the next one lies behind it
        return outcomes

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._tally.advance(len(chunk))
            yield chunk

    def _settle(self, name: str, done: "Future[list[tuple[Item, str]]]") -> None:
        error = done.exception()
        ending = isinstance(error, Refused) and error.status in ENDING
        if isinstance(error, Failure) and not ending and not isinstance(error, Unreachable):
            self._tally.fail(name, error.message)
        elif error is not None:
            raise error
        else:
            for item, reason in done.result():
                if reason:
                    self._tally.fail(item.name, reason)
                else:
                    self._tally.bring({"name": item.name, "size": item.size}, item.name)
