"""What the code asks of AWS and what the templates grant are the same, for each role.

What it asks is heard while it runs (`scripts/aws_permissions.py`) and stands in
`infra/aws/permissions.json`. Terraform's policies are made of the templates' own
(`scripts/terraform_sources.py`), which has a test of its own.
"""

import copy
import json
from collections.abc import Iterator

import pytest
from tests.support.asked import SOURCES, Place, operations, places, strangers
from tests.support.templates import FOLDER, all_templates

ASKED = json.loads((FOLDER / "permissions.json").read_text())

ROLES = {
    "functions ApiRole": ("api",),
    "functions WorkerRole": ("worker",),
    "functions NotifierRole": ("notifier",),
    "functions SweepRole": ("sweep",),
    "functions IngestRole": ("ingest",),
    "services ApiRole": ("api",),
    "services WorkerRole": ("worker", "notifier", "hearing worker"),
    "services IngestRole": ("ingest",),
    "services StartRole": (),
    "secrets RotationRole": ("rotation",),
    "network FlowRole": (),
}
"""Roles of the templates, and who acts in them as the recording names them."""

RECORDS = (
    "records are read and changed by repositories that all roles have, in one transaction each"
)
ROWS = dict.fromkeys(
    ("BatchGetItem", "ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query",
     "UpdateItem"), RECORDS,
)  # fmt: skip
RINGS = "whoever brings work about rings for it; nothing was due in the recording"
COLD = "of what lies in cold storage and is asked for"
SELDOM = {
    "api": {
        "s3:ListBucketMultipartUploads": "one policy for all who change files: what is unfinished "
        "is looked for by workers alone, and tells no more than ListBucket",
        "s3:RestoreObject": COLD,
    },
    "notifier": {
        "kms:Decrypt": "signs deliveries of webhooks; none went out in the recording",
    },
    "sweep": {
        "sqs:GetQueueAttributes": RINGS,
        "sqs:GetQueueUrl": RINGS,
        "sqs:SendMessage": RINGS,
    },
}
"""What a role asks seldom, and did not in the recording; some other role did."""

INGEST = {*ASKED["roles"]["api"], *SELDOM["api"]}
"""What the ingest asks: it takes files as the API does. The recording has no brokers for it."""

POLLED = "Lambda takes messages from the queue in the role's name"
NETWORK = "Lambda makes and removes the function's network interfaces in its name"
BROKER = (
    "librdkafka signs in as the role (adapters/stream/kafka/iam.py); brokers check what it does"
)
TRIGGER = "Lambda's trigger finds and reads the cluster in the role's name"
LOGGED = "Lambda and ECS write what a process says to the log in its name"
BY_OTHERS = {
    "logs:CreateLogStream": LOGGED,
    "logs:PutLogEvents": LOGGED,
    "logs:DescribeLogStreams": "VPC flow logs look for their stream",
    "ec2:": NETWORK,
    "kafka:": TRIGGER,
    "kafka-cluster:": BROKER,
    "ecr:": "ECS fetches the image in the role's name",
    "ecs:UpdateTaskProtection": "the task's agent asks in its name (adapters/protection/ecs.py)",
    "functions WorkerRole sqs:ReceiveMessage": POLLED,
    "functions WorkerRole sqs:DeleteMessage": POLLED,
    "functions WorkerRole sqs:GetQueueAttributes": POLLED,
    "functions NotifierRole sqs:ReceiveMessage": POLLED,
    "functions NotifierRole sqs:DeleteMessage": POLLED,
    "functions NotifierRole sqs:GetQueueAttributes": POLLED,
    "functions IngestRole sqs:SendMessage": "Lambda tells LeftOut of what it does not hand over",
}
"""What others ask in a role's name: an action, the service of one, or an action of one role."""

VIA = "kms:ViaService"
FIGURES = "Figures"
"""Statements of what obstore asks (adapters/objects/s3.py): it is no client of botocore's."""


def policies(templates, role, resource) -> Iterator[dict]:
    """Yield the policies of a role: its own, and those of the template of rights."""
    for one in resource["Properties"].get("Policies", ()):
        yield one["PolicyDocument"]
    for arn in resource["Properties"].get("ManagedPolicyArns", ()):
        name = (arn["Fn::If"][1] if "Fn::If" in arn else arn)["Ref"]
        yield templates["rights"]["Resources"][name]["Properties"]["PolicyDocument"]


def statements(templates, role) -> Iterator[dict]:
    """Yield what a role is granted, whatever conditions it has."""
    stem, _, name = role.partition(" ")
    for document in policies(templates, role, templates[stem]["Resources"][name]):
        for one in document["Statement"]:
            yield from [part for part in one["Fn::If"][1:] if "Action" in part] \
                if "Fn::If" in one else [one]  # fmt: skip


def listed(found) -> list:
    return found if isinstance(found, list) else [found]


def granted(templates, role) -> set[str]:
    """Return what a role may do to what its code asks for by itself."""
    return {
        action for one in statements(templates, role) if not elsewhere(one)
        for action in listed(one["Action"])
    }  # fmt: skip


def elsewhere(statement) -> bool:
    """Tell whether a statement is about what the recording does not hear of."""
    through = VIA in json.dumps(statement.get("Condition", {}))
    return through or statement.get("Sid", "").startswith(FIGURES)


def asked(role, permissions=ASKED) -> set[str]:
    """Return what whoever acts in a role was heard to ask."""
    return {action for who in ROLES[role] for action in permissions["roles"].get(who, ())}


def excuse(role, statement, action) -> str:
    """Return why a role may do what its code is not heard to ask; empty for no reason."""
    if elsewhere(statement):
        return "services use their key in the role's name, and figures go by way of obstore"
    if "ingest" in ROLES[role] and action in INGEST:
        return "it takes files as the API does"
    service = f"{action.partition(':')[0]}:"
    for name in (f"{role} {action}", action, service):
        if name in BY_OTHERS:
            return BY_OTHERS[name]
    seldom = [SELDOM.get(who, {}).get(action, "") for who in ROLES[role]]
    if action.startswith("dynamodb:") and ROLES[role] and role != "secrets RotationRole":
        seldom.append(ROWS.get(action.removeprefix("dynamodb:"), ""))
    return next(filter(None, seldom), "")


def lacking(templates, permissions=ASKED) -> list[str]:
    return [
        f"{role} {action}" for role in ROLES
        for action in sorted(asked(role, permissions) - granted(templates, role))
    ]  # fmt: skip


def superfluous(templates, permissions=ASKED) -> list[str]:
    return [
        f"{role} {action}"
        for role in ROLES
        for one in statements(templates, role)
        for action in listed(one["Action"])
        if action not in asked(role, permissions) and not excuse(role, one, action)
    ]


@pytest.fixture(scope="module")
def templates():
    return all_templates()


def test_every_role_is_known(templates):
    found = {
        f"{stem} {name}" for stem, template in templates.items()
        for name, one in template["Resources"].items() if one["Type"] == "AWS::IAM::Role"
    }  # fmt: skip
    assert found == ROLES.keys()
    assert {who for some in ROLES.values() for who in some} - {"ingest"} <= ASKED["roles"].keys()


def test_what_is_asked_is_granted(templates):
    assert lacking(templates) == []


def test_nothing_else_is_granted(templates):
    assert superfluous(templates) == []


def test_only_what_knows_no_resource_is_granted_on_all(templates):
    """And no action is a pattern."""
    for role in ROLES:
        for one in statements(templates, role):
            assert not [name for name in listed(one["Action"]) if "*" in name], role
            if one["Resource"] == "*":
                kinds = {name.partition(":")[0] for name in listed(one["Action"])}
                assert kinds <= {"ec2"} or one["Action"] == "ecr:GetAuthorizationToken", role


def test_what_is_excused_is_real(templates):
    """Reasons for what is not granted any more, or is heard now, do not stay."""
    every = {action for role in ROLES for action in granted(templates, role)}
    for name in BY_OTHERS:
        role, _, action = name.rpartition(" ")
        given = granted(templates, role) if role else every
        assert [one for one in given if one == action or (action[-1] == ":" and
                one.startswith(action))], name  # fmt: skip
    heard = {action for asked in ASKED["roles"].values() for action in asked}
    for role, some in SELDOM.items():
        assert some.keys() <= heard - ASKED["roles"][role].keys(), role
    assert {f"dynamodb:{name}" for name in ROWS} <= heard


def test_what_the_code_names_is_heard_or_has_a_reason():
    """A new call of AWS fails here: run scripts/aws_permissions.py."""
    known = ASKED["places"].keys() | ASKED["unheard"].keys()
    assert {str(place) for place in places()} == known
    assert strangers() == []
    assert all(ASKED["unheard"].values())


def test_what_only_the_operator_asks_is_granted_to_nobody(templates):
    every = {action for role in ROLES for action in granted(templates, role)}
    assert ASKED["roles"]["doctor"].keys() & every == set()


# -- it can fail -----------------------------------------------------------------------------------


@pytest.fixture
def changed(templates):
    return copy.deepcopy(templates)


@pytest.mark.parametrize(
    ("policy", "action", "role"),
    [
        ("State", "dynamodb:Query", "functions SweepRole"),
        ("State", "s3:ListBucket", "functions ApiRole"),
        ("Files", "s3:PutObject", "functions WorkerRole"),
        ("Posts", "ses:SendRawEmail", "functions NotifierRole"),
    ],
)
def test_a_right_that_is_missing_is_found(changed, policy, action, role):
    for one in changed["rights"]["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]:
        one["Action"] = [name for name in listed(one["Action"]) if name != action]
    assert f"{role} {action}" in lacking(changed)


@pytest.mark.parametrize(
    ("policy", "action", "role"),
    [
        ("State", "dynamodb:Scan", "functions ApiRole"),
        ("State", "s3:PutObject", "functions SweepRole"),
        ("State", "ses:SendEmail", "functions ApiRole"),
        ("Files", "s3:DeleteObjectVersion", "services WorkerRole"),
        ("Posts", "kms:GenerateDataKey", "functions NotifierRole"),
    ],
)
def test_a_right_too_many_is_found(changed, policy, action, role):
    given = changed["rights"]["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"]
    given.append({"Effect": "Allow", "Action": action, "Resource": "x"})
    assert f"{role} {action}" in superfluous(changed)


def test_code_that_asks_for_more_is_found(tmp_path):
    (tmp_path / "blobs/s3").mkdir(parents=True)
    (tmp_path / "web").mkdir()
    source = (SOURCES / "blobs/s3/cold.py").read_text()
    new = 'async def emptied(bucket):\n    await bucket.ask("delete_bucket", "")\n'
    (tmp_path / "blobs/s3/cold.py").write_text(source + new)
    (tmp_path / "web/mine.py").write_text("from mediamill.core import aws\nimport botocore\n")
    place = Place("blobs/s3/cold.py", "emptied", "s3", "DeleteBucket")
    assert place in places(tmp_path)
    assert str(place) not in ASKED["places"].keys() | ASKED["unheard"].keys()
    assert strangers(tmp_path) == ["web/mine.py"]
    assert operations("s3")["delete_bucket"] == "DeleteBucket"
