"""Calls of AWS: one client with its connections for each provider, answers read within bounds.

Credentials are found where the AWS SDKs find them. Nothing is repeated by the SDK: the chain has
the budget of repeats.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from aiobotocore.httpsession import AIOHTTPSession
from aiohttp import ClientConnectorError, ClientPayloadError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.faults import (
    away,
    by_status,
    declined,
    harmless,
    invalid,
    limited,
    misconfigured,
    seconds_of,
)
from mediamill.adapters.providers.port import MOST_BYTES
from mediamill.core.aws import REFUSALS, check_endpoint, client, has_region
from mediamill.core.errors import MediamillError
from mediamill.core.plaintext import ALLOWING

OPTIONS = frozenset({"region", "endpoint", ALLOWING})
"""Parameters of addresses of AWS's services."""
CONNECT_SECONDS = 10.0
MOST_CONNECTIONS = 10_000
"""Of a client: how many calls there are at a time is the gate's, and may be changed meanwhile."""
LIMITED = frozenset({
    "LimitExceededException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
    "ServiceQuotaExceededException", "SlowDown", "Throttling", "ThrottlingException",
    "TooManyRequestsException",
})  # fmt: skip
PASSING = frozenset({
    "InternalDependencyException", "InternalFailure", "InternalServerError",
    "InternalServerException", "ModelErrorException", "ModelNotReadyException",
    "InternalFailureException", "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable",
    "ServiceUnavailableException",
})  # fmt: skip
UNKNOWN_END = frozenset({"ModelTimeoutException"})
"""The model worked at it for too long: nobody says whether that was paid for."""
MISCONFIGURED = REFUSALS | {
    "IncompleteSignature", "InvalidAction", "InvalidEndpointException",
    "MissingAuthenticationToken", "OptInRequired", "ResourceNotFoundException",
    "UnknownOperationException",
}  # fmt: skip
ABOUT_THE_MODEL = (
    "model identifier", "on-demand throughput", "inference profile", "is not supported in",
    "endpoint", "model access", "end of its life", "variant",
)  # fmt: skip
"""What a `ValidationException` says that is about how the provider is set up."""


T = TypeVar("T")


class TooLongError(Exception):
    """An answer has more bytes than are read."""


class Bounded(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore has no types
    """Reads answers as far as they may go, where aiobotocore would read to the end."""

    async def send(self, request: Any) -> Any:
        streamed = request.stream_output
        request.stream_output = True
        response = await super().send(request)
        if streamed and response.status_code < 300:
            return response
        try:
            response._content = await drained(response.raw.content)
        except TooLongError:
            raise
        except Exception as error:
            raise ConnectionClosedError(error=error, endpoint_url=request.url) from error
        finally:
            response.raw.close() if response._content is None else response.raw.release()
        return response


async def drained(stream: Any) -> bytes:
    """Read aiohttp's stream to its end; raises `TooLongError`."""
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise TooLongError
    return bytes(body)


async def called(call: Awaitable[T]) -> T:
    """Await an SDK's call; raises `ResponseParserError` also where its parser merely stumbles."""
    try:
        return await call
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, BotoCoreError):
            raise
        raise ResponseParserError(type(error).__name__) from None


class Cloud:
    """A client of one AWS service, made when it is first needed."""

    def __init__(
        self,
        configured: Configured,
        address: Address,
        service: str,
        endpoint: str = "endpoint",
        **config: Any,
    ) -> None:
        """Raise `ValueError` for what cannot be used.

        `endpoint` is the parameter that says where the service is, `config` more of the client's.
        """
        self.name = configured.name
        self._service = service
        self._region = address.options.get("region")
        self._endpoint, self._config = address.options.get(endpoint), config
        if self._endpoint:
            check_endpoint(self._endpoint, address.options.get(ALLOWING))
        if not has_region(self._region):
            raise ValueError("say its region=…, or set AWS_DEFAULT_REGION")
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def client(self) -> Any:
        """Return the client; raises botocore's errors."""
        async with self._opening:
            if self._client is None:
                self._client = await self._stack.enter_async_context(
                    client(
                        self._service,
                        region=self._region,
                        endpoint=self._endpoint,
                        connect_timeout=CONNECT_SECONDS,
                        read_timeout=3600,  # the deadline ends it
                        retries={"total_max_attempts": 1},
                        max_pool_connections=MOST_CONNECTIONS,
                        http_session_cls=Bounded,
                        **self._config,
                    )
                )
        return self._client

    async def close(self) -> None:
        """Close its connections."""
        self._client = None
        await self._stack.aclose()


@contextmanager
def told(name: str) -> Iterator[None]:
    """Raise what the SDK raises as errors of the port, without names of accounts and roles."""
    try:
        yield
    except ClientError as error:
        raise meant(name, error.response) from None
    except ClientPayloadError:  # of a body that is read here
        raise away(name, "broke off its answer", lost=True) from None
    except (BotoCoreError, TooLongError, ResponseParserError) as error:
        if _too_long(error):
            raise invalid(name, f"answers more than {MOST_BYTES:,} bytes") from None
        raise failed(name, error) from None


def failed(name: str, error: Exception) -> MediamillError:
    """Return what it means that there is no answer, or none that the SDK can read."""
    kind = type(error).__name__
    found: tuple[tuple[type[Exception] | tuple[type[Exception], ...], MediamillError], ...] = (
        (
            NoCredentialsError,
            misconfigured(name, "cannot be asked: no credentials of AWS are here"),
        ),
        (ParamValidationError, declined(name, "takes no such question: it does not fit its API")),
        (ConnectTimeoutError, away(name, "cannot be reached")),
        (EndpointConnectionError, _unreached(name, error)),
        (ResponseParserError, invalid(name, "answers what its protocol does not say")),
        ((HTTPClientError, ResponseStreamingError), away(name, f"broke off: {kind}", lost=True)),
    )
    other = misconfigured(name, f"cannot be asked: {kind}")
    return next((meaning for kinds, meaning in found if isinstance(error, kinds)), other)


def _unreached(name: str, error: Exception) -> MediamillError:
    """Tell what was never connected from what broke off: the SDK raises the same of both."""
    if isinstance(error.__context__, ClientConnectorError):
        return away(name, "cannot be reached")
    return away(name, "broke off the connection", lost=True)


def meant(name: str, response: Any) -> MediamillError:
    """Return the error that an error answer of AWS's means."""
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, said = str(error.get("Code", "")), str(error.get("Message", ""))
    told = f"answers {code}" if code in REFUSALS else f"answers {code}: {harmless(said)}"
    status = int(meta.get("HTTPStatusCode", 500))
    after = seconds_of(meta.get("HTTPHeaders", {}).get("retry-after"))
    about_the_model = status < 500 and any(words in said.lower() for words in ABOUT_THE_MODEL)
    if code == "ModelError":  # of a container behind SageMaker
        container = int(response.get("OriginalStatusCode", 500))
        return by_status(name, container, str(response.get("OriginalMessage", "")))
    if code in LIMITED:
        return limited(name, after, told)
    if code in PASSING | UNKNOWN_END:
        return away(name, told, lost=code in UNKNOWN_END)
    if code in MISCONFIGURED or about_the_model:
        return misconfigured(name, told)
    if code.isdigit() or status >= 500 or not code:
        return by_status(name, status, said, after)
    return declined(name, told) if status in (400, 413, 422) else misconfigured(name, told)


def _too_long(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, TooLongError):
            return True
        error = error.__cause__ or error.__context__
    return False
