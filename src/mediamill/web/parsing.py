"""What requests may hold: strict JSON, ids, cursors.

Python's own JSON parser takes NaN, lone surrogates and any depth, which then break whatever comes
after it; this one refuses them, and NUL, which no name or text needs and PostgreSQL cannot store.
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import HTTPException, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import from_json

from mediamill.core.errors import InvalidInput
from mediamill.web.idempotency import answer_once, takes_keys
from mediamill.web.limits import refuse_too_many

PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong, as RFC 9457 describes it.",
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
}
"""The one error answer of every route; `web/openapi.py` adds the schema it refers to."""


def _id(prefix: str) -> Any:
    pattern = rf"^{prefix}_[0-9A-Za-z-]{{1,64}}$"
    return Path(pattern=pattern, examples=[f"{prefix}_01KAHRQPV0V3E3M2X5E2C8T2QG"])


FileId = Annotated[str, _id("file")]
JobId = Annotated[str, _id("job")]
FeedbackId = Annotated[str, _id("feedback")]
InvitationId = Annotated[str, _id("invite")]
IdentityId = Annotated[str, _id("identity")]
TokenId = Annotated[str, _id("token")]
UploadId = Annotated[str, _id("upload")]
ProjectId = Annotated[str, _id("proj")]
TaskId = Annotated[str, _id("task")]
UserId = Annotated[str, _id("user")]
VersionNumber = Annotated[int, Path(ge=0, le=1_000_000_000, examples=[1])]
Limit = Annotated[int, Query(ge=1, le=100, description="Most rows of a page.")]
After = Annotated[
    str | None, Query(max_length=500, description="Cursor: `after` of the page before.")
]


@contextmanager
def cursor(after: str | None) -> Iterator[None]:
    """Turn the store's refusal of a cursor into `InvalidInput` about the field it came in."""
    try:
        yield
    except ValueError:
        if after is None:
            raise
        raise InvalidInput.at("after", "This is not a cursor of this list.") from None


class Body(BaseModel):
    """A request's body; a field that does not exist is refused, so typing errors show."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def shown(**body: JsonValue) -> ConfigDict:
    """Give a body an example that is taken as it stands, for the description of the API."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        """Return the body's value; raises as `strict_json` does."""
        return strict_json(await self.body())


def strict_json(body: bytes) -> Any:
    """Return a JSON text's value; raises `HTTPException` 400 or 413 saying what is wrong."""
    refuse_too_many(body)
    try:
        value = from_json(body, allow_inf_nan=False, cache_strings=False)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "nested too deeply"
        raise HTTPException(400, f"The body is not JSON that we read: {reason}.") from None
    # one letter is found at once, several in 6 ms of a file's 14 MB
    if b"\\" in body and b"\\u0000" in body and _has_nul(value):
        raise HTTPException(400, "The body holds a NUL character.")
    return value


class StrictRoute(APIRoute):
    """A route that reads its body strictly, and does once what carries an `Idempotency-Key`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        keyed = takes_keys(self)

        async def strictly(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            return await (answer_once(strict, self, handler) if keyed else handler(strict))

        return strictly


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_nul, value))
