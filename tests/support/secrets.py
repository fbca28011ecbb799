"""Secrets Manager, Parameter Store and KMS as ministack does them, on 127.0.0.1."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.buckets import BucketServer, bucket_server

REGION = "us-east-1"


@contextmanager
def secret_server(folder: Path) -> Iterator[BucketServer]:
    """Run the server; skips, or fails where services are required."""
    with bucket_server("ministack", folder, services="secretsmanager,ssm,kms") as server:
        yield server


def judge(server: BucketServer, service: str) -> Any:
    """Return a second client, so that what ours did is judged by another one."""
    import boto3

    return boto3.client(
        service, endpoint_url=server.endpoint, region_name=REGION,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def place(server: BucketServer, port: int = 0) -> str:
    """Return what an address says of where the server is."""
    return f"region={REGION}&endpoint=http://127.0.0.1:{port or server.port}"
