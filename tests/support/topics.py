"""SNS and SQS on 127.0.0.1: topics, and queues that are subscribed to them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.buckets import KEYS, BucketServer, bucket_server


@contextmanager
def topic_server(kind: str, folder: Path) -> Iterator[BucketServer]:
    """Run the server; skips, or fails where services are required."""
    with bucket_server(kind, folder, services="sns,sqs") as server:
        yield server


def events_url(server: BucketServer, topic: str, **options: str) -> str:
    """Return the URL of a topic."""
    query = "".join(f"&{name}={value}" for name, value in options.items())
    return f"sns://{topic}?region=us-east-1&endpoint={server.endpoint}{query}"


class Aws:
    """A second client, so that what ours did is judged by another one."""

    def __init__(self, server: BucketServer) -> None:
        import boto3

        keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}  # fmt: skip
        made = {"endpoint_url": server.endpoint, "region_name": "us-east-1", **keys}
        self.sns, self.sqs = boto3.client("sns", **made), boto3.client("sqs", **made)

    def subscribed(self, arn: str, name: str, **attributes: Any) -> str:
        """Subscribe a new queue to a topic; return its address."""
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        queue = self.sqs.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
        asked = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        queue_arn = asked["Attributes"]["QueueArn"]
        may = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        self.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        self.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)
        return queue

    def bodies(self, queue: str, wanted: int, looks: int = 1_000) -> list[Any]:
        """Take so many messages out of a queue; return their bodies, in the order they came."""
        found: list[Any] = []
        for _ in range(looks):
            if len(found) >= wanted:
                break
            answer = self.sqs.receive_message(
                QueueUrl=queue, WaitTimeSeconds=0, MaxNumberOfMessages=10
            )
            if looks > 1 and not answer.get("Messages"):
                time.sleep(0.05)
            for message in answer.get("Messages", ()):
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def close(self) -> None:
        self.sns.close()
        self.sqs.close()
