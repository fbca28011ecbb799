"""The templates, deployed to the emulator that runs functions: a file goes all the way.

The emulator asks IAM whether each function may do what it does.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest
from tests.support.buckets import bucket_server
from tests.support.deploying import SERVICES, SUMMED, client_of, deployed, made
from tests.support.templates import FOLDER, LEFT_OUT, NESTED, all_templates, packaged, read

ON_AWS = {"BucketPolicy", "LogBucketPolicy", "FiguresPolicy"}
"""What is there only on AWS, and in a test of its own: the emulator has no TLS."""
CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/mill/751d2973-a626-431c-9d4e-d7975eb44dd7-2"
STREAM = {
    "KafkaCluster": CLUSTER, "KafkaBrokers": "127.0.0.1:1", "StreamTopics": "images=customer:acme",
}  # fmt: skip
SERVICE = {
    "Image": "mill@sha256:1", "Repository": "arn:aws:ecr:us-east-1:000000000000:repository/mill",
}  # fmt: skip
WHOLE = {
    **SERVICE, "Functions": "no", "Services": "whole", "PublicUrl": "https://mill.example.org",
    "Certificate": "arn:aws:acm:us-east-1:000000000000:certificate/c", "SignIn": "mill-people",
    "MailIdentity": "yes", "OperatorsMail": "operators@example.org", "SecondGateway": "yes",
    "LeastWorkers": "0",
}  # fmt: skip
NOVA = [f"arn:aws:bedrock:{region}::foundation-model/amazon.nova-lite-v1:0"
        for region in ("us-east-1", "us-west-2")]  # fmt: skip
SLOW_SECONDS = 400
"""Of a test that has functions started, on a machine that does much else."""
SENDER = "mill@example.org"
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    with bucket_server("ministack", folder, services=SERVICES) as server:
        mail = client_of(server, "sesv2")
        for address in (SENDER, "ann@example.org"):
            mail.create_email_identity(EmailIdentity=address)
        yield server


@pytest.fixture(scope="module")
def stack(server):
    """Functions with a stream, the usual way."""
    return deployed(server, "mill", Registration="true", MailFrom=SENDER, Lake="yes", **STREAM)


@pytest.fixture
async def ann(stack):
    """A client of somebody who has registered."""
    host = urlsplit(stack.outputs["Address"]).netloc
    account = {"email": "ann@example.org", "password": PASSWORD}
    async with httpx.AsyncClient(
        base_url=stack.server.endpoint, headers={"host": host}, timeout=60, trust_env=False
    ) as client:
        await client.post("/v1/auth/register", json=account)
        answer = await client.post("/v1/auth/login", json=account)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield client


def there(stack) -> dict[str, set[str]]:
    """Return the resources of each nested stack that have an id and are complete."""
    found: dict[str, set[str]] = {}
    for name, one in stack.resources.items():
        assert one["PhysicalResourceId"], name
        assert one["ResourceStatus"] == "CREATE_COMPLETE", name
        place, _, own = name.rpartition("/")
        found.setdefault(place, set()).add(own)
    return found


def wanted(stem: str, *conditions: str, named: Collection[str] = ()) -> set[str]:
    """Return the resources of a template, those with a condition where it holds.

    Of those that the emulator is not given as a rule only the ones that are named.
    """
    found = read(FOLDER / f"{stem}.yaml")["Resources"].items()
    return {
        name for name, one in found
        if one.get("Condition") in {None, *conditions}
        and one["Type"] not in LEFT_OUT and name not in (ON_AWS | {SUMMED}) - {*named}
    }  # fmt: skip


USUAL = {
    "Data": ("data",), "Mail": ("mail",), "Secrets": ("secrets",), "Figures": ("lake",),
    "Watch": ("watch", "HasTrail", "HasGuard"),
}  # fmt: skip


def test_every_resource_of_the_functions_is_there(stack):
    kafka = {
        "": ("template", "HasFunctions", "HasLake"), "Queues": ("queues", "HasStream"),
        "Rights": ("rights", "HasKafka", "HasFigures"), "Calls": ("functions", "HasKafka"),
    }  # fmt: skip
    found = there(stack)
    assert len(found.pop("Watch/Alarms")) > 25
    assert found == {place: wanted(*which) for place, which in (USUAL | kafka).items()}


def test_every_resource_of_the_services_is_there(server):
    """Without what the emulator cannot run: containers, and what it does not know at all."""
    stack = deployed(server, "whole", **WHOLE, Lake="yes", **STREAM)
    assert "whole-NoWorker" not in alarms_of(stack), "with LeastWorkers=0 there may be none"
    assert "whole-WorkersBusy" in alarms_of(stack)
    found = there(stack)
    services = {
        "": ("template", "HasServices", "HasSignIn", "HasLake"),
        "Queues": ("queues", "HasOperatorsMail"),
        "Rights": ("rights", "HasKafka", "HasFigures"),
        "People": ("sign-in",), "Network": ("network",),
        "Mail": ("mail", "MakesIdentity"),
        "Tasks": ("services", "IsWhole", "Ingests"),
    }  # fmt: skip
    assert len(found.pop("Watch/Alarms")) > 25
    assert found == {place: wanted(*which) for place, which in (USUAL | services).items()}


def test_workers_beside_functions_leave_them_their_messages(server):
    stack = deployed(
        server, "beside", **SERVICE, Services="workers", BedrockModels=",".join(NOVA),
        CaptionChain="bedrock:amazon.nova-lite-v1:0", Budget="12.5",
    )  # fmt: skip
    found = there(stack)
    assert found["Tasks"] == wanted("services")
    task = stack.client("ecs").describe_task_definition(
        taskDefinition=stack.physical("Tasks/WorkerTask")
    )["taskDefinition"]
    (container,) = task["containerDefinitions"]
    told = {one["name"]: one["value"] for one in container["environment"]}
    assert "&hear=none" in told["MEDIAMILL_BROKER_URL"]
    assert told["MEDIAMILL_PROTECTION_URL"] == "ecs:"
    assert told["MEDIAMILL_PUBLIC_URL"] == stack.outputs["Address"]
    asked = told["MEDIAMILL_CAPTION_CHAIN"], told["MEDIAMILL_BUDGET"], told["MEDIAMILL_USER_BUDGET"]
    assert asked == ("bedrock:amazon.nova-lite-v1:0", "12.5", "")
    assert told["MEDIAMILL_METRICS_INSTALLATION"] == "beside"
    assert "beside-NoWorker" in alarms_of(stack), "LeastWorkers is 1"
    _may_ask_nova_alone(stack)


def _may_ask_nova_alone(stack):
    """What is named may be asked by who works, and by nobody who does not."""
    iam = stack.client("iam")
    arn = stack.physical("Rights/Models")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    (one,) = document["Statement"]
    assert (one["Action"], one["Resource"]) == ("bedrock:InvokeModel", NOVA)
    for role, asks in (("Tasks/WorkerRole", True), ("Calls/WorkerRole", True),
                       ("Calls/NotifierRole", False), ("Calls/SweepRole", False)):  # fmt: skip
        having = iam.list_attached_role_policies(RoleName=stack.physical(role))
        found = arn in {policy["PolicyArn"] for policy in having["AttachedPolicies"]}
        assert found is asks, role


def alarms_of(stack):
    """Return the names of the alarms there are."""
    found = stack.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return {one["AlarmName"] for one in found.build_full_result()["MetricAlarms"]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"KafkaCluster": CLUSTER}, "KafkaBrokers"),
        ({"Services": "workers"}, "Image"),
        ({"Functions": "no"}, "Services=whole"),
        ({**WHOLE, "Functions": "yes"}, "Functions=no"),
        ({**WHOLE, "Certificate": ""}, "Certificate"),
        ({"SignIn": "mill-people"}, "PublicUrl"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_made(server, wrong, said):
    with pytest.raises(Exception, match=said):
        deployed(server, "wrong", **wrong)


def test_the_first_administrator_comes_from_elsewhere(stack, tmp_path):
    """As docs/how-to/aws.md has it: nobody has to leave registration open for it."""
    asked = stack.client("lambda").get_function_configuration(FunctionName="mill-api")
    told = {name: text for name, text in asked["Environment"]["Variables"].items() if text}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run(
        [sys.executable, "-m", "mediamill", "admin", "users", "create", "root@example.org",
         "--role", "admin", "--password-stdin"],
        env={**os.environ, **told, **keys, "AWS_DEFAULT_REGION": "us-east-1",
             "MEDIAMILL_HOME": str(tmp_path)},
        input=PASSWORD, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "root@example.org is here as admin" in done.stdout


def test_the_policies_of_buckets_are_there(server):
    """As on AWS, where TLS is asked for; the bucket's own template and that of figures alone."""
    buckets = []
    for stem, given in (("data", {}), ("lake", {"LogBucket": "logs"})):
        text = packaged(FOLDER / f"{stem}.yaml", lambda *_: "", lambda *_: None)
        stack = made(server, f"tls-{stem}", text, {"Name": f"tls-{stem}", **given})
        policies = wanted(stem, "IsAws", named={*ON_AWS}) & ON_AWS
        assert policies <= there(stack)[""]
        for name in policies:
            buckets.append(stack.physical(name.removesuffix("Policy")))
            said = server.client().get_bucket_policy(Bucket=buckets[-1])["Policy"]
            assert '"aws:SecureTransport": "false"' in json.dumps(json.loads(said))
    assert len(buckets) == len(ON_AWS)


def test_the_edge_is_there(tmp_path):
    """In another region and by itself, so its addresses are given."""
    text = packaged(FOLDER / "edge.yaml", lambda *_: "", lambda *_: None)
    given = {
        "Origin": "a1.execute-api.eu-central-1.amazonaws.com", "Address": "mill.example.org",
        "Certificate": "arn:aws:acm:us-east-1:000000000000:certificate/c",
    }  # fmt: skip
    with bucket_server(
        "ministack", tmp_path, services="cloudformation,cloudfront,wafv2,s3,kms,logs,iam,sts"
    ) as east:
        found = there(made(east, "edge", text, given))
    assert found == {"": wanted("edge")}


def test_what_is_left_out_is_what_the_emulator_does_not_have():
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    assert LEFT_OUT.isdisjoint(_RESOURCE_HANDLERS)
    used = {
        one["Type"] for template in all_templates().values()
        for one in template["Resources"].values()
    }  # fmt: skip
    assert used >= LEFT_OUT
    assert used - LEFT_OUT - {NESTED} <= _RESOURCE_HANDLERS.keys()


async def uploaded(client, name, data):
    """Send a file past the service, into the bucket."""
    told = {"filename": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    answer = await client.post("/v1/uploads/presigned", json=told)
    assert answer.status_code == 201, answer.text
    upload = answer.json()["links"]["self"]
    parts = (await client.get(f"{upload}/parts")).json()["data"]
    async with httpx.AsyncClient(trust_env=False, timeout=60) as other:
        for part in parts:
            request, some = part["request"], data[part["start"] : part["start"] + part["size"]]
            sent = await other.request(
                request["method"], request["url"], headers=request["headers"], content=some
            )
            assert sent.status_code == 200, sent.text
    answer = await client.post(f"{upload}/complete")
    assert answer.status_code in (200, 202), answer.text
    return await until(client, f"/v1/files/{answer.json()['id']}", "ready")


async def until(client, path, *states):
    """Ask until something is in one of some states."""
    async with asyncio.timeout(180):
        while True:
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            if answer.json()["state"] in states:
                return answer.json()
            assert answer.json()["state"] not in ("rejected", "failed"), answer.text
            await asyncio.sleep(0.3)


def heard(stack):
    """Return a queue that hears the topic of events; nobody else does."""
    sqs, topic = stack.client("sqs"), stack.physical("Queues/Events")
    queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = asked["Attributes"]["QueueArn"]
    lets = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage", "Resource": arn,
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [lets]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    stack.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return queue


@pytest.mark.timeout(SLOW_SECONDS)
async def test_a_file_goes_all_the_way(stack, ann):
    events = heard(stack)
    pixels = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    file = await uploaded(ann, "photo.png", cv2.imencode(".png", pixels)[1].tobytes())
    wish = {
        "files": [file["id"]],
        "steps": [{"operation": "thumbnail", "parameters": {}}],
        "notify": {"email": True},
    }
    answer = await ann.post("/v1/jobs", json=wish)
    assert answer.status_code == 202, answer.text
    job = await until(ann, f"/v1/jobs/{answer.json()['id']}", "succeeded")
    assert job["counts"]["succeeded"] == 1
    results = (await ann.get(f"/v1/jobs/{job['id']}/results")).json()
    assert results, "nothing came of it"
    async with asyncio.timeout(120):
        while not (mails := _mails(stack, "thumbnail")):
            await asyncio.sleep(0.3)
    assert len(mails) == 1
    told = stack.client("sqs").receive_message(QueueUrl=events, WaitTimeSeconds=20)["Messages"]
    assert json.loads(json.loads(told[0]["Body"])["Message"])["type"]
    assert (mails[0]["Source"], mails[0]["To"]) == (SENDER, ["ann@example.org"])


@pytest.mark.timeout(SLOW_SECONDS)
async def test_the_secret_of_links_is_changed_by_its_function(stack):
    """Its role lets it; the emulator's CloudFormation makes no schedule, so it is told to here."""
    keeper, name = stack.client("secretsmanager"), stack.physical("Secrets/LinkSecret")
    before = keeper.get_secret_value(SecretId=name)
    function = stack.client("lambda").get_function(
        FunctionName=stack.physical("Secrets/RotationFunction")
    )["Configuration"]["FunctionArn"]
    rules = {"AutomaticallyAfterDays": 30}
    await asyncio.to_thread(
        keeper.rotate_secret, SecretId=name, RotationLambdaARN=function, RotationRules=rules
    )
    async with asyncio.timeout(120):
        while keeper.get_secret_value(SecretId=name)["VersionId"] == before["VersionId"]:
            await asyncio.sleep(0.3)
    former = keeper.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")
    assert former["SecretString"] == before["SecretString"]


@pytest.mark.timeout(SLOW_SECONDS)
async def test_the_ingest_reads_an_event_and_its_rules(stack):
    """It is opened, with its stream; from a real broker it takes files in `tests/aws`."""
    event = {
        "eventSource": "aws:kafka", "eventSourceArn": CLUSTER,
        "bootstrapServers": "b-1.mill.a1bcde.c1.kafka.us-east-1.amazonaws.com:9098",
        "records": {"scans-0": [{
            "topic": "scans", "partition": 0, "offset": 15, "timestamp": 1545084650987,
            "timestampType": "CREATE_TIME", "key": "YWJj", "value": "/9j/4A==", "headers": [],
        }]},
    }  # fmt: skip
    function = {"FunctionName": stack.physical("Calls/IngestFunction")}
    invoke = stack.client("lambda").invoke
    answer = await asyncio.to_thread(invoke, **function, Payload=json.dumps(event))
    assert answer.get("FunctionError"), answer
    told = json.loads(answer["Payload"].read())
    assert told["errorMessage"] == "MEDIAMILL_STREAM_TOPICS has no rule for the topic scans."


def _mails(stack, about):
    """Return the mails whose subject names something; others are about the account."""
    answer = httpx.get(f"{stack.server.endpoint}/_ministack/ses/messages", trust_env=False)
    sent = [mail for mails in answer.json()["messages"].values() for mail in mails]
    return [mail for mail in sent if about in mail["Subject"]]
