"""Deploy `infra/aws/template.yaml` by CloudFormation to the emulator that runs functions.

It has no containers: the worker's functions are zips there, of this program without what it
imports, since the emulator runs them with the tests' own interpreter.
"""

import io
import marshal
import struct
import time
import zipfile
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Any

from tests.support.buckets import BucketServer

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "infra/aws/template.yaml"
SERVICES = (
    "apigateway,apigatewayv2,cloudformation,dynamodb,events,iam,kms,lambda,logs,s3,secretsmanager,"
    "ses,sqs,sts"
)
SECONDS = 120


@dataclass
class Stack:
    """What was deployed."""

    server: BucketServer
    name: str
    resources: dict[str, dict[str, Any]]
    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        return client_of(self.server, service)

    def physical(self, name: str) -> str:
        return str(self.resources[name]["PhysicalResourceId"])


def client_of(server: BucketServer, service: str) -> Any:
    """Return a client of a service of the emulator."""
    import boto3

    return boto3.client(
        service, endpoint_url=server.endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def code() -> bytes:
    """Return this program as a zip, compiled: else each function would do so when it starts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted((ROOT / "src/mediamill").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(ROOT / "src")
                archive.write(path, name)
                if path.suffix == ".py":
                    archive.writestr(cache_from_source(str(name)), _compiled(path))
    return buffer.getvalue()


UNCHECKED = (1).to_bytes(4, "little")
"""PEP 552: the compiled module is used whatever its source's time is, and whatever its hash."""


def _compiled(path: Path) -> bytes:
    kept, data = Path(cache_from_source(str(path))), path.read_bytes()
    body = kept.read_bytes() if kept.exists() else b""
    when, size = int(path.stat().st_mtime) & 0xFFFFFFFF, len(data) & 0xFFFFFFFF
    fresh = MAGIC_NUMBER + struct.pack("<III", 0, when, size)
    if not body.startswith(fresh):
        body = fresh + marshal.dumps(compile(data, str(path), "exec", dont_inherit=True))
    return MAGIC_NUMBER + UNCHECKED + bytes(8) + body[len(fresh) :]


def deployed(server: BucketServer, name: str, **parameters: str) -> Stack:
    """Deploy the template and wait; raises `AssertionError` that says what failed."""
    store, formation = server.client(), client_of(server, "cloudformation")
    store.create_bucket(Bucket="code")
    store.put_object(Bucket="code", Key="mediamill.zip", Body=code())
    given = {
        "CodeBucket": "code", "ApiCode": "mediamill.zip", "WorkerCode": "mediamill.zip",
        "MailFrom": "mill@example.org", "Endpoint": server.endpoint, **parameters,
    }  # fmt: skip
    formation.create_stack(
        StackName=name,
        TemplateBody=_for_the_emulator(TEMPLATE.read_text()),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    until = time.monotonic() + SECONDS
    while True:
        (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        assert time.monotonic() < until, stack
        time.sleep(0.2)
    events = formation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    assert stack["StackStatus"] == "CREATE_COMPLETE", failed
    found = formation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    return Stack(
        server,
        name,
        {one["LogicalResourceId"]: one for one in found},
        {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())},
    )


DIFFERENCES = (
    # it hands a mapping numbers that are parameters as texts, and fails at them
    ("MaximumConcurrency: !Ref WorkerConcurrency", "MaximumConcurrency: 2"),
    # it asks IAM of no identity when a mail is sent, but of all
    (
        """                Action: ses:SendEmail
                Resource:
                  - !Sub""",
        """                Action: ses:SendEmail
                Resource:
                  - "*"
                  - !Sub""",
    ),
)
"""What the template says to AWS, and what the emulator has to be told instead."""


def _for_the_emulator(template: str) -> str:
    for to_aws, instead in DIFFERENCES:
        assert template.count(to_aws) == 1, to_aws
        template = template.replace(to_aws, instead)
    return template
