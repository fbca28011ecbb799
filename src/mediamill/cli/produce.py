"""`mediamill produce`: send files to a topic, for trying and for tests."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mediamill.cli.terminal.inputs import Input, gather
from mediamill.cli.terminal.progress import bar

if TYPE_CHECKING:
    from mediamill.adapters.stream.port import Outgoing, Publisher
    from mediamill.core.errors import MediamillError

BATCH_FILES, BATCH_BYTES = 200, 32 << 20


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATHS…", type=click.Path(exists=True))
@click.option("--topic", required=True, metavar="TOPIC", help="Where to.")
@click.option("--stream", metavar="URL", help="Which stream [env var: MEDIAMILL_STREAM_URL].")
@click.option(
    "--customer", metavar="NAME", default="", help="For whom, where the topic lets messages say it."
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag for each; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="As JSON envelopes, not as bytes.")
@click.option("--times", type=click.IntRange(1), default=1, help="How often each is sent [1].")
@click.option("--create", is_flag=True, help="Make the topic if it is missing.")
def produce(
    paths: tuple[str, ...],
    *,
    topic: str,
    stream: str | None,
    customer: str,
    tags: tuple[str, ...],
    as_json: bool,
    times: int,
    create: bool,
) -> None:
    """Send files and folders of them to a topic.

    A message each, with the name as its key, for trying and for tests. Each is acknowledged by the
    brokers before the command ends.
    """
    import asyncio

    from mediamill.adapters.stream.opening import open_publisher
    from mediamill.cli.remote.home import load_settings

    publisher = open_publisher(stream or load_settings().stream_url)
    inputs = gather(paths) * times
    said = Said(topic, customer, tags, as_json)
    asyncio.run(_send(publisher, inputs, said, create=create))
    click.echo(f"{len(inputs)} messages sent to {topic}.")


class Said:
    """What is said of each file."""

    def __init__(self, topic: str, customer: str, tags: Sequence[str], as_json: bool) -> None:
        self.topic, self.customer, self.tags, self.as_json = topic, customer, tags, as_json

    def message(self, path: Path) -> "Outgoing":
        """Make the message of a file."""
        import json

        import pybase64

        from mediamill.adapters.stream.port import Outgoing

        key, data = path.name.encode("utf-8", "replace"), path.read_bytes()
        said = {"name": path.name, "customer": self.customer}
        if self.as_json:
            content = pybase64.b64encode(data).decode()
            body = {**said, "tags": list(self.tags), "content_base64": content}
            headers = (("content-type", b"application/json"),)
            return Outgoing(self.topic, json.dumps(body).encode(), key, headers)
        said["tags"] = ",".join(self.tags)
        given = tuple((name, text.encode("utf-8", "replace")) for name, text in said.items())
        return Outgoing(self.topic, data, key, tuple(one for one in given if one[1]))


async def _send(
    publisher: "Publisher", inputs: Sequence[Input], said: Said, *, create: bool
) -> None:
    from mediamill.core.errors import LimitExceeded, NotFound

    with bar(quiet=False) as progress:
        task = progress.add_task("Sending", total=len(inputs), note="")
        try:
            if create:
                await publisher.require([said.topic])
            elif said.topic not in await publisher.identify([said.topic]):
                message = f"There is no topic {said.topic}: make it, or say --create."
                raise NotFound(message)
            sent = 0
            for some in _batches(inputs):
                try:
                    await publisher.publish([said.message(one.path) for one in some])
                except LimitExceeded as error:
                    raise _too_large(error, some, said.topic, sent, len(inputs)) from error
                sent += len(some)
                progress.advance(task, len(some))
        finally:
            await publisher.close()


def _too_large(
    error: "MediamillError", inputs: Sequence[Input], topic: str, before: int, count: int
) -> "MediamillError":
    """Name the file that a topic does not take, and say how many of all are sent."""
    from mediamill.core.errors import LimitExceeded

    refused = error.details.get("refused", range(len(inputs)))
    one, sent = inputs[refused[0]].path, before + len(inputs) - len(refused)
    return LimitExceeded(
        f"{one} ({one.stat().st_size:,} bytes) is too large for {topic}: {error.message} "
        f"{sent} of {count} messages sent: raise the topic's max.message.bytes, or leave it out."
    )


def _batches(inputs: Sequence[Input]) -> Iterator[list[Input]]:
    """Cut the list so that what is sent at a time fits in memory."""
    some: list[Input] = []
    size = 0
    for one in inputs:
        some.append(one)
        size += one.path.stat().st_size
        if len(some) >= BATCH_FILES or size >= BATCH_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
