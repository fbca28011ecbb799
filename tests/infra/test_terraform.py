"""Terraform's modules beside CloudFormation's templates: one source, and a part for each part."""

import json
import os
import re
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from tests.support.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import check_terraform  # noqa: E402
import terraform_sources  # noqa: E402
import terraform_texts  # noqa: E402

FOLDER = ROOT / "infra/terraform"
MODULES = sorted(path.name for path in (FOLDER / "modules").iterdir())
COUNTERPARTS = {
    "AWS::ApiGatewayV2::Api": "aws_apigatewayv2_api",
    "AWS::ApiGatewayV2::Integration": "aws_apigatewayv2_integration",
    "AWS::ApiGatewayV2::Route": "aws_apigatewayv2_route",
    "AWS::ApiGatewayV2::Stage": "aws_apigatewayv2_stage",
    "AWS::ApplicationAutoScaling::ScalableTarget": "aws_appautoscaling_target",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "aws_appautoscaling_policy",
    "AWS::Athena::WorkGroup": "aws_athena_workgroup",
    "AWS::CloudFront::CachePolicy": "aws_cloudfront_cache_policy",
    "AWS::CloudFront::Distribution": "aws_cloudfront_distribution",
    "AWS::CloudFront::ResponseHeadersPolicy": "aws_cloudfront_response_headers_policy",
    "AWS::CloudTrail::Trail": "aws_cloudtrail",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::CloudWatch::Dashboard": "aws_cloudwatch_dashboard",
    "AWS::Cognito::UserPool": "aws_cognito_user_pool",
    "AWS::Cognito::UserPoolClient": "aws_cognito_user_pool_client",
    "AWS::Cognito::UserPoolDomain": "aws_cognito_user_pool_domain",
    "AWS::Cognito::UserPoolGroup": "aws_cognito_user_group",
    "AWS::DynamoDB::Table": "aws_dynamodb_table",
    "AWS::EC2::EIP": "aws_eip",
    "AWS::EC2::FlowLog": "aws_flow_log",
    "AWS::EC2::InternetGateway": "aws_internet_gateway",
    "AWS::EC2::NatGateway": "aws_nat_gateway",
    "AWS::EC2::Route": "aws_route",
    "AWS::EC2::RouteTable": "aws_route_table",
    "AWS::EC2::SecurityGroup": "aws_security_group",
    "AWS::EC2::SecurityGroupIngress": "aws_vpc_security_group_ingress_rule",
    "AWS::EC2::Subnet": "aws_subnet",
    "AWS::EC2::SubnetRouteTableAssociation": "aws_route_table_association",
    "AWS::EC2::VPC": "aws_vpc",
    "AWS::EC2::VPCEndpoint": "aws_vpc_endpoint",
    "AWS::EC2::VPCGatewayAttachment": "aws_internet_gateway",  # its attribute vpc_id
    "AWS::ECS::Cluster": "aws_ecs_cluster",
    "AWS::ECS::Service": "aws_ecs_service",
    "AWS::ECS::TaskDefinition": "aws_ecs_task_definition",
    "AWS::ElasticLoadBalancingV2::Listener": "aws_lb_listener",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "aws_lb",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "aws_lb_target_group",
    "AWS::Events::Rule": "aws_cloudwatch_event_rule",
    "AWS::Glue::Database": "aws_glue_catalog_database",
    "AWS::Glue::Table": "aws_glue_catalog_table",
    "AWS::GuardDuty::Detector": "aws_guardduty_detector",
    "AWS::IAM::ManagedPolicy": "aws_iam_policy",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::KMS::Key": "aws_kms_key",
    "AWS::Lambda::EventSourceMapping": "aws_lambda_event_source_mapping",
    "AWS::Lambda::Function": "aws_lambda_function",
    "AWS::Lambda::Permission": "aws_lambda_permission",
    "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
    "AWS::MSK::Cluster": "aws_msk_cluster",
    "AWS::MSK::Configuration": "aws_msk_configuration",
    "AWS::S3::Bucket": "aws_s3_bucket",
    "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
    "AWS::SES::ConfigurationSet": "aws_sesv2_configuration_set",
    "AWS::SES::ConfigurationSetEventDestination": "aws_sesv2_configuration_set_event_destination",
    "AWS::SES::EmailIdentity": "aws_sesv2_email_identity",
    "AWS::SNS::Subscription": "aws_sns_topic_subscription",
    "AWS::SNS::Topic": "aws_sns_topic",
    "AWS::SNS::TopicPolicy": "aws_sns_topic_policy",
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::SecretsManager::RotationSchedule": "aws_secretsmanager_secret_rotation",
    "AWS::SecretsManager::Secret": "aws_secretsmanager_secret",
    "AWS::WAFv2::LoggingConfiguration": "aws_wafv2_web_acl_logging_configuration",
    "AWS::WAFv2::WebACL": "aws_wafv2_web_acl",
}
"""What Terraform calls what CloudFormation has."""
PARTS = {
    "aws_cloudwatch_event_target", "aws_default_security_group",
    "aws_ecs_cluster_capacity_providers", "aws_guardduty_detector_feature",
    "aws_iam_role_policy", "aws_iam_role_policy_attachment",
    "aws_s3_bucket_cors_configuration", "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_logging", "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_public_access_block", "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning", "aws_secretsmanager_secret_version",
    "aws_vpc_security_group_ingress_rule",
}  # fmt: skip
"""What is a resource in Terraform, and a property of one in CloudFormation."""
BUCKETS = {
    "aws_s3_bucket_public_access_block", "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_versioning", "aws_s3_bucket_server_side_encryption_configuration",
}  # fmt: skip
"""What each bucket has."""


def hand_written(module):
    """Return what stands in a module beside what the sources say."""
    paths = sorted((FOLDER / "modules" / module).glob("*.tf"))
    return "\n".join(path.read_text() for path in paths if path.name != "sources.tf")


def resources(module):
    found = re.findall(r'^resource "(\w+)" "(\w+)"', hand_written(module), re.MULTILINE)
    return {(kind, name) for kind, name in found}


def sources(module):
    return json.loads((FOLDER / "modules" / module / "sources.json").read_text())


def test_each_template_has_a_module():
    names = {path.stem for path in (ROOT / "infra/aws").glob("*.yaml")} - {"template"}
    assert set(MODULES) == names | {"alarms"}


def test_the_sources_are_what_the_templates_say():
    for path, text in terraform_sources.written().items():
        assert path.read_text() == text, f"{path}: run scripts/terraform_sources.py"


@pytest.mark.parametrize("module", MODULES)
def test_each_kind_of_resource_has_its_counterpart(module):
    """And Terraform has none that CloudFormation lacks."""
    wanted = {COUNTERPARTS[one["Type"]] for one in sources(module).values()}
    made = {kind for kind, _ in resources(module)}
    assert wanted <= made, wanted - made
    assert made - wanted <= PARTS, made - wanted - PARTS


@pytest.mark.parametrize("module", MODULES)
def test_each_resource_is_taken_by_its_name_or_its_kind(module):
    text = hand_written(module)
    for name, one in sources(module).items():
        snake = terraform_sources.snake(name)
        by_kind = f'"{one["Type"]}"' in text or module in ("alarms", "rights")
        named = re.search(rf'\b{name}\b|" "{snake}"', text)
        assert by_kind or named, f"{module}: nothing is made of {name}"


def test_every_bucket_is_closed_versioned_and_encrypted():
    for module in MODULES:
        made = resources(module)
        for kind, name in made:
            if kind == "aws_s3_bucket":
                assert {(one, name) for one in BUCKETS} <= made, (module, name)


def test_what_the_templates_retain_is_guarded():
    """And nothing beside it: each has an entry in the root's guard."""
    whole = terraform_texts.loaded(ROOT / "infra/aws/template.yaml")["Resources"]
    nested = {Path(one["Properties"]["TemplateURL"]) for one in whole.values()}
    kept = {
        terraform_sources.snake(name)
        for path in nested
        for name, one in terraform_texts.loaded(ROOT / "infra/aws" / path)["Resources"].items()
        if one.get("DeletionPolicy") == "Retain"
    }
    text = (FOLDER / "main.tf").read_text()
    (guard,) = re.findall(r'"terraform_data" "kept" {\n(.*?)^}', text, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"\b(\w+) += module", guard)) == kept
    assert "prevent_destroy = true" in guard


def test_the_root_puts_out_what_the_template_does():
    wanted = terraform_texts.loaded(ROOT / "infra/aws/template.yaml")["Outputs"]
    made = re.findall(r'^output "(\w+)"', (FOLDER / "outputs.tf").read_text(), re.MULTILINE)
    assert set(made) == {terraform_sources.snake(name) for name in wanted} | {"api_host"}


@pytest.mark.parametrize("module", MODULES)
def test_rules_of_a_group_are_resources_and_no_change_of_them_is_ignored(module):
    text = hand_written(module)
    assert not re.search(r'(dynamic "ingress"|^\s*ingress) {', text, re.MULTILINE)
    assert set(re.findall(r"ignore_changes = (.*)", text)) <= {"[desired_count]"}


def block(module, kind, name):
    """Return what stands in a resource of a module."""
    (text,) = re.findall(
        rf'^resource "{kind}" "{name}" {{\n(.*?)^}}', hand_written(module), re.MULTILINE | re.DOTALL
    )
    return text


def test_only_where_autoscaling_counts_a_changed_number_is_left_alone():
    assert "ignore_changes" in block("services", "aws_ecs_service", "workers")
    assert "ignore_changes" not in block("services", "aws_ecs_service", "service")


def test_a_secret_of_another_client_is_written_again():
    """A value that is only written is not compared."""
    secret = block("sign-in", "aws_secretsmanager_secret_version", "client_secret")
    assert "replace_triggered_by = [aws_cognito_user_pool_client.client.id]" in secret


def test_a_pattern_is_one_of_the_whole_value():
    text = (FOLDER / "sources.tf").read_text()
    (mails,) = re.findall(r'regex\("(.*)", var.mail_from\)', text)
    assert re.search(mails, "mill@example.org")
    assert not re.search(mails, "Mill <mill@example.org>")
    for path in FOLDER.rglob("sources.tf"):
        for pattern in re.findall(r'regex\("(.*)", var', path.read_text()):
            assert pattern.startswith("^(?:"), path
            assert pattern.endswith(")$"), path


def test_a_rule_speaks_of_variables():
    text = (FOLDER / "sources.tf").read_text()
    assert "set functions = false." in text
    assert 'set services = \\"whole\\".' in text
    assert "kafka_cluster needs its kafka_brokers." in text
    worker = '!(var.worker_image == "") || !(var.worker_code == "none")'
    assert f'!((var.functions ? "yes" : "no") == "yes") || ({worker})' in text


def test_the_provider_is_searched_for_by_version_and_processor():
    told = (ROOT / ".ci/run").read_text()
    patterns = [one.replace("$arch", "arm64") for one in re.findall(r'-path "(.*?)"', told)]
    place = "/plugins/registry.example/hashicorp/aws/"
    for name, found in {
        "5.100.0/linux_arm64": True,
        "terraform-provider-aws_5.100.0_linux_arm64.zip": True,
        "5.100.0/linux_amd64": False,
        "6.0.0/linux_arm64": False,
        "5.99.1/linux_arm64": False,
    }.items():
        assert any(fnmatch(place + name, one) for one in patterns) is found, name


def test_a_value_may_have_any_letter(tmp_path):
    """What fills a text of JSON is told as JSON does."""
    if check_terraform.program() is None:
        pytest.skip("terraform is missing")
    filled = terraform_sources._filled("Name", {"Type": "String"})
    (tmp_path / "main.tf").write_text(
        'variable "name" {}\n'
        'locals {\n  text = { it = "{\\"a\\": \\"$${Name}\\"}" }\n}\n'
        f"locals {{\n  given = {{ Name = {filled} }}\n}}\n"
        'output "it" {\n  value = jsondecode(templatestring(local.text["it"], local.given)).a\n}\n'
    )
    value = 'a "quoted" \\ <value> & $ %'
    done = check_terraform.terraform(
        tmp_path, "apply", "-auto-approve", "-no-color", f"-var=name={value}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = check_terraform.terraform(tmp_path, "output", "-json")
    assert json.loads(told.stdout)["it"]["value"] == value


def test_states_and_plans_stay_out_of_the_repository():
    """They hold secrets in clear."""
    names = [".terraform", "terraform.tfstate", "terraform.tfstate.backup", "mill.tfplan"]
    ignored = (ROOT / ".gitignore").read_text().split()
    for name in names:
        assert any(fnmatch(name, pattern.strip("/")) for pattern in ignored), name


def test_what_is_literal_here_is_what_the_templates_say():
    """Checkov reads no JSON: what it is to see is written out, so it is compared."""
    table, bucket = (sources("data")[name] for name in ("Table", "Bucket"))
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["BucketKeyEnabled"] is True
    for module in MODULES:
        for name, one in sources(module).items():
            if one["Type"] == "AWS::S3::Bucket":
                assert set(one["PublicAccessBlockConfiguration"].values()) == {True}, name
                assert one["VersioningConfiguration"] == {"Status": "Enabled"}, name
            if one["Type"] == "AWS::KMS::Key":
                assert one["EnableKeyRotation"] is True, name
            if one["Type"] == "AWS::SQS::Queue":
                assert one["SqsManagedSseEnabled"] is True, name


def test_the_whole_hands_every_parameter_on():
    """What the template gives to a nested one is an argument of its module."""
    text = (FOLDER / "main.tf").read_text()
    whole = terraform_texts.loaded(ROOT / "infra/aws/template.yaml")["Resources"]
    for name, stack in whole.items():
        (block,) = re.findall(
            rf'^module "{name.lower()}" {{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL
        )
        module = Path(stack["Properties"]["TemplateURL"]).stem
        assert f'source = "./modules/{module}"' in block
        given = set(re.findall(r"^  (\w+) *=", block, re.MULTILINE)) - {"source", "count"}
        wanted = {terraform_sources.snake(one) for one in stack["Properties"]["Parameters"]}
        assert wanted <= given, (name, wanted - given)
        assert given - wanted <= {"name", "protected", "watched", "has_figures", "has_models"}, (
            name,
            given - wanted,
        )
        assert ("count" in re.findall(r"^  (\w+)", block, re.MULTILINE)) == (
            "Condition" in stack
        ), name


def test_a_template_is_told_in_the_words_of_terraform():
    """Each function that the templates use, as `templatestring` takes it."""
    told = terraform_texts.translated({
        "Ref": {"Ref": "AWS::Region"},
        "Attribute": {"Fn::GetAtt": ["Table", "Arn"]},
        "Text": {"Fn::Sub": ["s3://${Bucket}/${Here}/${!day}", {"Here": {"Ref": "Name"}}]},
        "Joined": {"Fn::Join": ["", ["${secretsmanager:", {"Ref": "Secret"}, "}"]]},
        "Part": {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "Cluster"}]}]},
        "Either": {"Fn::If": ["HasIt", "a", {"Ref": "Name"}]},
        "OrNothing": {"Fn::If": ["HasIt", {"Ref": "Name"}, {"Ref": "AWS::NoValue"}]},
        "Literal": "100 %{ of } ${it}",
    })  # fmt: skip
    assert told == {
        "Ref": "${Region}",
        "Attribute": "${Table_Arn}",
        "Text": "s3://${Bucket}/${Name}/$${day}",
        "Joined": "$${secretsmanager:${Secret}}",
        "Part": "${Cluster_part1}",
        "Either": "%{ if HasIt }a%{ else }${Name}%{ endif }",
        "OrNothing": {"If": "HasIt", "Then": "${Name}", "Else": None},
        "Literal": "100 %%{ of } $${it}",
    }


def test_every_exception_has_a_reason(tmp_path):
    assert list(check_terraform.unreasoned(FOLDER)) == []
    told = '[[exception]]\ncheck = "CKV_AWS_1"\nresources = ["a.b"]\nreason = "no"\n'
    (tmp_path / "exceptions.toml").write_text(told)
    (tmp_path / "main.tf").write_text("#checkov:skip=CKV_AWS_1:it is so because it is so\n")
    assert len(list(check_terraform.unreasoned(tmp_path))) == 2


def test_files_are_formatted_and_a_file_that_is_not_is_found(tmp_path):
    if check_terraform.program() is None:
        if os.environ.get("TERRAFORM_PLUGINS"):
            unavailable("terraform is missing, though TERRAFORM_PLUGINS is set")
        pytest.skip("terraform is missing")
    assert list(check_terraform.unformatted(FOLDER)) == []
    (tmp_path / "main.tf").write_text("locals {\na=1\n}\n")
    assert "main.tf" in "".join(check_terraform.unformatted(tmp_path))
