"""What the code asks of AWS and what the templates grant are the same, for each role.

What it asks is heard while it runs (`scripts/aws_permissions.py`) and stands in
`infra/aws/permissions.json`. Terraform's policies are made of the templates' own
(`scripts/terraform_sources.py`), which has a test of its own.
"""

import copy
import json
from collections.abc import Iterator

import pytest
from tests.support import reach
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

INGESTS = "takes files as the API does; the recording has no brokers for it"
SHARED = "one policy for all who change files"
INGEST = {
    **{f"dynamodb:{name}": INGESTS for name in
       ("BatchGetItem", "ConditionCheckItem", "DeleteItem", "DescribeTable", "GetItem", "PutItem",
        "Query", "UpdateItem")},
    **{f"s3:{name}": INGESTS for name in ("GetObject", "ListBucket", "PutObject", "DeleteObject")},
    **{f"s3:{name}": SHARED for name in
       ("AbortMultipartUpload", "ListBucketMultipartUploads", "ListMultipartUploadParts",
        "RestoreObject")},
    "kms:Decrypt": INGESTS,
    "kms:GenerateDataKey": INGESTS,
    "secretsmanager:GetSecretValue": INGESTS,
    "sqs:GetQueueAttributes": INGESTS,
    "sqs:GetQueueUrl": INGESTS,
    "sqs:SendMessage": INGESTS,
}  # fmt: skip
"""What the ingest asks: some other role was heard to."""

POLLED = "Lambda takes messages from the queue in the role's name"
NETWORK = "Lambda makes and removes the function's network interfaces in its name"
BROKER = (
    "librdkafka signs in as the role (adapters/stream/kafka/iam.py); brokers check what it does"
)
TRIGGER = "Lambda's trigger finds and reads the cluster in the role's name"
LOGGED = "Lambda and ECS write what a process says to the log in its name"
FLOWS = "VPC flow logs look for their group and stream, and make the stream, in the role's name"
FETCHED = "ECS fetches the image in the role's name"
NAMED = "models that a parameter names are asked; the recording has none, and nor has the default"
OF_KEY = "services use their key in the role's name"

FUNCTIONS = {f"functions {name}Role" for name in ("Api", "Worker", "Notifier", "Sweep", "Ingest")}
POLLING = {"functions WorkerRole", "functions NotifierRole"}
IN_A_NETWORK = {"functions NotifierRole", "functions IngestRole"}
INGESTING = {"functions IngestRole", "services IngestRole"}
WRITING = {"functions NotifierRole", "services WorkerRole"} | INGESTING
ASKING = {f"{of} {name}Role" for of in ("functions", "services") for name in ("Api", "Worker")}
LOGGING = FUNCTIONS | {"services StartRole", "secrets RotationRole"}

BY_OTHERS = {
    **dict.fromkeys(("logs:CreateLogStream", "logs:PutLogEvents"), (LOGGED, LOGGING)),
    **dict.fromkeys(reach.INTERFACES, (NETWORK, IN_A_NETWORK)),
    **dict.fromkeys(reach.LOOKS, (TRIGGER, {"functions IngestRole"})),
    **dict.fromkeys(reach.TRIGGER, (TRIGGER, {"functions IngestRole"})),
    **dict.fromkeys(
        (f"kafka-cluster:{name}" for name in
         ("Connect", "DescribeCluster", "DescribeTopic", "WriteData", "WriteDataIdempotently")),
        (BROKER, WRITING),
    ),
    **dict.fromkeys(
        (f"kafka-cluster:{name}" for name in
         ("ReadData", "CreateTopic", "DescribeGroup", "AlterGroup")),
        (BROKER, INGESTING),
    ),
    **dict.fromkeys(
        (f"ecr:{name}" for name in
         ("GetAuthorizationToken", "BatchCheckLayerAvailability", "BatchGetImage",
          "GetDownloadUrlForLayer")),
        (FETCHED, {"services StartRole"}),
    ),
    **dict.fromkeys(
        ("bedrock:InvokeModel", "sagemaker:InvokeEndpoint", "rekognition:DetectLabels"),
        (NAMED, ASKING),
    ),
    "ecs:UpdateTaskProtection": (
        "the task's agent asks in its name (adapters/protection/ecs.py)", {"services WorkerRole"},
    ),
    **dict.fromkeys(("sqs:ReceiveMessage", "sqs:DeleteMessage"), (POLLED, POLLING)),
}  # fmt: skip
"""What others ask in a role's name, or what is asked by parameters alone, and of which roles."""
BY_FLOWS = reach.FLOWS | {"logs:DescribeLogGroups"}
"""What VPC flow logs ask in the name of theirs."""

VIA = "kms:ViaService"
FIGURES = {"Figures": {"s3:GetObject", "s3:PutObject"}, "FiguresAreThere": {"s3:ListBucket"}}
"""What obstore asks (adapters/objects/s3.py), by statement: it is no client of botocore's."""


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
        action for one in statements(templates, role) for action in listed(one["Action"])
        if action not in elsewhere(one)
    }  # fmt: skip


def elsewhere(statement) -> set[str]:
    """Return what a statement lets be asked that the recording does not hear of."""
    if VIA in json.dumps(statement.get("Condition", {})):
        return reach.KEY
    return FIGURES.get(statement.get("Sid", ""), set())


def asked(role, permissions=ASKED) -> set[str]:
    """Return what whoever acts in a role was heard to ask."""
    return {action for who in ROLES[role] for action in permissions["roles"].get(who, ())}


def excuse(role, statement, action) -> str:
    """Return why a role may do what its code is not heard to ask; empty for no reason."""
    if action in elsewhere(statement):
        return OF_KEY
    if "ingest" in ROLES[role] and action in INGEST:
        return INGEST[action]
    if role == "network FlowRole" and action in BY_FLOWS:
        return FLOWS
    reason, roles = BY_OTHERS.get(action, ("", ()))
    if role in roles:
        return reason
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


def reached(templates) -> dict[str, dict[str, set[str]]]:
    """Return what each owner of a policy may ask of each place, as `reach.REACH` has it."""
    found: dict[str, dict[str, set[str]]] = {}
    for owner, one in reach.own_statements(templates):
        for place in listed(reach.text_of(one["Resource"])):
            found.setdefault(owner, {}).setdefault(place, set()).update(listed(one["Action"]))
    return found


def conditions(templates) -> dict[str, list]:
    """Return the conditions of the statements about a place, of one with none too."""
    found: dict[str, list] = {}
    for owner, one in reach.own_statements(templates):
        for place in listed(reach.text_of(one["Resource"])):
            found.setdefault(f"{owner} {place}", []).append(reach.text_of(one.get("Condition")))
    return {place: some for place, some in found.items() if any(some)}


def not_as_told(templates) -> list[str]:
    """Return whose rights are about other places, or hold on other conditions, than the table's."""
    found, told = reached(templates), {k: v for k, v in reach.REACH.items() if v}
    wrong = [who for who in found.keys() | told.keys() if found.get(who) != told.get(who)]
    if conditions(templates) != {place: [one] for place, one in reach.CONDITIONS.items()}:
        wrong.append("conditions")
    return sorted(wrong)


def test_rights_are_about_the_places_of_the_table_and_no_others(templates):
    assert not_as_told(templates) == []


def test_statements_let_and_name_nothing_the_other_way_round(templates):
    """No `NotAction`, no `NotResource`, and no action is a pattern."""
    for owner, one in reach.own_statements(templates):
        assert one.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}, owner
        assert one["Effect"] == "Allow", owner
        assert not [name for name in listed(one["Action"]) if "*" in name], owner


def test_what_templates_hand_on_as_places_is_no_pattern(templates):
    for name, one in templates["template"]["Resources"].items():
        given = reach.text_of(one["Properties"].get("Parameters", {}))
        assert not [key for key, text in given.items() if "*" in json.dumps(text)], name


def test_roles_are_taken_by_the_service_that_runs_there(templates):
    for role in ROLES:
        stem, _, name = role.partition(" ")
        trusted = templates[stem]["Resources"][name]["Properties"]["AssumeRolePolicyDocument"]
        (one,) = trusted["Statement"]
        service, condition = reach.TRUSTED[stem]
        assert one["Principal"] == {"Service": service}, role
        assert one["Action"] == "sts:AssumeRole"
        assert reach.text_of(one.get("Condition", {})) == condition, role


def test_what_is_excused_is_real(templates):
    """Reasons for what is not granted any more, or is heard now, do not stay."""
    for action, (_, roles) in BY_OTHERS.items():
        for role in roles:
            assert action in granted(templates, role) - asked(role), f"{role} {action}"
    assert granted(templates, "network FlowRole") == BY_FLOWS
    for role in INGESTING:
        assert INGEST.keys() <= granted(templates, role), role
    for sid, actions in FIGURES.items():
        given = [one for one in statements(templates, "services WorkerRole") if one["Sid"] == sid]
        assert [{*listed(one["Action"])} for one in given] == [actions], sid
    heard = {action for asked in ASKED["roles"].values() for action in asked}
    for role, some in SELDOM.items():
        assert some.keys() <= heard - ASKED["roles"][role].keys(), role
    assert {f"dynamodb:{name}" for name in ROWS} <= heard
    assert INGEST.keys() <= heard


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


EXCUSED = [
    ("functions NotifierRole", "Interfaces", "ec2:TerminateInstances"),
    ("functions NotifierRole", "Interfaces", "ec2:DescribeVpcs"),
    ("functions IngestRole", "TheTriggerFindsTheCluster", "kafka:DeleteCluster"),
    ("functions WorkerRole", "Takes", "sqs:PurgeQueue"),
    ("services StartRole", "Image", "ecr:PutImage"),
    ("rights Figures", "FiguresAreThere", "s3:PutBucketPolicy"),
    ("rights Brokers", "Writes", "kafka-cluster:DeleteTopic"),
    ("rights State", "ThroughTheirKey", "kms:ScheduleKeyDeletion"),
    ("rights Files", "Objects", "s3:PutObjectAcl"),
    ("network FlowRole", "Log", "logs:DeleteLogGroup"),
]


@pytest.mark.parametrize(("owner", "sid", "action"), EXCUSED)
def test_an_excuse_is_for_what_it_names_alone(changed, owner, sid, action):
    """Beside what others ask, in the very statement that has the excuse."""
    (one,) = [
        one for who, one in reach.own_statements(changed) if (who, one["Sid"]) == (owner, sid)
    ]
    one["Action"] = [*listed(one["Action"]), action]
    assert [found for found in superfluous(changed) if found.endswith(f" {action}")]
    assert not_as_told(changed) == [owner]


@pytest.mark.parametrize(
    ("owner", "sid", "said"),
    [
        ("rights State", "Objects", {"Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::*"}}),
        ("rights State", "Table", {"Resource": ["arn:aws:dynamodb:*:*:table/*"]}),
        ("rights State", "Secrets", {"Resource": "arn:aws:secretsmanager:*:*:secret:*"}),
        ("rights State", "Rings", {"Resource": {"Ref": "LeftOutArn"}}),
        ("rights Files", "Seals", {"Resource": "arn:aws:kms:*:*:key/*"}),
        ("rights Files", "Seals", {"Condition": {}}),
        ("rights State", "ThroughTheirKey", {"Condition": {}}),
        ("rights Figures", "Figures", {"Action": ["s3:GetObject", "s3:DeleteObject"]}),
    ],
)
def test_a_place_or_condition_that_is_not_told_is_found(changed, owner, sid, said):
    for who, one in reach.own_statements(changed):
        if (who, one["Sid"]) == (owner, sid):
            one.update(said)
    assert not_as_told(changed)


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
