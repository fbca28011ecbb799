"""`mediamill ingest`: take files in from a stream."""

import click

from mediamill.cli.serve import home_option


@click.command()
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="TOPIC=RULE",
    help="What is taken from a topic and whose it is, such as "
    "images=customer:acme,template:thumbs; repeatable [env var: MEDIAMILL_STREAM_TOPICS].",
)
@home_option
def ingest(*, topics: tuple[str, ...], home: str | None) -> None:
    """Take files in from a stream, such as Kafka.

    It is the one that MEDIAMILL_STREAM_URL names, and goes on until Ctrl-C or SIGTERM. Each message
    becomes one file, however often it is delivered; what cannot be taken goes to the dead-letter
    topic with the reason. Several of these processes share the partitions.
    """
    from mediamill.cli.remote.home import load_settings
    from mediamill.cli.service.server import run_service

    given = {"stream_topics": ";".join(topics)} if topics else {}
    run_service(load_settings(home=home, **given), ingests=True)
