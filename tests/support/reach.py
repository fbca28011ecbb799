"""What each role and policy of the templates may ask, and at which places: the table to compare by.

Names that templates fill in stand as `${…}`. Whoever changes what is granted changes this too.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.templates import Template

SEALED = {"StringEquals": {"kms:EncryptionContext:mediamill": "sealed 1"}}
FLOWS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams",
         "logs:PutLogEvents"}  # fmt: skip
WRITES = {"logs:CreateLogStream", "logs:PutLogEvents"}
KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
HEARS = {"sqs:ReceiveMessage", "sqs:DeleteMessage"}
HERE = "${AWS::Region}:${AWS::AccountId}"
SES = f"arn:${{AWS::Partition}}:ses:{HERE}:identity/"
KAFKA = f"arn:${{AWS::Partition}}:kafka:{HERE}:"
CLUSTER = '${Fn::Select[1, ${Fn::Split["/", ${KafkaCluster}]}]}'
INTERFACES = {
    f"ec2:{name}"
    for name in ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets",
                 "DeleteNetworkInterface", "AssignPrivateIpAddresses",
                 "UnassignPrivateIpAddresses")
}  # fmt: skip
LOOKS = {"ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"}
TRIGGER = {"kafka:DescribeCluster", "kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"}
GROUP = {"kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"}
READS = {
    f"{KAFKA}topic/{CLUSTER}/*": {"kafka-cluster:ReadData"},
    f"{KAFKA}topic/{CLUSTER}/*.dead": {"kafka-cluster:CreateTopic"},
    f"{KAFKA}group/{CLUSTER}/*": GROUP,
}
POLLS = HEARS | {"sqs:GetQueueAttributes"}
RINGS = {"sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage"}
SENDS = {"ses:SendEmail", "ses:SendRawEmail"}

REACH: dict[str, dict[str, set[str]]] = {
    "rights State": {
        "${TableArn}": {
            f"dynamodb:{name}" for name in
            ("DescribeTable", "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem",
             "DeleteItem", "ConditionCheckItem")
        },
        "${TableArn}/index/*": {"dynamodb:Query"},
        "${BucketArn}": {"s3:ListBucket"},
        "${BucketArn}/mill/*": {"s3:GetObject"},
        "${DataKey}": KEY,
        "${Secrets}": {"secretsmanager:GetSecretValue"},
        "${WorkQueueArn}": RINGS,
        "${NoticeQueueArn}": RINGS,
    },
    "rights Files": {
        "${BucketArn}": {"s3:ListBucketMultipartUploads"},
        "${BucketArn}/mill/*": {
            f"s3:{name}" for name in ("PutObject", "DeleteObject", "RestoreObject",
                                      "AbortMultipartUpload", "ListMultipartUploadParts")
        },
        "${SealingKeyArn}": KEY,
    },
    "rights Figures": {
        "${FiguresArn}/figures/*": {"s3:GetObject", "s3:PutObject"},
        "${FiguresArn}": {"s3:ListBucket"},
    },
    "rights Posts": {
        SES + "${MailFrom}": SENDS,
        SES + '${Fn::Select[1, ${Fn::Split["@", ${MailFrom}]}]}': SENDS,
        "${MailsArn}": SENDS,
        "${EventsArn}": {"sns:Publish"},
        "${SealingKeyArn}": {"kms:Decrypt"},
    },
    "rights Models": {
        "${BedrockModels}": {"bedrock:InvokeModel"},
        "${SageMakerEndpoints}": {"sagemaker:InvokeEndpoint"},
        "*": {"rekognition:DetectLabels"},
    },
    "rights Brokers": {
        "${KafkaCluster}": {
            f"kafka-cluster:{name}" for name in ("Connect", "DescribeCluster",
                                                 "WriteDataIdempotently")
        },
        f"{KAFKA}topic/{CLUSTER}/*": {"kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"},
    },
    "functions ApiRole": {"${ApiLog.Arn}": WRITES},
    "functions WorkerRole": {"${WorkerLog.Arn}": WRITES, "${WorkQueueArn}": POLLS},
    "functions NotifierRole": {
        "${NotifierLog.Arn}": WRITES, "${NoticeQueueArn}": POLLS, "*": INTERFACES,
    },
    "functions SweepRole": {"${SweepLog.Arn}": WRITES},
    "functions IngestRole": {
        "${IngestLog.Arn}": WRITES, **READS, "${LeftOutArn}": {"sqs:SendMessage"},
        "${KafkaCluster}": TRIGGER, "*": INTERFACES | LOOKS,
    },
    "services StartRole": {
        "*": {"ecr:GetAuthorizationToken"},
        "${Repository}": {
            f"ecr:{name}" for name in ("BatchCheckLayerAvailability", "BatchGetImage",
                                       "GetDownloadUrlForLayer")
        },
        "${Log.Arn}": WRITES,
    },
    "services ApiRole": {},
    "services WorkerRole": {
        f"arn:${{AWS::Partition}}:ecs:{HERE}:task/${{Name}}/*": {"ecs:UpdateTaskProtection"},
        "${WorkQueueArn}": HEARS,
    },
    "services IngestRole": READS,
    "secrets RotationRole": {
        f"arn:${{AWS::Partition}}:secretsmanager:{HERE}:secret:${{Name}}-links-??????": {
            f"secretsmanager:{name}" for name in ("DescribeSecret", "GetSecretValue",
                                                  "PutSecretValue", "UpdateSecretVersionStage")
        },
        "${DataKey}": KEY,
        "${RotationLog.Arn}": WRITES,
    },
    "network FlowRole": {
        "${Flows.Arn}": FLOWS,
        f"arn:${{AWS::Partition}}:logs:{HERE}:log-group:*": {"logs:DescribeLogGroups"},
    },
}  # fmt: skip
"""Roles' own policies and those that several have: what each may ask of each place."""


def through(*services: str) -> dict[str, Any]:
    """Return the condition that a key is used by services alone."""
    texts = [f"{name}.${{AWS::Region}}.amazonaws.com" for name in services]
    return {"StringEquals": {"kms:ViaService": texts if len(texts) > 1 else texts[0]}}


CONDITIONS = {
    "rights State ${DataKey}": through("s3", "secretsmanager", "sns"),
    "rights Files ${SealingKeyArn}": SEALED,
    "rights Posts ${SealingKeyArn}": SEALED,
    "secrets RotationRole ${DataKey}": through("secretsmanager"),
}
"""Where a right holds on a condition only."""

ACCOUNT = {"StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"}}
TRUSTED = {
    "functions": ("lambda.amazonaws.com", {}),
    "secrets": ("lambda.amazonaws.com", {}),
    "services": ("ecs-tasks.amazonaws.com", ACCOUNT),
    "network": ("vpc-flow-logs.amazonaws.com", ACCOUNT),
}
"""Which service acts in the roles of a template, and on which condition."""


def text_of(value: Any) -> Any:
    """Return a template's value as text with `${…}` where something is filled in."""
    if isinstance(value, list):
        return [text_of(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind, said = next(iter(value.items()), ("", None))
    if kind != "Ref" and not kind.startswith("Fn::"):
        return {key: text_of(one) for key, one in value.items()}
    if kind == "Ref":
        return f"${{{said}}}"
    if kind == "Fn::GetAtt":
        return f"${{{'.'.join(said)}}}"
    if kind == "Fn::Sub":
        text, filled = (said, {}) if isinstance(said, str) else said
        for name, one in filled.items():
            text = text.replace(f"${{{name}}}", text_of(one))
        return text
    return f"${{{kind}{_plain(said)}}}"


def _plain(said: Any) -> str:
    """Return arguments of a function, with what is filled in not in quotes."""
    parts = [text_of(one) for one in said]
    return f"[{', '.join(one if str(one)[:1] == '$' else json.dumps(one) for one in parts)}]"


def own_statements(templates: dict[str, Template]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each statement of each role's own policies and of each managed one, with its owner."""
    for stem, template in templates.items():
        for name, one in template["Resources"].items():
            if not one["Type"].startswith("AWS::IAM::"):
                continue
            said = one["Properties"]
            documents = [policy["PolicyDocument"] for policy in said.get("Policies", ())]
            if one["Type"] in {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"}:
                documents.append(said["PolicyDocument"])
            for document in documents:
                for part in document["Statement"]:
                    either = part["Fn::If"][1:] if "Fn::If" in part else [part]
                    yield from ((f"{stem} {name}", that) for that in either if "Effect" in that)
