"""An installation on AWS's services, as ministack does them, and what calls its functions.

What Lambda does between a queue and a function is done here: messages become an event of the real
shape, and what the answer names as failed is shown again.
"""

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.buckets import KEYS, BucketServer, bucket_server

REGION = "us-east-1"
ACCOUNT = "000000000000"
BUCKET = "cloud"
_numbers = count()


@dataclass
class Cloud:
    """A table, a folder of a bucket and queues of one installation."""

    server: BucketServer
    name: str
    more: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a second client of a service."""
        import boto3

        return boto3.client(
            service, endpoint_url=self.server.endpoint, region_name=REGION,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    @property
    def queues(self) -> dict[str, str]:
        """The queues by who is called for what is in them."""
        return {who: f"{self.name}-{who}" for who in ("work", "notices")}

    def environment(self, **settings: object) -> dict[str, str]:
        """Return the variables of a function, or of a process beside it."""
        at = f"region={REGION}&endpoint={self.server.endpoint}"
        queues = f"notices={self.queues['notices']}&wake=1"
        urls = {
            "store_url": f"dynamodb://{self.name}?{at}&lag=0",
            "blobs_url": self.server.url(f"{BUCKET}/{self.name}"),
            "broker_url": f"sqs://{self.queues['work']}?{at}&{queues}",
            "secret": "the same for all",
            "public_url": "https://mill.example.org",
            "sealing_url": f"kms:alias/{self.name}?{at}",
        }
        given = {**urls, **self.more, **{name: str(value) for name, value in settings.items()}}
        return KEYS | {f"MEDIAMILL_{name.upper()}": value for name, value in given.items()}

    def address(self, who: str) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=self.queues[who])["QueueUrl"])

    def received(self, who: str, most: int = 10) -> list[dict[str, Any]]:
        """Take messages from a queue, as Lambda does for a function."""
        answer = self.client("sqs").receive_message(
            QueueUrl=self.address(who), MaxNumberOfMessages=most, VisibilityTimeout=30,
            AttributeNames=["All"],
        )  # fmt: skip
        return list(answer.get("Messages", ()))

    def settle(self, who: str, messages: Sequence[Mapping[str, Any]], answer: Any) -> None:
        """Delete the messages that a function has not named as failed, show the others again."""
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        client, address = self.client("sqs"), self.address(who)
        for message in messages:
            at = {"QueueUrl": address, "ReceiptHandle": message["ReceiptHandle"]}
            if message["MessageId"] in failed:
                client.change_message_visibility(**at, VisibilityTimeout=0)
            else:
                client.delete_message(**at)


def sqs_event(messages: Sequence[Mapping[str, Any]], queue: str = "work") -> dict[str, Any]:
    """Make the event that Lambda makes of messages.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
    """
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message.get("ReceiptHandle", "handle"),
                "body": message["Body"],
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1545082649183",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1545082649185",
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(message["Body"].encode()).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def rings(*bodies: str) -> dict[str, Any]:
    """Make an event of doorbells that nobody needs to have sent."""
    texts = bodies or ("bell_other\nwork:interactive",)
    return sqs_event([{"MessageId": f"m{n}", "Body": text} for n, text in enumerate(texts)])


def schedule_event() -> dict[str, Any]:
    """Make the event of a schedule.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
    """
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": "2026-10-08T16:53:06Z",
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/sweep"],
        "detail": {},
    }


@contextmanager
def cloud_server(folder: Path, services: str = "s3,sqs,dynamodb,kms") -> Iterator[BucketServer]:
    """Run the services; skips, or fails where they are required."""
    with bucket_server("ministack", folder, services=services) as server:
        server.client().create_bucket(Bucket=BUCKET)
        yield server


def fresh_cloud(server: BucketServer, **more: str) -> Cloud:
    """Return an installation that has nothing yet but its key."""
    cloud = Cloud(server, f"mill-{os.getpid()}-{next(_numbers)}", more)
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{cloud.name}", TargetKeyId=key)
    return cloud


def kafka_event(messages: Sequence[Any]) -> dict[str, Any]:
    """Make the event that Lambda makes of messages of Kafka, as a client of it has read them.

    https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html#msk-sample-event
    """
    records: dict[str, list[dict[str, Any]]] = {}
    for one in messages:
        records.setdefault(f"{one.topic()}-{one.partition()}", []).append({
            "topic": one.topic(),
            "partition": one.partition(),
            "offset": one.offset(),
            "timestamp": one.timestamp()[1],
            "timestampType": "CREATE_TIME",
            **{name: base64.b64encode(data).decode()
               for name, data in (("key", one.key()), ("value", one.value())) if data is not None},
            "headers": [{name: list(value)} for name, value in one.headers() or ()],
        })  # fmt: skip
    return {
        "eventSource": "aws:kafka",
        "eventSourceArn": f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/mill/751d2973-a626-431c",
        "bootstrapServers": f"b-1.mill.a1bcde.c1.kafka.{REGION}.amazonaws.com:9098",
        "records": records,
    }
