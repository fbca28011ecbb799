"""What our code asks of AWS: every place of it, what was asked when it ran, and the right it needs.

A place is a function that names an operation: `copy` of `blobs/s3/store.py`, `CopyObject`. Places
are found by reading the sources, so one that no recording has reached is known; what they ask is
heard where botocore makes parameters of what it is given, for calls and for signed addresses alike.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from botocore import xform_name
from botocore.session import get_session

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src/mediamill"

MODULES: Mapping[str, tuple[str, ...]] = {
    "adapters/brokers/sqs.py": ("sqs",),
    "adapters/events/sns.py": ("sns",),
    "adapters/mail/ses.py": ("sesv2",),
    "adapters/providers/batching.py": ("bedrock", "s3"),
    "adapters/providers/bedrock.py": ("bedrock-runtime",),
    "adapters/providers/cloud.py": (),
    "adapters/providers/rekognition.py": ("rekognition",),
    "adapters/providers/sagemaker.py": ("sagemaker-runtime",),
    "adapters/sealing/kms.py": ("kms",),
    "adapters/secrets/asking.py": (),
    "adapters/secrets/secretsmanager.py": ("secretsmanager",),
    "adapters/secrets/ssm.py": ("ssm",),
    "adapters/stream/kafka/iam.py": (),
    "aws/rotation.py": ("secretsmanager",),
    "blobs/s3/": ("s3",),
    "core/aws.py": (),
    "store/dynamodb/": ("dynamodb",),
}
"""Modules and folders that speak to AWS through botocore, and with which services."""


@dataclass(frozen=True, order=True)
class Place:
    """A function of a module that names an operation of a service."""

    module: str
    function: str
    service: str
    operation: str

    def __str__(self) -> str:
        return f"{self.module} {self.function} {self.service}:{self.operation}"


@cache
def operations(service: str) -> Mapping[str, str]:
    """Return a service's operations by the names that Python's clients give them."""
    names = get_session().get_service_model(service).operation_names
    return {xform_name(name): name for name in names}


def services_of(module: str) -> tuple[str, ...] | None:
    """Return the services that a module speaks to; None for one that speaks to none."""
    return next((said for name, said in MODULES.items() if module.startswith(name)), None)


@cache
def places(sources: Path = SOURCES) -> frozenset[Place]:
    """Find every place in the sources."""
    return frozenset(_places(sources))


def _places(sources: Path) -> Iterator[Place]:
    for path in sorted(sources.rglob("*.py")):
        module = path.relative_to(sources).as_posix()
        for service in services_of(module) or ():
            known = operations(service)
            for function, name in _named(ast.parse(path.read_text()), ""):
                if name in known:
                    yield Place(module, function, service, known[name])


def _named(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
    """Yield what calls may name, by function: a client's attribute, a text that is an argument."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node.name
    for inner in ast.iter_child_nodes(node):
        yield from _named(inner, function)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield function, node.func.attr
        for argument in node.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield function, argument.value


def strangers(sources: Path = SOURCES) -> list[str]:
    """List modules that import what speaks to AWS, and that nobody has named here."""
    return [
        module for path in sorted(sources.rglob("*.py"))
        if services_of(module := path.relative_to(sources).as_posix()) is None
        and {name.partition(".")[0] for name in _imported(path)} & {"botocore", "aiobotocore",
                                                                    "boto3", "AWS"}
    ]  # fmt: skip


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield "AWS" if node.module == "mediamill.core.aws" else node.module
            if node.module == "mediamill.core" and any(one.name == "aws" for one in node.names):
                yield "AWS"


# -- which right an operation needs ----------------------------------------------------------------

WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem",
          "ConditionCheck": "ConditionCheckItem"}  # fmt: skip
S3 = {
    "AbortMultipartUpload": {"AbortMultipartUpload"},
    "CompleteMultipartUpload": {"PutObject"},
    "CopyObject": {"GetObject", "PutObject"},
    "CreateMultipartUpload": {"PutObject"},
    "GetBucketVersioning": {"GetBucketVersioning"},
    "HeadObject": {"GetObject"},
    "ListMultipartUploads": {"ListBucketMultipartUploads"},
    "ListObjectsV2": {"ListBucket"},
    "ListParts": {"ListMultipartUploadParts"},
    "UploadPart": {"PutObject"},
    "UploadPartCopy": {"GetObject", "PutObject"},
}
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""
OTHERS = {
    "sqs:SendMessageBatch": {"sqs:SendMessage"},
    "sqs:DeleteMessageBatch": {"sqs:DeleteMessage"},
    "bedrock-runtime:Converse": {"bedrock:InvokeModel"},
}
PREFIXES = {"sesv2": "ses", "bedrock-runtime": "bedrock", "sagemaker-runtime": "sagemaker"}


def actions(service: str, operation: str, said: Mapping[str, Any]) -> set[str]:
    """Return the actions of IAM that a request is checked for."""
    if service == "s3":
        return {f"s3:{name}" for name in S3.get(operation, {operation})}
    if (service, operation) == ("dynamodb", "TransactWriteItems"):
        return {f"dynamodb:{WRITES[verb]}" for item in said["TransactItems"] for verb in item}
    if (service, operation) == ("sesv2", "SendEmail"):
        # AWS's pages name the first; what is raw is checked for the second
        raw = {"ses:SendRawEmail"} if "Raw" in said["Content"] else set()
        return {"ses:SendEmail"} | raw
    usual = f"{PREFIXES.get(service, service)}:{operation}"
    return OTHERS.get(f"{service}:{operation}", {usual})


# -- what is asked ---------------------------------------------------------------------------------


@dataclass
class Recorder:
    """Hears what is asked, in which role and from which place."""

    role: str = ""
    """In whose name the program acts now; empty: in nobody's that is of interest."""
    asked: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """Actions by role, and by the modules that asked."""
    reached: dict[Place, set[str]] = field(default_factory=dict)
    """Places, and the actions that they asked for."""

    def hear(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        """Note one request."""
        service, operation = model.service_model.service_name, str(model.name)
        place = self._place(service, operation, sys._getframe())
        if place is None:
            return  # what a test asks by itself
        needed = actions(service, operation, params)
        self.reached.setdefault(place, set()).update(needed)
        if self.role:
            modules = self.asked.setdefault(self.role, {})
            for action in needed:
                modules.setdefault(action, set()).add(place.module)

    def _place(self, service: str, operation: str, frame: FrameType | None) -> Place | None:
        """Find the innermost of our functions that names the operation, else of all."""
        innermost = None
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(SOURCES):
                module = file.relative_to(SOURCES).as_posix()
                place = Place(module, frame.f_code.co_name, service, operation)
                if place in places():
                    return place
                innermost = innermost or place
            frame = frame.f_back
        return innermost


@contextmanager
def recording() -> Iterator[Recorder]:
    """Hear all sessions that our program makes meanwhile."""
    from mediamill.core import aws

    recorder, made = Recorder(), aws._session

    def listened() -> Any:
        session = made()
        session.register("provide-client-params", recorder.hear)
        return session

    aws._session = listened
    try:
        yield recorder
    finally:
        aws._session = made
