"""Terraform's real provider makes the functions on the emulator, and a file goes all the way there.

And it is undone. What the emulator has no servers for (the load balancer, Fargate, CloudFront, MSK)
is planned by the provider with every value that it checks, and not made.
"""

import json
import re
import sys
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from tests.infra.test_deployment import SENDER, until, uploaded
from tests.support.buckets import bucket_server
from tests.support.deploying import client_of, code
from tests.support.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import check_terraform  # noqa: E402

pytestmark = [pytest.mark.scan, pytest.mark.timeout(900)]
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
ACCOUNT = "arn:aws:{0}:us-east-1:000000000000:{1}"
VERSION = {"code_bucket": "code", "api_code": "mediamill.zip", "mail_from": SENDER}
PLANNED = {
    "services": {
        **VERSION,
        "image": "mill@sha256:" + "a" * 64,
        "repository": ACCOUNT.format("ecr", "repository/mill"),
        "certificate": ACCOUNT.format("acm", "certificate/751d2973-a626-431c-9d4e-d7975eb44dd7"),
    },
    "whole": {
        **VERSION,
        "image": "mill@sha256:" + "a" * 64,
        "worker_image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/worker@sha256:" + "a" * 64,
        "repository": ACCOUNT.format("ecr", "repository/mill"),
        "edge_certificate": ACCOUNT.format("acm", "certificate/751d2973-a626-431c-9d4e-d7975eb4"),
    },
    "stream": {"vpc": "vpc-1", "subnets": '["subnet-1","subnet-2"]', "clients": "sg-1"},
}  # fmt: skip
FOR_THE_EMULATOR = """
provider "aws" {
  region            = "us-east-1"
  s3_use_path_style = true
}

module "mill" {
  worker_code        = "mediamill.zip"
  worker_concurrency = 2
  registration       = true
  guard              = false
  endpoint           = "ENDPOINT"
}
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    if check_terraform.plugins() is None:
        pytest.skip("TERRAFORM_PLUGINS names no folder with Terraform's provider for AWS")
    if check_terraform.program() is None:
        unavailable("terraform is missing, though TERRAFORM_PLUGINS is set")
    with bucket_server("ministack", tmp_path_factory.mktemp("emulator"), services="") as server:
        store = server.client()
        store.create_bucket(Bucket="code")
        store.put_object(Bucket="code", Key="mediamill.zip", Body=code())
        for address in (SENDER, "ann@example.org"):
            client_of(server, "sesv2").create_email_identity(EmailIdentity=address)
        yield server


@pytest.fixture
def asked(emulator, monkeypatch):
    """What tells the provider whom to ask."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return emulator


def for_the_emulator(folder):
    """Change in a copy what the emulator asks IAM otherwise than AWS (`support/deploying.py`)."""
    path = folder / "modules/rights/sources.json"
    source = json.loads(path.read_text())
    said = {
        one.get("Sid"): one
        for policy in source.values()
        for one in policy["PolicyDocument"]["Statement"]
    }
    said["Mails"]["Resource"] = "*"
    said["Rings"]["Action"].append("sqs:SendMessageBatch")
    path.write_text(json.dumps(source))


def done(folder, *words):
    """Run Terraform; raises `AssertionError` with what it said."""
    answer = check_terraform.terraform(folder, *words)
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr
    return answer.stdout


async def test_a_file_goes_all_the_way_in_what_terraform_made(asked):
    variables = [f"-var={name}={value}" for name, value in {**VERSION, "worker_image": ""}.items()]
    given = ("-no-color", "-input=false", *variables)
    with check_terraform.copied() as copy:
        folder = copy / "examples/functions"
        told = FOR_THE_EMULATOR.replace("ENDPOINT", asked.endpoint)
        (folder / "emulator_override.tf").write_text(told)
        for_the_emulator(copy)
        check_terraform.initialised(folder)
        try:
            done(folder, "apply", "-auto-approve", *given)
            address = json.loads(done(folder, "output", "-json"))["address"]["value"]
            await _through(asked, address)
            _nothing_goes_while_it_is_protected(folder, given)
        finally:
            _taken_down(folder, given)
        assert json.loads(done(folder, "show", "-json")).get("values") is None
    assert client_of(asked, "lambda").list_functions()["Functions"] == []
    secrets = client_of(asked, "secretsmanager").list_secrets(IncludePlannedDeletion=True)
    assert secrets["SecretList"] == [], "its name would be taken for 30 days"


def changes(folder, *given):
    """Return the kinds of resources that one more run would change.

    The emulator tells of an alarm without its actions and dimensions.
    """
    done(folder, "plan", "-out=again.tfplan", *given)
    plan = json.loads(done(folder, "show", "-json", "again.tfplan"))
    return {
        one["type"] for one in plan["resource_changes"] if one["change"]["actions"] != ["no-op"]
    }


def _nothing_goes_while_it_is_protected(folder, given):
    for words in (["destroy", "-auto-approve"], ["apply", "-auto-approve", "-var=protected=false"]):
        answer = check_terraform.terraform(folder, *words, *given)
        assert answer.returncode == 1
        assert "prevent_destroy" in answer.stderr
    assert changes(folder, *given) <= {"aws_cloudwatch_metric_alarm"}


def _taken_down(folder, given):
    """As the page says; what is left of a run that failed goes too."""
    # it begins a rotation and knows no way to end one
    rotation = "module.mill.module.secrets.aws_secretsmanager_secret_rotation.rotation"
    for guard in (rotation, "module.mill.terraform_data.kept"):
        check_terraform.terraform(folder, "state", "rm", guard)
    unprotected = (*given, "-auto-approve", "-var=protected=false")
    check_terraform.terraform(folder, "apply", *unprotected)
    check_terraform.terraform(folder, "state", "rm", rotation)  # which was made once more
    done(folder, "destroy", *unprotected)


async def _through(server, address):
    """Send a photo and take its thumbnail, by the API that was made."""
    host = address.partition("://")[2]
    account = {"email": "ann@example.org", "password": "correct horse battery staple"}
    async with httpx.AsyncClient(
        base_url=server.endpoint, headers={"host": host}, timeout=60, trust_env=False
    ) as client:
        await client.post("/v1/auth/register", json=account)
        answer = await client.post("/v1/auth/login", json=account)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        pixels = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
        file = await uploaded(client, "photo.png", cv2.imencode(".png", pixels)[1].tobytes())
        wish = {"files": [file["id"]], "steps": [{"operation": "thumbnail", "parameters": {}}]}
        answer = await client.post("/v1/jobs", json=wish)
        assert answer.status_code == 202, answer.text
        job = await until(client, f"/v1/jobs/{answer.json()['id']}", "succeeded")
        assert job["counts"]["succeeded"] == 1
        assert (await client.get(f"/v1/jobs/{job['id']}/results")).json()


REFUSALS = {"deletion_protection", "deletion_protection_enabled", "enable_deletion_protection"}
MADE_BEFORE = {
    "services": [
        ("tasks.aws_lb.balancer", "network.aws_internet_gateway.gateway"),
        ("watch.aws_cloudtrail.asked", "data.aws_s3_bucket_policy.log_bucket_policy"),
        ("tasks.aws_ecs_service.service", "network.aws_route.out_b"),
        ("tasks.aws_ecs_service.workers", "network.aws_nat_gateway.nat"),
        ("tasks.aws_ecs_service.workers", "secrets.aws_secretsmanager_secret_version.first"),
    ],
    "whole": [
        ("calls.aws_lambda_function.function", "secrets.aws_secretsmanager_secret_version.first"),
        (
            "calls.aws_lambda_function.function",
            "people.aws_secretsmanager_secret_version.client_secret",
        ),
        (
            "secrets.aws_secretsmanager_secret_rotation.rotation",
            "secrets.aws_iam_role_policy.rotation_role",
        ),
        (
            "mail.aws_sesv2_configuration_set_event_destination.refused",
            "queues.aws_sns_topic_policy.operators_policy",
        ),
    ],
}
"""What AWS wants to be there before: the resource, and what it waits for."""
CERTIFICATE = """
resource "aws_acm_certificate" "mine" {
  domain_name       = "mill.example.org"
  validation_method = "DNS"
}
"""


def waits(graph):
    """Return what each resource waits for, over all ways of a graph."""
    edges = re.findall(r'"([^"]+)" -> "([^"]+)"', graph)
    after = {}
    for one, before in edges:
        after.setdefault(_short(one), set()).add(_short(before))
    found = {}
    for one in after:
        seen, left = set(), [one]
        while left:
            new = after.get(left.pop(), set()) - seen
            seen |= new
            left += new
        found[one] = seen
    return found


def _short(address):
    return address.removeprefix("module.mill.").removeprefix("module.").replace(".module.", ".")


@pytest.mark.parametrize("example", PLANNED)
def test_the_provider_plans_every_example(asked, example):
    with check_terraform.copied() as copy:
        folder = copy / "examples" / example
        if example == "services":  # with a certificate of the same run
            (folder / "mine.tf").write_text(CERTIFICATE)
            (folder / "mine_override.tf").write_text(
                'module "mill" {\n  certificate = aws_acm_certificate.mine.arn\n}\n'
            )
        check_terraform.initialised(folder)
        given = [f"-var={name}={value}" for name, value in PLANNED[example].items()]
        if example != "stream":
            given.append("-var=protected=false")
        done(folder, "plan", "-no-color", "-input=false", "-out=plan", *given)
        plan = json.loads(done(folder, "show", "-json", "plan"))
        order = waits(done(folder, "graph"))
    for one, before in MADE_BEFORE.get(example, []):
        assert before in order[one], f"{one} does not wait for {before}"
    for one in plan["resource_changes"]:
        values = one["change"]["after"] or {}
        assert {values.get(name) for name in REFUSALS} <= {None, False, "INACTIVE"}, one["address"]
        assert one["type"] != "aws_s3_bucket" or values["force_destroy"], one["address"]
    kinds = {one["type"] for one in plan["resource_changes"]}
    wanted = {
        "services": {"aws_ecs_service", "aws_lb", "aws_appautoscaling_policy", "aws_nat_gateway"},
        "whole": {"aws_cloudfront_distribution", "aws_wafv2_web_acl", "aws_cognito_user_pool",
                  "aws_glue_catalog_table", "aws_guardduty_detector", "aws_cloudtrail"},
        "stream": {"aws_msk_cluster"},
    }  # fmt: skip
    assert wanted[example] <= kinds


def test_the_provider_refuses_a_value_that_aws_would(asked):
    """Else a plan would show nothing."""
    with check_terraform.copied() as copy:
        folder = copy / "examples/stream"
        check_terraform.initialised(folder)
        given = [f"-var={name}={value}" for name, value in PLANNED["stream"].items()]
        path = copy / "modules/stream/sources.json"
        source = json.loads(path.read_text())
        source["Cluster"]["EnhancedMonitoring"] = "EVERYTHING"
        path.write_text(json.dumps(source))
        answer = check_terraform.terraform(folder, "plan", "-no-color", "-input=false", *given)
    assert answer.returncode == 1
    assert "EVERYTHING" in answer.stderr


def test_checkov_is_heard_and_an_exception_that_nothing_needs_is_found(tmp_path):
    if not check_terraform.CHECKOV.exists():
        unavailable("checkov is missing: make .venv/.judges-infra")
    (tmp_path / "exceptions.toml").write_text(
        '[[exception]]\ncheck = "CKV_AWS_119"\nresources = ["aws_sqs_queue.open"]\n'
        'reason = "There is no such thing here."\n'
    )
    (tmp_path / "main.tf").write_text('resource "aws_sqs_queue" "open" {\n  name = "open"\n}\n')
    found = "\n".join(check_terraform.unsafe(tmp_path))
    assert "CKV_AWS_27" in found, "a queue that is not encrypted"
    assert "nothing needs the exception CKV_AWS_119" in found


def test_what_the_provider_does_not_know_is_found(asked, tmp_path):
    (tmp_path / "examples").mkdir()
    provider = (ROOT / "infra/terraform/modules/data/sources.tf").read_text()
    (tmp_path / "main.tf").write_text(
        provider.partition("variable ")[0] + 'resource "aws_sqs_queue" "q" {\n  visible = 1\n}\n'
    )
    assert "visible" in "".join(check_terraform.rejected(tmp_path))
