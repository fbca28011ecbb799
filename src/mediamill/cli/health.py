"""`mediamill health`: ask the process on this machine how it is, as a container's engine does."""

import http.client
import json
import ssl
from collections.abc import Iterator

import click

from mediamill.cli.remote.home import load_settings
from mediamill.cli.terminal.failures import SOME_FAILED, Unreachable
from mediamill.core.settings import Settings

SECONDS = 6
"""The service answers within five, whatever hangs behind it; engines wait for ten."""
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not bound
"""Where this machine reaches what listens everywhere."""


@click.command()
@click.option("--live", is_flag=True, help="Ask only whether it answers, not whether it can work.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Ask at this port alone; default: MEDIAMILL_PORT, then MEDIAMILL_METRICS_PORT.",
)
@click.pass_context
def health(ctx: click.Context, *, live: bool, port: int | None) -> None:
    """Ask the process on this machine whether it can work.

    That of the API, or else a worker or ingest by itself, which answers where it has a
    MEDIAMILL_METRICS_PORT. The exit code is 1 when it says no, and 4 when nobody answers: for the
    health check of a container.
    """
    settings = load_settings()
    path = "/health/live" if live else "/health/ready"
    places = [*_places(settings)] if port is None else [(_reached(settings.host), port)]
    for host, number in places:
        answer = _asked(host, number, path)
        if answer is not None:
            status, told = answer
            click.echo(told)
            ctx.exit(0 if status == http.client.OK else SOME_FAILED)
    asked = " and ".join(f"{host}:{number}" for host, number in places)
    raise Unreachable(f"Nobody answers at {asked}.", "Start it, or name its --port.")


def _places(settings: Settings) -> Iterator[tuple[str, int]]:
    if settings.port:
        yield _reached(settings.host), settings.port
    if settings.metrics_port:
        yield _reached(settings.metrics_host), settings.metrics_port


def _reached(host: str) -> str:
    return LOOPBACK.get(host, host)


def _asked(host: str, port: int, path: str) -> tuple[int, str] | None:
    """Return the status and what was told; None when nobody speaks HTTP there, nor HTTPS."""
    for connection in (
        http.client.HTTPConnection(host, port, timeout=SECONDS),
        http.client.HTTPSConnection(host, port, timeout=SECONDS, context=_whoever()),
    ):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, _line(answer.read(100_000))
        except TimeoutError:  # it listens, and hangs: by HTTPS, too
            return None
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return None


def _whoever() -> ssl.SSLContext:
    """Return a context that takes any certificate: of this machine itself, which is told nothing.

    The certificate is good for the public name, which may lead elsewhere.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _line(body: bytes) -> str:
    """Return an answer as one line."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        return body.decode(errors="replace").strip()
