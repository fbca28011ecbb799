"""`mediamill up`, `api` and `worker`: the processes of the service."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False),
    help="Folder of all state [env var: MEDIAMILL_HOME].",
)


def _listening(command: C) -> C:
    """Give a command the options of a process that listens."""
    for option in (
        click.option(
            "--self-signed",
            is_flag=True,
            help="Serve HTTPS with a certificate that is made here and kept in MEDIAMILL_HOME; "
            "browsers ask once whether to trust it.",
        ),
        click.option(
            "--allow-plain-http",
            is_flag=True,
            help="Listen beyond this machine without TLS, where everybody on the way can read "
            "passwords and files.",
        ),
        home_option,
        click.option("--host", help="Address to listen on [env var: MEDIAMILL_HOST]."),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            help="Port to listen on; 0 picks a free one [env var: MEDIAMILL_PORT].",
        ),
    ):
        command = option(command)
    return command


@click.command()
@_listening
def up(*, allow_plain_http: bool, self_signed: bool, **given: Any) -> None:
    """Start the service: API, pages and worker in one process.

    Takes files from the stream too where MEDIAMILL_STREAM_TOPICS says what from where.

    Prints the address and a link that signs in once. Ctrl-C or SIGTERM finishes what is in
    progress within 30 seconds; what is not finished then is taken up at the next start.
    """
    run_service = _service()
    settings = _listened(self_signed, given)
    ingests = bool(settings.stream_topics)
    run_service(
        settings, listens=True, works=True, ingests=ingests, plain=allow_plain_http, stays=True
    )


@click.command()
@_listening
def api(*, allow_plain_http: bool, self_signed: bool, **given: Any) -> None:
    """Start the API and the pages only; jobs wait for a worker elsewhere."""
    run_service = _service()
    settings = _listened(self_signed, given)
    run_service(settings, listens=True, works=False, plain=allow_plain_http)


@click.command()
@home_option
@click.option(
    "--stay",
    is_flag=True,
    help="Wait once it is drained, instead of ending: for supervisors that "
    "start again whatever ends.",
)
def worker(*, home: str | None, stay: bool) -> None:
    """Start a worker only: it takes jobs from the same store as the API.

    `mediamill admin workers drain` has it finish what it has, take nothing new, and end.
    """
    run_service = _service()
    run_service(_settings(home=home), listens=False, works=True, stays=stay)


def _service() -> Any:
    """Import `run_service` and all that the service consists of."""
    from mediamill.core.lasting import lasting

    with lasting():
        from mediamill.cli.service.server import run_service

    return run_service


def _listened(own: bool, given: dict[str, Any]) -> Any:
    """Return the settings of a process that listens, with a certificate of its own if asked for."""
    settings = _settings(**given)
    if not own:
        return settings
    from mediamill.cli.service.certifying import self_signed

    return self_signed(settings)


def _settings(**given: Any) -> Any:
    from mediamill.cli.remote.home import read_all_settings

    return read_all_settings(**given)
