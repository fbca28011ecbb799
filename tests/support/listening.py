"""Servers and connections on 127.0.0.1 that leave nothing behind: each ends before its block does.

A transport that outlives its loop is told of by whichever test comes to collect it.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

FLUSHED_WITHIN = 10.0
"""Seconds that the other end has to take what is left for it."""


@asynccontextmanager
async def listening(
    serve: Serve, host: str = "127.0.0.1", port: int = 0, **given: object
) -> AsyncIterator[int]:
    """Serve connections for the length of the block, and give the port; then cut what is left."""
    ways = set[asyncio.Task[None]]()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        ways.add(way)
        try:
            with suppress(asyncio.CancelledError):  # cut, by who listens or by who serves
                async with _ending(writer):
                    await serve(reader, writer)
        finally:
            ways.discard(way)

    server = await asyncio.start_server(take, host, port, **given)  # type: ignore[arg-type]  # as given
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0)  # who was let in just now has begun
        left = [*ways]
        for way in left:
            way.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def connected(port: int, host: str = "127.0.0.1", **given: object) -> AsyncIterator[Ends]:
    """Connect for the length of the block; raises `OSError`."""
    reader, writer = await asyncio.open_connection(host, port, **given)  # type: ignore[arg-type]  # as given
    async with _ending(writer):
        yield reader, writer


@asynccontextmanager
async def _ending(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection after the block; where that failed, without waiting for who reads."""
    try:
        yield
        writer.close()
        with suppress(OSError):
            await asyncio.wait_for(writer.wait_closed(), FLUSHED_WITHIN)
    finally:
        writer.transport.abort()


async def either(*ways: Coroutine[object, object, None]) -> None:
    """Wait for whichever ends first, and end the others."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def beside(block: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Run an asynchronous block in a thread, beside a test that is not asynchronous."""
    ready, found = threading.Event(), list[T]()
    loop, over = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        try:
            async with block as made:
                found.append(made)
                ready.set()
                await over.wait()
        finally:
            ready.set()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))  # what was cut has said that it is lost
        loop.close()
