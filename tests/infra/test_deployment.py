"""The template, deployed to the emulator that runs functions: a file goes all the way.

The emulator asks IAM whether each function may do what it does.
"""

import asyncio
import hashlib
import json
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import pytest
import yaml
from tests.support.buckets import bucket_server
from tests.support.deploying import SERVICES, TEMPLATE, client_of, deployed

CONDITIONAL = {"BucketPolicy"}
"""What is there only on AWS: the emulator has no TLS."""
CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/mill/751d2973-a626-431c-9d4e-d7975eb44dd7-2"
SENDER = "mill@example.org"
PASSWORD = "correct horse battery staple"


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as they are."""


Loader.add_multi_constructor("!", lambda loader, tag, node: {tag: _read(loader, node)})


def _read(loader, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


@pytest.fixture(scope="module")
def template():
    return yaml.load(TEMPLATE.read_text(), Loader)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    with bucket_server("ministack", folder, services=SERVICES) as server:
        mail = client_of(server, "sesv2")
        for address in (SENDER, "ann@example.org"):
            mail.create_email_identity(EmailIdentity=address)
        stream = {"KafkaBrokers": "127.0.0.1:1", "StreamTopics": "images=customer:acme"}
        yield deployed(
            server, "mill", Registration="true", MailFrom=SENDER, KafkaCluster=CLUSTER, **stream
        )


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


def functions(template):
    found = template["Resources"].items()
    return {name: one for name, one in found if one["Type"] == "AWS::Lambda::Function"}


def test_rows_and_bytes_can_be_brought_back(template):
    """And what users delete leaves the bucket all the same."""
    table, bucket = (template["Resources"][name]["Properties"] for name in ("Table", "Bucket"))
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {one["Id"]: one for one in bucket["LifecycleConfiguration"]["Rules"]}
    assert rules["deleted"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def test_functions_have_the_same_variables(template):
    """CloudFormation has no anchors: they are written out for each."""
    found = {
        name: {**one["Properties"]["Environment"]["Variables"]}
        for name, one in functions(template).items()
    }
    assert len(found) == 5
    streams = [
        (one.pop("MEDIAMILL_STREAM_URL"), one.pop("MEDIAMILL_STREAM_TOPICS"))
        for one in (found["NotifierFunction"], found["IngestFunction"])
    ]
    of_api = found.pop("ApiFunction")
    assert all(one == of_api for one in found.values())
    (of_notifier, same), (of_ingest, other) = streams
    assert same == other
    assert of_notifier == {"If": ["HasKafka", of_ingest, "none:"]}, (
        "an ingest there is with it only"
    )


def test_who_knows_of_the_stream_reaches_its_brokers_and_may_write_there(template):
    """Dead letters and results: both are written by idempotent producers."""
    resources, needed = template["Resources"], {"Connect", "DescribeTopic", "WriteData"}
    knowing = {
        name: one["Properties"]
        for name, one in functions(template).items()
        if "MEDIAMILL_STREAM_URL" in one["Properties"]["Environment"]["Variables"]
    }
    assert knowing.keys() == {"NotifierFunction", "IngestFunction"}
    for name, function in knowing.items():
        assert function["VpcConfig"]["If"][0] == "HasSubnets", name
        role = resources[function["Role"]["GetAtt"].removesuffix(".Arn")]["Properties"]
        (managed,) = [
            resources[ref]["Properties"] for ref in _refs(role["ManagedPolicyArns"])
            if ref == "Brokers"
        ]  # fmt: skip
        actions = [one["Action"] for one in managed["PolicyDocument"]["Statement"]]
        given = {action.removeprefix("kafka-cluster:") for some in actions for action in some}
        assert given >= needed | {"WriteDataIdempotently"}, name
        assert "AWSLambdaVPCAccessExecutionRole" in str(role["ManagedPolicyArns"]), name


def _refs(found):
    """Yield what is referred to in a part of the template."""
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, dict):
            for name, inner in one.items():
                yield from [inner] if name == "Ref" else _refs(inner)


def test_a_message_is_hidden_for_six_times_as_long_as_a_call_takes(template):
    resources = template["Resources"]
    for calls, function, queue in (
        ("WorkCalls", "WorkerFunction", "WorkQueue"),
        ("NoticeCalls", "NotifierFunction", "NoticeQueue"),
    ):
        assert resources[calls]["Properties"]["FunctionName"] == {"Ref": function}
        seconds, kept = resources[function]["Properties"]["Timeout"], resources[queue]["Properties"]
        assert kept["VisibilityTimeout"] >= 6 * seconds
        shown = kept["RedrivePolicy"]["maxReceiveCount"]
        assert kept["MessageRetentionPeriod"] > shown * kept["VisibilityTimeout"], (
            "it would be forgotten before it is a dead letter"
        )


def test_the_table_is_as_the_store_makes_it(template):
    from mediamill.store.dynamodb.table import description

    table, wanted = template["Resources"]["Table"]["Properties"], description("t", protected=True)
    for part in ("BillingMode", "KeySchema", "GlobalSecondaryIndexes"):
        assert table[part] == wanted[part]
    named = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    asked = {one["AttributeName"]: one["AttributeType"] for one in wanted["AttributeDefinitions"]}
    assert named == asked


def test_every_resource_is_there(stack, template):
    wanted = template["Resources"].keys() - CONDITIONAL
    assert stack.resources.keys() == wanted
    for name, one in stack.resources.items():
        assert one["PhysicalResourceId"], name
        assert one["ResourceStatus"] == "CREATE_COMPLETE", name


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
    async with asyncio.timeout(90):
        while True:
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
            if answer.json()["state"] in states:
                return answer.json()
            assert answer.json()["state"] not in ("rejected", "failed"), answer.text
            await asyncio.sleep(0.3)


async def test_a_file_goes_all_the_way(stack, ann):
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
    async with asyncio.timeout(60):
        while not (mails := _mails(stack, "thumbnail")):
            await asyncio.sleep(0.3)
    assert len(mails) == 1
    assert (mails[0]["Source"], mails[0]["To"]) == (SENDER, ["ann@example.org"])


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
    function = {"FunctionName": stack.physical("IngestFunction")}
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
