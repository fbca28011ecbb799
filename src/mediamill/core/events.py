"""Events: what is told to others when something has happened here, as a snapshot of that moment.

`{"id", "type", "timestamp", "data"}`, the shape of Standard Webhooks with an id. The same body goes
to every channel. The id is made of the fact, so who is told twice sees the same one, and it begins
with the fact's time, so ids sort as the facts came. Links are paths in here, and are put under the
service's public address as they go out.
"""

import hashlib
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from mediamill.core.ids import encode

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Number = Annotated[int, Field(ge=0)]
Dollars = Annotated[float, Field(ge=0)]
Links = Annotated[
    dict[str, Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]],
    Field(description="Under the service's public address; paths where none is set."),
]


class Part(BaseModel):
    """Something that is only ever written."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ItemCounts(Part):
    """Items of the job's last stage by what became of them."""

    succeeded: Number
    failed: Number
    cancelled: Number
    reused: Number


class JobData(Part):
    """A job at that moment."""

    id: str
    name: str
    state: str = Field(description="`expanding`, `running`, or the end that it came to.")
    klass: str = Field(alias="class")
    generation: Number = Field(description="Grows when failed items are run again.")
    items: Number
    counts: ItemCounts
    steps: list[str] = Field(description="Names of the operations, in order.")
    project: str | None = Field(description="The project whose files it was given.")
    error: str | None
    created_at: Moment
    finished_at: Moment | None
    links: Links


class Reason(Part):
    """Why a file was rejected."""

    code: str
    message: str


class FileData(Part):
    """A file at that moment."""

    id: str
    name: str
    media_type: str
    size: Number = Field(description="Bytes.")
    sha256: str = Field(description="Hexadecimal; empty where it is not known.")
    source: str = Field(description="`upload`, `import` or `stream`.")
    tags: list[str]
    problem: Reason | None
    created_at: Moment
    links: Links


class BudgetData(Part):
    """A month's budget for model calls at that moment; amounts are US dollars."""

    id: str = Field(description="Id of the user whose it is, or `everybody`.")
    month: str = Field(description="`2026-11`, UTC.")
    monthly: Dollars = Field(description="The budget.")
    spent: Dollars
    percent: Number = Field(description="The part that is passed: 80 or 100.")
    wanted: Dollars | None = Field(
        description="What a call may have cost for which not enough was left, if one was refused."
    )
    links: Links


class WebhookData(Part):
    """The webhook that is tried."""

    id: str


class Event(Part):
    """What all events have."""

    id: str = Field(pattern=r"^evt_[0-9A-HJKMNP-TV-Z]{26}$")
    timestamp: Moment = Field(description="When it happened.")

    about: ClassVar[dict[str, str]]
    """Each type with what has happened."""


class JobEvent(Event):
    """Something has happened to a job."""

    type: Literal["job.accepted", "job.succeeded", "job.partial", "job.failed", "job.cancelled"]
    data: JobData

    about = {
        "job.accepted": "A job was submitted, or runs again what failed, as its next generation.",
        "job.succeeded": "A job has ended, and all its items were done.",
        "job.partial": "A job has ended, and some of its items failed.",
        "job.failed": "A job has ended, and nothing came of it, or no download.",
        "job.cancelled": "A job was cancelled, and has stopped.",
    }


class FileEvent(Event):
    """Something has happened to a file."""

    type: Literal["file.created", "file.rejected", "file.deleted", "file.restored", "file.purged"]
    data: FileData

    about = {
        "file.created": "A file is ready, whatever way it came in.",
        "file.rejected": "A file that came in the background was not taken.",
        "file.deleted": "A file was deleted; it can be brought back for a day, unless at once.",
        "file.restored": "A deleted file was brought back.",
        "file.purged": "A deleted or rejected file is gone for good, bytes and all.",
    }


class BudgetEvent(Event):
    """So much of a month's budget for model calls is spent; each is told once a month."""

    type: Literal["budget.near", "budget.reached"]
    data: BudgetData

    about = {
        "budget.near": "80 % of a month's budget for model calls is spent.",
        "budget.reached": "A month's budget for model calls is spent, or too little of it is left "
        "for a call.",
    }


class WebhookEvent(Event):
    """Somebody tries a webhook; no other channel has it."""

    type: Literal["webhook.test"]
    data: WebhookData

    about = {"webhook.test": "Its owner asked for a delivery to try it."}


MODELS: tuple[type[Event], ...] = (JobEvent, FileEvent, BudgetEvent, WebhookEvent)
TYPES: dict[str, str] = {name: text for model in MODELS for name, text in model.about.items()}
"""Every type with what has happened."""
CHOSEN = tuple(name for name in TYPES if name != "webhook.test")
"""What webhooks can ask for."""
MAX_BYTES = 256 * 1024
"""The most bytes of an event: what SNS and SQS take in one message."""

Snapshot = dict[str, Any]
"""An event as JSON has it."""

_ANY: TypeAdapter[Any] = TypeAdapter(
    Annotated[JobEvent | FileEvent | BudgetEvent | WebhookEvent, Field(discriminator="type")]
)


def event_id(at: int, *fact: str | int) -> str:
    """Make the id of a fact that happened at a time (ms): the same for the same fact."""
    digest = hashlib.sha256("\0".join(map(str, fact)).encode()).digest()
    return f"evt_{encode(at << 80 | int.from_bytes(digest[:10], 'big'))}"


def checked(event: Snapshot) -> Snapshot:
    """Return an event as its model has it; raises `ValidationError` for what is none."""
    told: Snapshot = _ANY.validate_python(event).model_dump(mode="json", by_alias=True)
    return {name: told[name] for name in ("id", "type", "timestamp", "data")}


def under(event: Snapshot, public: str) -> Snapshot:
    """Return an event with its links under the service's public address."""
    data = event["data"]
    if not public or "links" not in data:
        return event
    links = {name: f"{public.rstrip('/')}{path}" for name, path in data["links"].items()}
    return {**event, "data": {**data, "links": links}}


def matches(type_: str, pattern: str) -> bool:
    """Tell whether a type is meant by `*`, `job.*` or its own name."""
    noun, _, rest = pattern.partition(".")
    return pattern in ("*", type_) or (rest == "*" and type_.startswith(f"{noun}."))


def schema() -> dict[str, Any]:
    """Describe every event as JSON Schema 2020-12."""
    made = _ANY.json_schema(mode="serialization")
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Event"}
    return {**about, **made}
