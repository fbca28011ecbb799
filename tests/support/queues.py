"""SQS as ministack does it, on 127.0.0.1."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.buckets import BucketServer, bucket_server


def queue_url(server: BucketServer, queue: str, port: int = 0, **options: str) -> str:
    """Return a doorbell's URL."""
    query = "".join(f"&{name}={value}" for name, value in options.items())
    endpoint = f"http://127.0.0.1:{port or server.port}"
    return f"sqs://{queue}?region=us-east-1&endpoint={endpoint}{query}"


@contextmanager
def queue_server(folder: Path) -> Iterator[BucketServer]:
    """Run the server; skips, or fails where services are required."""
    with bucket_server("ministack", folder, services="sqs") as server:
        yield server


@contextmanager
def sqs_client(server: BucketServer) -> Iterator[Any]:
    """Give a second client, so that what ours did is judged by another one."""
    import boto3

    client = boto3.client(
        "sqs", endpoint_url=server.endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    try:
        yield client
    finally:
        client.close()
