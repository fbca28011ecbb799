"""Doorbells through SQS: `sqs://queue?region=…&endpoint=…&wake=3&notices=queue&long=queue&hear=all`.

One queue wakes workers. Who receives a message is one process, so a ring goes in as `wake` copies
of which each wakes another one, or the same again. Rings of jobs, which all servers should hear,
stay in their process: the others look once a second anyway. The sums: docs/adr/0030-doorbells.md.

`notices` and `long` give the rings of that class a queue of their own, for a function takes all
that comes on the queue that it works on; `hear=none` leaves all messages to functions. Without its
own, `long` is rung nowhere: it is what functions leave to workers, which look by themselves.

A message is not deleted: it is hidden for longer than it is kept, which saves a request each; save
in a queue of somebody else's making that keeps them longer. A missing queue is made. Needs
`sqs:GetQueueUrl`, `sqs:GetQueueAttributes`, `sqs:SendMessage`, `sqs:ReceiveMessage`, for a missing
queue `sqs:CreateQueue`, for one that keeps messages longer than two minutes `sqs:DeleteMessage`;
credentials are found where the AWS SDKs find them.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from mediamill.adapters.brokers.address import telling
from mediamill.adapters.brokers.relay import CONNECT_SECONDS, SEND_SECONDS, Relay, first_of
from mediamill.core import aws
from mediamill.core.plaintext import ALLOWING
from mediamill.core.urls import options_of

KEPT_SECONDS, HIDDEN_SECONDS = 60, 120
POLL_SECONDS = 20
"""How long a request for messages waits for one: the longest that SQS has."""
WAKE, MOST_WAKE = 3, 10
OWN = ("notices", "long")
"""Classes whose rings may go to a queue of their own."""
NOWHERE = {"work:long"}
"""What is rung on no other queue: it would call functions, which do not take it."""
HEAR = ("all", "none")
RETENTION = "MessageRetentionPeriod"
ATTRIBUTES = {
    RETENTION: str(KEPT_SECONDS),
    "VisibilityTimeout": str(HIDDEN_SECONDS),
    "ReceiveMessageWaitTimeSeconds": str(POLL_SECONDS),
    "SqsManagedSseEnabled": "true",
}
CARRIED = "work:"
NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
GATHER_SECONDS = 0.05
"""Rings that come within this time of a message go out together."""
FORM = "write sqs://queue?region=…"


@dataclass(frozen=True)
class Queue:
    """What the URL says."""

    name: str
    region: str | None
    endpoint: str | None
    wake: int
    own: Mapping[str, str] = field(default_factory=dict)
    """Queues of their own, by the channel that rings there."""
    hears: bool = True

    @classmethod
    def of(cls, url: str) -> "Queue":
        """Read a URL; raises `ValueError`."""
        parts = urlsplit(url)
        known = frozenset({"region", "endpoint", "wake", "hear", *OWN, ALLOWING})
        given = options_of(parts.query, known)
        own = {f"{CARRIED}{klass}": given[klass] for klass in OWN if klass in given}
        names = (parts.netloc, *own.values())
        if not all(map(NAME.fullmatch, names)) or parts.path.strip("/"):
            raise ValueError(f"{FORM}; a queue's name is 1 to 80 letters, digits, _ and -")
        if (hear := given.get("hear", HEAR[0])) not in HEAR:
            raise ValueError("hear is all, or none where functions take the messages")
        wake = given.get("wake", str(WAKE))
        if not wake.isdecimal() or not 1 <= int(wake) <= MOST_WAKE:
            raise ValueError(f"wake is 1 to {MOST_WAKE}, processes that a ring wakes at most")
        if endpoint := given.get("endpoint"):
            aws.check_endpoint(endpoint, given.get(ALLOWING))
        return cls(
            parts.netloc, given.get("region"), endpoint, int(wake), own, hears=hear == HEAR[0]
        )

    def shared_out(self, channels: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which of some channels are rung on which queue."""
        rung: dict[str, list[str]] = {}
        for channel in (each for each in channels if each in self.own or each not in NOWHERE):
            rung.setdefault(self.own.get(channel, self.name), []).append(channel)
        return rung


class Refused(Exception):
    """Our credentials are none, or do not allow this."""


@dataclass(frozen=True)
class Place:
    """A queue that was found; whether it forgets messages by itself."""

    address: str
    forgets: bool


class SqsLine:
    def __init__(self, client: Any, places: Mapping[str, Place], bell: "SqsDoorbell") -> None:
        """`places` are the queues by name."""
        self._client, self._places, self._bell = client, places, bell

    async def send(self, message: bytes) -> None:
        """Send the copies, which are one request a queue."""
        sender, *channels = message.decode().split("\n")
        for name, some in self._bell.queue.shared_out(channels).items():
            await self._send(self._places[name], "\n".join((sender, *some)))
        await asyncio.sleep(GATHER_SECONDS)

    async def _send(self, place: Place, body: str) -> None:
        copies = range(self._bell.queue.wake)
        with told():
            answer = await self._client.send_message_batch(
                QueueUrl=place.address,
                Entries=[{"Id": str(n), "MessageBody": body} for n in copies],
            )
        if len(failed := answer.get("Failed", ())) == len(copies):
            raise ConnectionError(failed[0].get("Message", "the queue takes nothing"))

    async def last(self) -> None:
        """Receive from every queue, if messages are for us at all."""
        if not self._bell.queue.hears:
            await asyncio.Event().wait()
        await first_of(*map(self._receive, self._places.values()))

    async def _receive(self, place: Place) -> None:
        """Receive while somebody here listens for work; else others would lose rings to us."""
        while True:
            await self._bell.wanted()
            with told():
                answer = await self._client.receive_message(
                    QueueUrl=place.address,
                    WaitTimeSeconds=POLL_SECONDS,
                    VisibilityTimeout=HIDDEN_SECONDS,
                    MaxNumberOfMessages=1,
                )
            for message in answer.get("Messages", ()):
                self._bell.heard(message["Body"].encode())
                if not place.forgets:
                    await self._delete(place, message["ReceiptHandle"])

    async def _delete(self, place: Place, receipt: str) -> None:
        with told():
            await self._client.delete_message(QueueUrl=place.address, ReceiptHandle=receipt)


class SqsDoorbell(Relay):
    refusals = (Refused,)

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self.queue = queue

    @classmethod
    def open(cls, url: str, store_url: str) -> "SqsDoorbell":
        """Make the doorbell of a URL; raises `ConfigurationError`."""
        with telling():
            queue = Queue.of(url)
            if not aws.has_region(queue.region):
                raise ValueError(f"{FORM}, or set AWS_DEFAULT_REGION")
            return cls(queue)

    async def ring(self, channel: str) -> None:
        if channel.startswith(CARRIED):
            await super().ring(channel)
        else:
            self._here.ring(channel)

    async def wanted(self) -> None:
        """Wait until somebody here listens for work."""
        while not self._here.hears(CARRIED):
            self._here.came.clear()
            await self._here.came.wait()

    @asynccontextmanager
    async def line(self) -> AsyncIterator[SqsLine]:
        making = aws.client(
            "sqs",
            region=self.queue.region,
            endpoint=self.queue.endpoint,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=POLL_SECONDS + SEND_SECONDS,
            retries={"total_max_attempts": 1},  # we try again by ourselves
        )
        async with AsyncExitStack() as stack:
            with told():
                client = await stack.enter_async_context(making)
                names = {self.queue.name, *self.queue.own.values()}
                places = {name: await self._place(client, name) for name in sorted(names)}
            yield SqsLine(client, places, self)

    async def _place(self, client: Any, name: str) -> Place:
        address = await self._address(client, name)
        return Place(address, await forgets(client, address))

    async def _address(self, client: Any, name: str) -> str:
        """Find a queue; make it if it is missing."""
        with suppress(client.exceptions.QueueDoesNotExist):
            return str((await client.get_queue_url(QueueName=name))["QueueUrl"])
        made = await client.create_queue(QueueName=name, Attributes=ATTRIBUTES)
        return str(made["QueueUrl"])


async def forgets(client: Any, address: str) -> bool:
    """Tell whether a queue forgets messages while they are hidden, so that none need be deleted."""
    try:
        answer = await client.get_queue_attributes(QueueUrl=address, AttributeNames=[RETENTION])
    except ClientError:  # we may not ask
        return False
    return int(answer["Attributes"][RETENTION]) < HIDDEN_SECONDS


@contextmanager
def told() -> Iterator[None]:
    """Raise what the SDK raises as an error of ours that says as much as may be logged."""
    try:
        yield
    except NoCredentialsError:
        raise Refused("there are no credentials") from None
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in aws.REFUSALS:
            raise Refused(code) from None
        raise ConnectionError(f"{code}: {error.response['Error'].get('Message', '')}") from None
    except BotoCoreError as error:
        raise ConnectionError(str(error)) from None


plugin = SqsDoorbell
