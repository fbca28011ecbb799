"""What all resources share: calls written once as flows, that block or are awaited.

`Files[Blocking].get` returns the file, `Files[Awaiting].get` a coroutine of it: type checkers see
which, from the client that the resource belongs to.
"""

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload
from uuid import uuid4

from mediamill.client.calling import Flow, Give, Request, Response, Route, Rows
from mediamill.client.driving import Awaiting, Blocking
from mediamill.client.paging import listing
from mediamill.client.retrying import Retries, sending
from mediamill.client.shipping import Port

D = TypeVar("D", Blocking, Awaiting)
P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Calls:
    """Makes the flows of requests to one server."""

    server: str
    retries: Retries
    port: Port
    state: Path | None = None
    """A folder in which unfinished uploads are remembered; None for none."""
    notice: Callable[[str], None] = field(default=lambda _: None)
    user: str = ""
    """Tells users of this machine apart; no secret."""

    def send(self, route: Route, request: Request) -> Flow[Response]:
        """Send a request; a POST that may be done once only gets a key of its own."""
        if route.keyed and not request.keyed:
            request = request.having(Idempotency_Key=uuid4().hex)
        return sending(request, self.retries)

    def one(
        self,
        route: Route,
        *,
        json: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **place: object,
    ) -> Flow[Any]:
        """Return the JSON of an answer, None where it has no body."""
        path = route.at(**place)
        request = Request(route.method, path, query or {}, headers or {}, json)
        return (yield from self.send(route, request)).json()

    def at(self, place: str, query: dict[str, Any] | None = None) -> Flow[Any]:
        """Return the JSON of what is at an address that the server gave."""
        return (yield from sending(Request("GET", place, query or {}), self.retries)).json()

    def rows(self, route: Route, query: dict[str, Any] | None = None, **place: object) -> Rows[Any]:
        """Give the rows of a list."""
        return listing(route.at(**place), query or {}, self.retries)

    @staticmethod
    def unpaged(asked: Flow[Any]) -> Rows[Any]:
        """Give the rows of a list that comes whole."""
        for row in (yield from asked)["data"]:
            yield Give(row)


class Resource(Generic[D]):
    """One noun of a server."""

    def __init__(self, calls: Calls, drive: D) -> None:
        self.calls = calls
        self._drive: D = drive


class operation(Generic[P, T]):  # noqa: N801 - reads as the decorator that it is
    """Makes a method that returns a flow into one that does it."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, instance: Resource[Blocking], owner: object = None) -> Callable[P, T]: ...
    @overload
    def __get__(
        self, instance: Resource[Awaiting], owner: object = None
    ) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, instance: None, owner: object = None) -> "operation[P, T]": ...

    def __get__(self, instance: Any, owner: object = None) -> Any:
        if instance is None:
            return self

        @functools.wraps(self.flow)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance._drive.run(self.flow(instance, *args, **kwargs))

        return call


class sequence(Generic[P, T]):  # noqa: N801 - reads as the decorator that it is
    """Makes a method that returns a flow of rows into an iterator, or an asynchronous one."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Rows[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(
        self, instance: Resource[Blocking], owner: object = None
    ) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(
        self, instance: Resource[Awaiting], owner: object = None
    ) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, instance: None, owner: object = None) -> "sequence[P, T]": ...

    def __get__(self, instance: Any, owner: object = None) -> Any:
        if instance is None:
            return self

        @functools.wraps(self.flow)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance._drive.iterate(self.flow(instance, *args, **kwargs))

        return call


def maybe(rows: Sequence[T] | None) -> list[T] | None:
    """Return rows as a list, None where there are none given."""
    return None if rows is None else [*rows]


def only(**given: Any) -> dict[str, Any]:
    """Return what was given, without what is None."""
    return {name: value for name, value in given.items() if value is not None}
