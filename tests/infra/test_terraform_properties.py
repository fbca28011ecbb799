"""What a template says of a resource, Terraform says: taken from the source, or written alike."""

import re

import pytest
from tests.infra.test_terraform import MODULES, hand_written, sources, terraform_sources

ARGUMENTS = {
    "CatalogId": "database_name",
    "ClientName": "name",
    "ClusterName": "name",
    "DataVolumeKMSKeyId": "encryption_at_rest_kms_key_arn",
    "DeliverLogsPermissionArn": "iam_role_arn",
    "Destination": "destination_arn",
    "DestinationBucketName": "target_bucket",
    "GroupId": "security_group_id",
    "InternetGatewayId": "vpc_id",
    "KMSKeyId": "kms_key_id",
    "KMSMasterKeyID": "kms_master_key_id",
    "LogGroupName": "name",
    "OKActions": "ok_actions",
    "PolicyName": "name",
    "ResourceId": "(?:resource_id|vpc_id)",
    "ScalingTargetId": "resource_id",
    "SecretString": "secret_string_wo",
    "SourceSecurityGroupId": "referenced_security_group_id",
    "Topics": "(?:topics|arn)",
    "TrailName": "name",
    "UserPoolName": "name",
    "Value": "tags",
    "WebACLId": "web_acl_id",
    "deadLetterTargetArn": "redrive_policy",
    "deregistration_delay.timeout_seconds": "deregistration_delay",
}
"""What Terraform calls a reference, where it is not its name in small letters."""
LITERAL = {
    ("DeletionProtectionEnabled", True): "deletion_protection_enabled += var.protected",
    ("deletion_protection.enabled", "true"): "enable_deletion_protection += var.protected",
    (
        "routing.http.drop_invalid_header_fields.enabled",
        "true",
    ): "drop_invalid_header_fields += true",
    ("KeyType", "HASH"): "hash_key += .*KeySchema\\[0\\]",
    ("KeyType", "RANGE"): "range_key += .*KeySchema\\[1\\]",
    ("PointInTimeRecoveryEnabled", True): "point_in_time_recovery {\n +enabled = true",
    ("SSEEnabled", True): "server_side_encryption {\n +enabled = true",
    ("BucketKeyEnabled", True): "bucket_key_enabled += true",
    ("SSEAlgorithm", "aws:kms"): 'sse_algorithm += "aws:kms"',
    ("SSEAlgorithm", "AES256"): 'sse_algorithm += "AES256"',
    ("BlockPublicAcls", True): "block_public_acls += true",
    ("BlockPublicPolicy", True): "block_public_policy += true",
    ("IgnorePublicAcls", True): "ignore_public_acls += true",
    ("RestrictPublicBuckets", True): "restrict_public_buckets += true",
    ("EnableKeyRotation", True): "enable_key_rotation += true",
    ("ViewerProtocolPolicy", "redirect-to-https"): 'viewer_protocol_policy += "redirect-to-https"',
    ("MinimumProtocolVersion", "TLSv1.2_2021"): 'minimum_protocol_version += "TLSv1.2_2021"',
    ("SqsManagedSseEnabled", True): "sqs_managed_sse_enabled += true",
    ("maxReceiveCount", 5): "redrive_policy += ",
    ("DistributionConfig.Enabled", True): "enabled += true",
    ("PolicyName", "own"): "name += ",
    ("EnforceWorkGroupConfiguration", True): "enforce_workgroup_configuration += true",
    ("EncryptionOption", "SSE_S3"): 'encryption_option = "SSE_S3"',
    ("TlsPolicy", "REQUIRE"): 'tls_policy = "REQUIRE"',
    ("Fn::GetAZs", ""): "aws_availability_zones",
    ("Key", "Name"): "tags +=",
    ("ResourceType", "VPC"): "vpc_id +=",
    ("NetworkMode", "awsvpc"): 'network_mode += "awsvpc"',
    ("StatusCode", "HTTP_301"): 'status_code = "HTTP_301"',
    (
        "SslPolicy",
        "ELBSecurityPolicy-TLS13-1-2-2021-06",
    ): 'ssl_policy += "ELBSecurityPolicy-TLS13-1-2-2021-06"',
    ("AssignPublicIp", "DISABLED"): "assign_public_ip += false",
    ("DesiredCount", 1): "Ingest = 1",
    ("ClientBroker", "TLS"): 'client_broker = "TLS"',
    ("InCluster", True): "in_cluster += true",
    ("Unauthenticated.Enabled", False): "unauthenticated = false",
    ("Iam.Enabled", True): "iam = true",
    ("CloudWatchLogs.Enabled", True): "enabled += true",
    ("EnableLogFileValidation", True): "enable_log_file_validation += true",
    ("IncludeGlobalServiceEvents", True): "include_global_service_events += true",
    ("IsLogging", True): "enable_logging += true",
    ("IsMultiRegionTrail", True): "is_multi_region_trail += true",
    ("Enable", True): "enable += true",
}
"""What is written out, for checkov reads no JSON: the template's value, and Terraform's."""
WHOLE = {
    "PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument", "DashboardBody", "EventPattern",
    "Variables", "Options", "Parameters", "Type", "Condition", "If",
}  # fmt: skip
"""What is taken as it is, whatever is in it; and what is no property."""


def leaves(node, key=""):
    """Yield a resource's properties that hold nothing but a value."""
    if isinstance(node, dict) and set(node) == {"Key", "Value"} and node["Key"] != "Name":
        yield node["Key"], node["Value"]  # an attribute of a load balancer
    elif isinstance(node, dict):
        for name, one in node.items():
            if name not in WHOLE:
                inner = key if name in ("Then", "Else") else name
                yield from leaves(one, f"{key}.Enabled" if name == "Enabled" else inner)
    elif isinstance(node, list):
        for one in node:
            yield from leaves(one, key)
    elif node is not None:
        yield key, node


def untold(module, source, text):
    """Return the properties of a module's source that its Terraform does not say."""
    found = set()
    for name, one in source.items():
        for key, value in leaves(one):
            told = LITERAL.get((key, value))
            if ("." in key and key in ARGUMENTS) or re.search(r"[$@]\{", str(value)):
                told = rf"\b{ARGUMENTS.get(key, terraform_sources.snake(key))}\b +="
            named = re.search(rf"\b{re.escape(key)}\b", text)
            if not named and not (told and re.search(told, text)):
                found.add((module, f"{name}.{key}", value))
    return found


@pytest.mark.parametrize("module", MODULES)
def test_each_property_is_taken_or_written_out_alike(module):
    assert untold(module, sources(module), hand_written(module)) == set()


@pytest.mark.parametrize(
    ("module", "path", "value"),
    [
        (
            "edge",
            "Distribution.DistributionConfig.ViewerCertificate.MinimumProtocolVersion",
            "TLSv1",
        ),
        ("watch", "Asked.IsMultiRegionTrail", False),
        ("mail", "Mails.DeliveryOptions.TlsPolicy", "OPTIONAL"),
        ("stream", "Cluster.EncryptionInfo.EncryptionInTransit.ClientBroker", "TLS_PLAINTEXT"),
        ("stream", "Cluster.ClientAuthentication.Unauthenticated.Enabled", True),
        ("data", "Table.DeletionProtectionEnabled", False),
    ],
)
def test_a_template_that_says_otherwise_is_found(module, path, value):
    source = sources(module)
    *place, last = path.split(".")
    node = source
    for key in place:
        node = node[key]
    node[last] = value
    assert untold(module, source, hand_written(module))


@pytest.mark.parametrize(
    ("module", "argument"),
    [
        ("data", "global_secondary_index"), ("data", "deletion_protection_enabled"),
        ("queues", "redrive_policy"), ("functions", "function_response_types"),
        ("alarms", "alarm_actions"),
    ],
)  # fmt: skip
def test_an_argument_that_is_missing_is_found(module, argument):
    text = re.sub(rf".*\b{argument}\b.*\n", "", hand_written(module))
    text = text.replace("local.table.GlobalSecondaryIndexes", "") if "index" in argument else text
    assert untold(module, sources(module), text)
