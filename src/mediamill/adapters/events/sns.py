"""Events to a topic of SNS: `sns://topic?region=…&endpoint=…&create=true`, or `sns://arn:aws:…`.

A message's body is the event; its attributes `type` and `owner` are what filter policies choose by.
In a FIFO topic (`….fifo`) the messages about the same job or file are a group, and the event's id
says which are the same.

Needs `sns:Publish` on the topic; for `mediamill doctor` `sns:GetTopicAttributes`; with a name
instead of an ARN `sns:ListTopics`, or with `create=true` `sns:CreateTopic`. Credentials are found
where the AWS SDKs find them.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from mediamill.core.aws import REFUSALS, check_endpoint, client, has_region
from mediamill.core.errors import ConfigurationError, InvalidInput, Unavailable
from mediamill.core.events import MAX_BYTES, Snapshot
from mediamill.core.plaintext import ALLOWING

SETTING = "MEDIAMILL_EVENTS_URL"
FORM = "write sns://topic?region=…, or sns://arn:aws:sns:…"
NAME = re.compile(r"[A-Za-z0-9_-]{1,251}(\.fifo)?")
ARN = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:([A-Za-z0-9_.-]+)")
KNOWN = frozenset({"region", "endpoint", "create", ALLOWING})
FINAL = frozenset({"InvalidParameter", "InvalidParameterValue", "ValidationError"})
"""Codes that say that something in the request will never be taken."""
ABOUT_IT = re.compile(r"\bmessage(attributes?)?\b", re.IGNORECASE)
ABOUT_THE_TOPIC = re.compile(r"topic", re.IGNORECASE)
"""What is wrong with the topic or with how it is named an operator mends."""
CONNECT_SECONDS, ANSWER_SECONDS = 5, 10


@dataclass(frozen=True)
class Topic:
    """What the URL says."""

    name: str
    arn: str
    region: str | None
    endpoint: str | None
    create: bool

    @property
    def ordered(self) -> bool:
        """Whether it is a FIFO topic."""
        return self.name.endswith(".fifo")

    @classmethod
    def of(cls, url: str) -> "Topic":
        """Read a URL; raises `ValueError`."""
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        given = dict(pairs)
        if (unknown := given.keys() - KNOWN) or len(pairs) != len(given):
            names = ", ".join(sorted(unknown)) or "one is given twice"
            raise ValueError(f"parameters: {names}; known: {', '.join(sorted(KNOWN))}")
        arn = ARN.fullmatch(parts.netloc)
        name = arn[2] if arn else parts.netloc
        if not NAME.fullmatch(name) or parts.path.strip("/") or parts.fragment:
            raise ValueError(f"{FORM}; a topic's name is letters, digits, _ and -")
        if (create := given.get("create", "false")) not in ("true", "false"):
            raise ValueError("create is true or false")
        if endpoint := given.get("endpoint"):
            check_endpoint(endpoint, given.get(ALLOWING))
        region = given.get("region") or (arn[1] if arn else None)
        return cls(name, parts.netloc if arn else "", region, endpoint, create == "true")


class SnsEvents:
    takes = True

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._client: Any = None
        self._arn = topic.arn

    @classmethod
    def open(cls, url: str) -> "SnsEvents":
        """Make it; raises `ConfigurationError`."""
        try:
            topic = Topic.of(url)
            if not has_region(topic.region):
                raise ValueError(f"{FORM}, or set AWS_DEFAULT_REGION")
        except ValueError as error:
            raise ConfigurationError(f"{SETTING}: {error}.", setting=SETTING) from None
        return cls(topic)

    async def publish(self, event: Snapshot, owner: str) -> None:
        """Send one message."""
        body = msgspec.json.encode(event).decode()
        if len(body.encode()) > MAX_BYTES:
            raise InvalidInput(f"An event of {len(body):,} bytes is more than SNS takes.")
        attributes = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (("type", event["type"]), ("owner", owner))
        }
        order = {"MessageGroupId": event["data"]["id"], "MessageDeduplicationId": event["id"]}
        with told():
            sns, arn = await self._connected()
            await sns.publish(
                TopicArn=arn,
                Message=body,
                MessageAttributes=attributes,
                **(order if self.topic.ordered else {}),
            )

    async def probe(self) -> str:
        """Ask for the topic."""
        with told():
            sns, arn = await self._connected()
            await sns.get_topic_attributes(TopicArn=arn)
        return arn

    async def close(self) -> None:
        await self._stack.aclose()

    async def _connected(self) -> tuple[Any, str]:
        """Return a client and the topic's ARN, both found once."""
        async with self._opening:
            if self._client is None:
                made = client(
                    "sns",
                    region=self.topic.region,
                    endpoint=self.topic.endpoint,
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=ANSWER_SECONDS,
                    retries={"total_max_attempts": 1},  # the unit is tried again
                )
                self._client = await self._stack.enter_async_context(made)
            if not self._arn:
                self._arn = await self._found()
        return self._client, self._arn

    async def _found(self) -> str:
        """Find the topic of a name, or make it."""
        name = self.topic.name
        if self.topic.create:
            fifo = {"Attributes": {"FifoTopic": "true"}} if self.topic.ordered else {}
            return str((await self._client.create_topic(Name=name, **fifo))["TopicArn"])
        async for page in self._client.get_paginator("list_topics").paginate():
            for row in page.get("Topics", ()):
                if row["TopicArn"].rpartition(":")[2] == name:
                    return str(row["TopicArn"])
        raise Unavailable(f"{SETTING}: there is no topic {name}: make it, or add create=true.")


@contextmanager
def told() -> Iterator[None]:
    """Raise what the SDK raises as an error of ours that says as much as may be logged."""
    try:
        yield
    except NoCredentialsError:
        raise Unavailable(f"{SETTING}: there are no credentials.") from None
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        said = error.response.get("Error", {}).get("Message", "")
        if code in FINAL and ABOUT_IT.search(said) and not ABOUT_THE_TOPIC.search(said):
            raise InvalidInput(f"SNS refuses the event: {code}: {said}") from None
        why = code if code in REFUSALS else f"{code}: {said}"
        raise Unavailable(f"{SETTING}: SNS answers {why}") from None
    except BotoCoreError as error:
        raise Unavailable(f"{SETTING}: {error}") from None


plugin = SnsEvents
