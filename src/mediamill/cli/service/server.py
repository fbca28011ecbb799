"""Run the service in this process until a signal, then drain."""

import asyncio
import contextlib
import ctypes
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import click
import structlog
import uvicorn
import uvloop

from mediamill import __version__
from mediamill.app import App
from mediamill.cli.service.alone import metrics_listener, telling, watched
from mediamill.cli.service.binding import address_of, bind, refuse_plain_http
from mediamill.cli.service.certifying import served
from mediamill.cli.service.welcome import welcome
from mediamill.core.lasting import lasting
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

DRAIN_SECONDS = 30
REQUEST_SECONDS = 25
"""How long requests in progress may take once a signal came; less than the whole drain."""
IDLE_SECONDS = 5
PROXIED_IDLE_SECONDS = 150
"""More than the load balancer of `infra/aws` (90), Caddy (120), nginx and CloudFront (60) wait."""
LATE_SECONDS = 0.2
"""How often streams are looked for that began when the server was stopping already."""

log = structlog.get_logger(__name__)


def run_service(
    settings: Settings,
    *,
    listens: bool = False,
    works: bool = False,
    ingests: bool = False,
    plain: bool = False,
    stays: bool = False,
) -> None:
    """Serve, work and/or ingest until SIGTERM or SIGINT; raises `Failure` if it cannot start.

    A worker that is drained ends, unless it stays.
    """
    configure_logging(settings.log_format, settings.log_level)
    _share_heaps()
    if listens:
        refuse_plain_http(settings, allowed=plain)
        served(settings)
        _warn_of_own_secret(settings)
    _warn_of_own_keyring(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_run(settings, listens=listens, works=works, ingests=ingests, stays=stays))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


def _share_heaps() -> None:
    """Have threads share two of glibc's heaps (`mallopt`, M_ARENA_MAX): each keeps what it freed.

    With a heap per thread 2,500 images took 163 MB instead of 147. Other C libraries have none.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(-8, 2)


def _warn_of_own_secret(settings: Settings) -> None:
    """Say that other servers would refuse the links that this one signs."""
    if settings.several and not settings.secret.get_secret_value():
        log.warning(
            "links are signed with a key of this machine: set MEDIAMILL_SECRET to the same text "
            "on all servers, or other servers refuse them",
            action="own_secret",
        )


def _warn_of_own_keyring(settings: Settings) -> None:
    """Say that other servers would not open what this one seals."""
    if settings.several and settings.own_keyring:
        log.warning(
            "secrets are sealed with keys of this machine: name the same keys on all servers in "
            "MEDIAMILL_SEALING_URL, or what one seals no other one opens; see "
            "docs/how-to/secrets.md",
            action="own_keyring",
        )


async def _run(
    settings: Settings, *, listens: bool, works: bool, ingests: bool, stays: bool
) -> None:
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        sockets: list[socket.socket] = []
        if listens:
            sockets = [stack.enter_context(bind(settings.host, settings.port))]
            settings = address_of(settings, sockets[0])
        app = await stack.enter_async_context(await App.open(settings))
        if not listens and settings.metrics_port:
            listener = stack.enter_context(metrics_listener(settings))
            await stack.enter_async_context(watched(app, listener))
        _on_signals(stop)
        ingest = app.ingest() if ingests else None
        told = {"api": listens, "worker": works, "ingest": ingests}
        log.info("started", action="started", version=__version__, **told)
        if settings.metrics_log:
            await stack.enter_async_context(telling(app, whole=listens))
        parts: list[Coroutine[Any, Any, None]] = []
        if works:
            parts.append(_work(app, stop, stays=stays))
        if ingest is not None:
            parts.append(ingest.run(stop))
        if listens:
            parts.append(_serve(app, sockets, stop))
        await _together(parts, stop)
    log.info("stopped", action="stopped")


def _on_signals(stop: asyncio.Event) -> None:
    """Drain at the first signal, end at once at the second."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()

    def received(number: signal.Signals) -> None:
        if stop.is_set() and main is not None:
            log.warning("ending at once", action="forced_stop", signal=number.name)
            main.cancel()
            return
        log.info("draining", action="draining", signal=number.name, seconds=DRAIN_SECONDS)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)


async def _together(parts: list[Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
    """Run the parts until all have ended; one that fails stops the others and is raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.wait(tasks, timeout=DRAIN_SECONDS + 2)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome


async def _work(app: App, stop: asyncio.Event, *, stays: bool) -> None:
    worker = await app.worker(stays=stays)
    running = asyncio.ensure_future(worker.run())
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        worker.stop()
        await running
    finally:
        stopping.cancel()
        running.cancel()


class Server(uvicorn.Server):
    """A server that says where it is once it answers; signals are somebody else's business."""

    def __init__(self, config: uvicorn.Config, greet: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._greet = greet

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self._greet()


async def warm_up(app: App, web: "FastAPI") -> None:
    """Do what the first requests would wait for: routes are built when they are first looked at."""
    nowhere = {"type": "http", "method": "GET", "path": "/v1/-/-", "root_path": "", "headers": []}
    for route in web.routes:
        route.matches(nowhere)
        await asyncio.sleep(0)
    await app.previews.warm()


def idle_seconds(settings: Settings) -> int:
    """Return how long a connection may be idle: longer than proxies keep theirs, if there are any.

    A proxy that is the last to let go asks by connections that are being closed, and tells people
    of 502.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
    """
    return PROXIED_IDLE_SECONDS if settings.trusted_proxies else IDLE_SECONDS


async def _serve(app: App, sockets: list[socket.socket], stop: asyncio.Event) -> None:
    with lasting():
        from mediamill.web.app import create_app
        from mediamill.web.connections import Connection

        web = create_app(app)
    certificate = served(app.settings)
    config = uvicorn.Config(
        web,
        ssl_certfile=certificate.certificate if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # web/proxies.py reads them, from proxies that are trusted
        http=Connection,
        ws="none",
        timeout_keep_alive=idle_seconds(app.settings),
        timeout_graceful_shutdown=REQUEST_SECONDS,
    )

    words = await welcome(app)  # before anybody can connect: it settles who is administrator

    async def greet() -> None:
        click.echo(words)

    server = Server(config, greet)
    serving = asyncio.ensure_future(server.serve(sockets=sockets))
    stopping = asyncio.ensure_future(stop.wait())
    beside = [asyncio.ensure_future(warm_up(app, web))]
    config.load()
    if certificate and config.ssl:
        beside.append(asyncio.ensure_future(certificate.renewed(config.ssl)))
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        while not serving.done():  # streams of events have no end of their own; some come late
            await app.watching.close()
            await asyncio.wait({serving}, timeout=LATE_SECONDS)
        await serving
    finally:
        for task in beside:
            task.cancel()
        stopping.cancel()
        server.force_exit = True
        serving.cancel()
