"""Deploy `infra/aws/template.yaml` and what it nests to the emulator that runs functions.

It has no containers: the worker's functions are zips there, of this program without what it
imports, since the emulator runs them with the tests' own interpreter.
"""

import io
import marshal
import struct
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import Any

from tests.support.buckets import BucketServer
from tests.support.templates import NESTED, Template, packaged

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "infra/aws/template.yaml"
SERVICES = (
    "apigateway,apigatewayv2,cloudformation,cognito-idp,dynamodb,events,iam,kms,lambda,logs,"
    "monitoring,s3,secretsmanager,ses,sns,sqs,sts,ec2,ecs,elasticloadbalancing,glue,athena"
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
        """Return the name that AWS knows a resource by, `Calls/ApiFunction`."""
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
    """Deploy the templates and wait; raises `AssertionError` that says what failed."""
    store = server.client()
    with suppress(store.exceptions.BucketAlreadyOwnedByYou):
        store.create_bucket(Bucket="code")
    store.put_object(Bucket="code", Key="mediamill.zip", Body=code())

    def send(key: str, text: bytes) -> str:
        store.put_object(Bucket="code", Key=key, Body=text)
        return f"{server.endpoint}/code/{key}"

    given = {
        "CodeBucket": "code", "ApiCode": "mediamill.zip", "WorkerCode": "mediamill.zip",
        "MailFrom": "mill@example.org", "Endpoint": server.endpoint, **parameters,
    }  # fmt: skip
    text = packaged(TEMPLATE, send, _for_the_emulator)
    return made(server, name, text, given)


def made(server: BucketServer, name: str, text: str, given: Mapping[str, str]) -> Stack:
    """Make a stack of a template's text; raises `AssertionError` that says what failed."""
    formation = client_of(server, "cloudformation")
    formation.create_stack(
        StackName=name,
        TemplateBody=text,
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
    assert stack["StackStatus"] == "CREATE_COMPLETE", _failed(formation, name)
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}
    return Stack(server, name, dict(_resources(formation, name)), outputs)


def _resources(formation: Any, name: str, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the resources of a stack and of those in it, `Calls/ApiFunction`."""
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=name)
    for one in pages.build_full_result()["StackResourceSummaries"]:
        yield place + one["LogicalResourceId"], one
        if one["ResourceType"] == NESTED:
            inner = place + one["LogicalResourceId"] + "/"
            yield from _resources(formation, one["PhysicalResourceId"], inner)


def _failed(formation: Any, name: str) -> list[dict[str, Any]]:
    events = formation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    for event in [*failed]:
        if event["ResourceType"] == NESTED and event.get("PhysicalResourceId", name) not in name:
            with suppress(formation.exceptions.ClientError):
                failed += _failed(formation, event["PhysicalResourceId"])
    return failed


SUMMED = "WorkAndNoWorker"
"""The alarm on a sum of several numbers: the emulator has none such."""


def _for_the_emulator(name: str, template: Template) -> None:
    """Change what the emulator has to be told instead of what AWS is told."""
    resources = template["Resources"]
    if name == "functions":
        # it hands a mapping numbers that are parameters as texts, and fails at them
        resources["WorkCalls"]["Properties"]["ScalingConfig"]["MaximumConcurrency"] = 2
    if name == "services":
        del resources[SUMMED]
        # the same numbers of a service; and it has no containers
        for one in resources.values():
            if one["Type"] == "AWS::ECS::Service":
                one["Properties"]["DesiredCount"] = 0
    if name == "rights":
        # it joins no list in a condition
        for one, parameter in (("HasBedrock", "BedrockModels"),
                               ("HasSageMaker", "SageMakerEndpoints")):  # fmt: skip
            first = {"Fn::Select": [0, {"Ref": parameter}]}
            template["Conditions"][one] = {"Fn::Not": [{"Fn::Equals": [first, ""]}]}
        said = {
            one.get("Sid"): one
            for policy in resources.values()
            for one in policy["Properties"]["PolicyDocument"]["Statement"]
        }
        # it asks IAM of no identity when a mail is sent, but of all
        said["Mails"]["Resource"] = "*"
        # nor does AWS know a right of its own for several messages at a time
        said["Rings"]["Action"] += ["sqs:SendMessageBatch"]
