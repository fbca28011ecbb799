"""What the templates say, read without deploying them."""

import json
import re
import subprocess
import sys

import pytest
from tests.support.deploying import SUMMED
from tests.support.templates import LEFT_OUT, ROOT, all_templates, read, resources

TEMPLATES = all_templates()


def of(stem):
    return TEMPLATES[stem]["Resources"]


def variables(stem="functions"):
    """Return the variables of each function of a template."""
    return {
        name: one["Properties"]["Environment"]["Variables"]
        for name, one in of(stem).items() if one["Type"] == "AWS::Lambda::Function"
    }  # fmt: skip


def test_rows_and_bytes_can_be_brought_back():
    """And what users delete leaves the bucket all the same."""
    table, bucket = (of("data")[name]["Properties"] for name in ("Table", "Bucket"))
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {one["Id"]: one for one in bucket["LifecycleConfiguration"]["Rules"] if "Id" in one}
    assert rules["deleted"]["NoncurrentVersionExpiration"] == {
        "NoncurrentDays": {"Ref": "DeletedDays"}
    }
    assert TEMPLATES["template"]["Parameters"]["DeletedDays"]["Default"] == 1
    (cold,) = [one["Fn::If"][1] for one in bucket["LifecycleConfiguration"]["Rules"]
               if "Fn::If" in one]  # fmt: skip
    assert cold["Prefix"] == "mill/files/", "results and records are read at any time"


def test_what_is_kept_stays_when_the_stack_goes():
    kinds = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::Cognito::UserPool"}
    apart = {"edge", "stream"}  # of these nothing is lost that is not made anew
    for stem, name, one in resources():
        if one["Type"] in kinds and stem not in apart:
            assert one.get("DeletionPolicy") == one.get("UpdateReplacePolicy") == "Retain", name
    for name in ("Data", "Figures", "People"):
        assert of("template")[name]["DeletionPolicy"] == "Retain", "a nested stack takes all along"


def test_buckets_are_encrypted_closed_versioned_and_asked_by_tls_only():
    found = [*resources("AWS::S3::Bucket")]
    assert len(found) == 3
    for stem, name, one in found:
        said = one["Properties"]
        assert said["BucketEncryption"], name
        assert said["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(said["PublicAccessBlockConfiguration"].values()) == {True}
        assert said["LifecycleConfiguration"]["Rules"], name
        (policy,) = [
            other["Properties"]["PolicyDocument"] for other in of(stem).values()
            if other["Type"] == "AWS::S3::BucketPolicy"
            and other["Properties"]["Bucket"] == {"Ref": name}
        ]  # fmt: skip
        (denied,) = [part for part in policy["Statement"] if part["Effect"] == "Deny"]
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert denied["Principal"] == "*"


def test_functions_have_the_same_variables():
    """CloudFormation has no anchors: they are written out for each."""
    found = {name: {**one} for name, one in variables().items()}
    assert len(found) == 5
    streams = [
        (one.pop("MEDIAMILL_STREAM_URL"), one.pop("MEDIAMILL_STREAM_TOPICS"))
        for one in (found["NotifierFunction"], found["IngestFunction"])
    ]
    of_api = found.pop("ApiFunction")
    assert all(one == of_api for one in found.values())
    assert streams[0] == streams[1]


def test_services_have_the_variables_that_functions_have():
    """Only the broker differs: a function is called, a worker hears."""
    calls, tasks = (of("template")[name]["Properties"]["Parameters"] for name in ("Calls", "Tasks"))
    urls = {name for name in calls if name.endswith(("Url", "Secret"))} - {"PublicUrl"}
    assert len(urls) == 11
    assert {name for name in urls if calls[name] != tasks[name]} == {"BrokerUrl"}
    asked = {*variables()["NotifierFunction"]}
    for name, one in of("services").items():
        if one["Type"] == "AWS::ECS::TaskDefinition":
            (container,) = one["Properties"]["ContainerDefinitions"]
            told = {variable["Name"] for variable in container["Environment"]}
            assert told > asked, name
            assert container["ReadonlyRootFilesystem"] is True
            assert container["User"] == "10001:10001", "as deploy/docker/Dockerfile has it"


def test_settings_that_are_named_are_there():
    from mediamill.core.settings import PREFIX, Settings

    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    told = {name for some in variables().values() for name in some}
    for one in of("services").values():
        if one["Type"] == "AWS::ECS::TaskDefinition":
            (container,) = one["Properties"]["ContainerDefinitions"]
            told |= {variable["Name"] for variable in container["Environment"]}
    assert {name for name in told if name.startswith(PREFIX)} <= known


def test_models_are_asked_by_who_is_told_and_only_those_that_are_named():
    """Nobody may ask any unless a parameter says so."""
    top = TEMPLATES["template"]["Parameters"]
    for name, nothing in (("BedrockModels", ""), ("SageMakerEndpoints", ""), ("Rekognition", "no")):
        assert top[name]["Default"] == nothing
    policy = of("rights")["Models"]
    assert policy["Condition"] == "HasModels"
    said = policy["Properties"]["PolicyDocument"]["Statement"]
    assert [one["Fn::If"][0] for one in said] == ["HasBedrock", "HasSageMaker", "HasRekognition"]
    for stem in ("functions", "services"):
        having = {
            name for name, one in of(stem).items() if one["Type"] == "AWS::IAM::Role" and
            {"Fn::If": ["HasModels", {"Ref": "Models"}, {"Ref": "AWS::NoValue"}]}
            in one["Properties"].get("ManagedPolicyArns", ())
        }  # fmt: skip
        assert having == {"ApiRole", "WorkerRole"}, "who tries a provider, and who asks it"


def test_what_nobody_chose_is_as_if_it_were_not_set(monkeypatch):
    """Templates have no way to leave a variable out: they set it to nothing."""
    from mediamill.core.settings import Settings

    named = {"CaptionChain", "LabelChain", "PromptChain", "Budget", "UserBudget"}
    for name in named:
        assert TEMPLATES["template"]["Parameters"][name]["Default"] == ""
    before = Settings()
    for variable, said in variables()["WorkerFunction"].items():
        if said.get("Ref") in named:
            monkeypatch.setenv(variable, "")
            named.remove(said["Ref"])
    assert not named
    assert Settings() == before
    monkeypatch.setenv("MEDIAMILL_BUDGET", "12.5")
    assert Settings().budget == 12.5


def test_who_knows_of_the_stream_reaches_its_brokers_and_may_write_there():
    """Dead letters and results: both are written by idempotent producers."""
    needed = {"Connect", "DescribeTopic", "WriteData", "WriteDataIdempotently"}
    statements = of("rights")["Brokers"]["Properties"]["PolicyDocument"]["Statement"]
    given = {
        action.removeprefix("kafka-cluster:") for one in statements for action in one["Action"]
    }
    assert given >= needed
    knowing = {name for name, one in variables().items() if "MEDIAMILL_STREAM_URL" in one}
    assert knowing == {"NotifierFunction", "IngestFunction"}
    for name in knowing:
        function = of("functions")[name]["Properties"]
        assert function["VpcConfig"]["Fn::If"][0] == "HasSubnets", name
        role = of("functions")[function["Role"]["Fn::GetAtt"][0]]["Properties"]
        assert '"Brokers"' in json.dumps(role["ManagedPolicyArns"]), name
        own = json.dumps(role["Policies"])
        assert "ec2:CreateNetworkInterface" in own, name


def test_a_message_is_hidden_for_six_times_as_long_as_a_call_takes():
    queues = TEMPLATES["queues"]
    for calls, function, queue, seconds in (
        ("WorkCalls", "WorkerFunction", "WorkQueue", "WorkSeconds"),
        ("NoticeCalls", "NotifierFunction", "NoticeQueue", "NoticeSeconds"),
    ):
        assert of("functions")[calls]["Properties"]["FunctionName"] == {"Ref": function}
        kept = queues["Resources"][queue]["Properties"]
        assert kept["VisibilityTimeout"] == {"Ref": seconds}
        hidden = queues["Parameters"][seconds]["Default"]
        assert hidden >= 6 * of("functions")[function]["Properties"]["Timeout"]
        assert kept["MessageRetentionPeriod"] > kept["RedrivePolicy"]["maxReceiveCount"] * hidden, (
            "it would be forgotten before it is a dead letter"
        )
    assert "WorkSeconds" not in of("template")["Queues"]["Properties"]["Parameters"]


def test_the_table_is_as_the_store_makes_it():
    from mediamill.store.dynamodb.table import description

    table, wanted = of("data")["Table"]["Properties"], description("t", protected=True)
    for part in ("BillingMode", "KeySchema", "GlobalSecondaryIndexes"):
        assert table[part] == wanted[part]
    named = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    asked = {one["AttributeName"]: one["AttributeType"] for one in wanted["AttributeDefinitions"]}
    assert named == asked


def test_the_table_of_figures_is_as_the_program_writes_it():
    command = [sys.executable, "-m", "mediamill", "analytics", "schema", "glue"]
    said = subprocess.run(
        [*command, "--url", "s3://${Figures}/figures"], check=True, capture_output=True
    ).stdout
    wanted = json.loads(said)
    place = wanted["Parameters"]["storage.location.template"]
    wanted["Parameters"]["storage.location.template"] = {
        "Fn::Sub": place.replace("${day}", "${!day}")
    }
    location = wanted["StorageDescriptor"]["Location"]
    wanted["StorageDescriptor"]["Location"] = {"Fn::Sub": location}
    assert of("lake")["FiguresTable"]["Properties"]["TableInput"] == wanted


def test_every_function_has_a_role_and_a_log_of_its_own():
    roles = [one["Properties"]["Role"]["Fn::GetAtt"][0] for _, _, one in functions()]
    assert len({*roles}) == len(roles) == 6
    for stem, name, one in functions():
        log = of(stem)[name.replace("Function", "Log")]["Properties"]
        assert log["LogGroupName"] == {
            "Fn::Sub": "/aws/lambda/" + one["Properties"]["FunctionName"]["Fn::Sub"]
        }
        role = json.dumps(of(stem)[name.replace("Function", "Role")])
        assert f'"{name.replace("Function", "Log")}", "Arn"' in role, "it may write no other"


def functions():
    return [*resources("AWS::Lambda::Function")]


def test_every_log_ends():
    found = [*resources("AWS::Logs::LogGroup")]
    assert len(found) == 11
    for _, name, one in found:
        assert one["Properties"]["RetentionInDays"] == {"Ref": "LogDays"}, name
        assert one["Properties"]["KmsKeyId"], name


def statements(document):
    """Yield the statements of a policy, those under a condition too."""
    for one in document["Statement"]:
        yield from [one] if "Effect" in one else [part for part in one["Fn::If"][1:] if part != {
            "Ref": "AWS::NoValue"}]  # fmt: skip


def policies():
    """Yield what each role and policy is given, with its name."""
    for _, name, one in resources("AWS::IAM::Role"):
        for policy in one["Properties"].get("Policies", ()):
            for statement in statements(policy["PolicyDocument"]):
                yield name, statement
    for _, name, one in resources("AWS::IAM::ManagedPolicy"):
        for statement in statements(one["Properties"]["PolicyDocument"]):
            yield name, statement


ANY = {
    "Interfaces": "EC2 knows no resource for a function's interfaces",
    "TheTriggerLooksForItsNetwork": "EC2 knows no resource for these",
    "SignsInToRegistries": "ECR knows no resource for it",
    "Rekognition": "it knows no resource for what it is sent; Rekognition=yes lets it alone",
}
"""Statements about any resource, and why."""


def test_no_role_may_do_what_it_is_not_told():
    found = [*policies()]
    assert len(found) > 25
    for name, one in found:
        actions = [one["Action"]] if isinstance(one["Action"], str) else one["Action"]
        assert not [action for action in actions if "*" in action], (name, one)
        assert one["Resource"] != "*" or one.get("Sid") in ANY, (name, one)
    assert {*ANY} == {one.get("Sid") for _, one in found if one["Resource"] == "*"}


def described():
    """Yield what EC2 is told of groups and their rules, wherever it stands in a template."""
    for stem, name, one in resources():
        if one["Type"].startswith("AWS::EC2::SecurityGroup"):
            said, rules = one["Properties"], [one["Properties"]]
            for side in ("SecurityGroupEgress", "SecurityGroupIngress"):
                rules += said.get(side, [])
            yield from ((f"{stem} {name}", rule.get("GroupDescription")) for rule in rules[:1])
            yield from ((f"{stem} {name}", rule.get("Description")) for rule in rules)


def test_descriptions_of_groups_are_what_ec2_takes():
    """No apostrophe: it refuses the whole stack for one. Nobody who looks at templates knows.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    """
    found = [(name, text) for name, text in described() if text]
    assert len(found) > 10
    wrong = [
        one
        for one in found
        if not re.fullmatch(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}", one[1])
    ]
    assert wrong == []


def test_no_role_has_a_policy_of_somebody_else():
    for _, name, one in resources("AWS::IAM::Role"):
        said = json.dumps(one["Properties"].get("ManagedPolicyArns", []))
        assert "iam::aws:policy" not in said, name


def test_the_secret_of_links_rotates_by_a_function_for_it_alone():
    from mediamill.aws import rotation

    schedule = of("secrets")["Rotation"]["Properties"]
    assert schedule["RotationLambdaARN"] == {"Fn::GetAtt": ["RotationFunction", "Arn"]}
    assert schedule["RotationRules"]["AutomaticallyAfterDays"] == {"Ref": "RotationDays"}
    function = of("secrets")["RotationFunction"]["Properties"]
    assert function["Handler"] == f"{rotation.__name__}.{rotation.handler.__name__}"
    told = json.dumps(of("template")["Calls"]["Properties"]["Parameters"]["FormerSecret"])
    assert "stage=AWSPREVIOUS" in told


def test_workers_are_as_many_as_units_ask_for_and_protect_themselves():
    tracked = of("services")["AsManyAsThereIsWork"]["Properties"]
    said = tracked["TargetTrackingScalingPolicyConfiguration"]
    names = json.dumps(said["CustomizedMetricSpecification"])
    for name in ("units_open", "units_ready_long", "units_running_long"):
        assert f'"{name}"' in names
    role = json.dumps(of("services")["WorkerRole"])
    assert "ecs:UpdateTaskProtection" in role
    assert "TheFirst" in json.dumps(of("services")["WorkAndNoWorker"]["Properties"]["AlarmActions"])


def test_events_may_use_the_key_of_the_topics_without_a_source():
    """SNS has no `aws:Source…` of EventBridge: with one nobody would hear what GuardDuty finds."""
    key = of("data")["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    rules = [one["Properties"] for _, _, one in resources("AWS::Events::Rule")]
    told = [target["Arn"] for rule in rules for target in rule["Targets"]]
    assert {"Ref": "Operators"} in told, "a topic, which the key encrypts"
    (one,) = [one for one in key if "events.amazonaws.com" in json.dumps(one["Principal"])]
    assert {*one["Action"]} == {"kms:Decrypt", "kms:GenerateDataKey"}
    ((kind, condition),) = one["Condition"].items()
    assert (kind, *condition) == ("ArnLike", "kms:EncryptionContext:aws:sns:topicArn")
    topic = of("queues")["OperatorsPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (publishes,) = [one for one in topic if "events.amazonaws.com" in json.dumps(one["Principal"])]
    assert "aws:Source" not in json.dumps([one, publishes])


def test_what_autoscaling_says_is_set_back_by_no_deployment():
    """ECS takes the count of a template at each change of a service, whatever scaling has done."""
    scaled = {
        found
        for _, _, one in resources("AWS::ApplicationAutoScaling::ScalableTarget")
        for found in re.findall(r"\$\{(\w+)\.Name\}", one["Properties"]["ResourceId"]["Fn::Sub"])
    }
    assert scaled == {"Workers"}
    for name, one in of("services").items():
        if one["Type"] == "AWS::ECS::Service":
            assert ("DesiredCount" in one["Properties"]) == (name not in scaled), name


def test_a_server_is_replaced_when_it_is_dead_and_not_when_aws_is():
    from mediamill.cli.service.server import PROXIED_IDLE_SECONDS

    targets = of("services")["Targets"]["Properties"]
    assert targets["HealthCheckPath"] == "/health/live", "it asks nobody"
    said = of("services")["Balancer"]["Properties"]["LoadBalancerAttributes"]
    kept = {one["Key"]: one["Value"] for one in said}["idle_timeout.timeout_seconds"]
    origin = of("edge")["Distribution"]["Properties"]["DistributionConfig"]["Origins"][0]
    for seconds in (int(kept), origin["CustomOriginConfig"]["OriginKeepaliveTimeout"]):
        assert seconds < PROXIED_IDLE_SECONDS, "who asks lets go first, else there are 502s"


def test_signed_thumbnails_are_cached_by_their_address_alone():
    from mediamill.web.thumbnails import address_of

    (behaviour,) = [
        one for one in of("edge")["Distribution"]["Properties"]["DistributionConfig"][
            "CacheBehaviors"] if "thumbnails" in one["PathPattern"]
    ]  # fmt: skip
    assert address_of("x").startswith(behaviour["PathPattern"].removesuffix("*"))
    cached = of("edge")["Signed"]["Properties"]["CachePolicyConfig"]
    key = cached["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    assert key["HeadersConfig"] == {"HeaderBehavior": "none"}
    assert cached["MinTTL"] == cached["DefaultTTL"] == 0, "the answer says for how long"


def test_who_waits_is_answered_before_the_edge_and_the_balancer_give_up():
    """CloudFront would ask again and say 504; more than 60 seconds are not to be had unasked."""
    from mediamill.web.gateway import LONGEST_SECONDS

    (origin,) = of("edge")["Distribution"]["Properties"]["DistributionConfig"]["Origins"]
    (idle,) = [
        one["Value"]
        for _, _, balancer in resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
        for one in balancer["Properties"]["LoadBalancerAttributes"]
        if one["Key"] == "idle_timeout.timeout_seconds"
    ]
    most = min(origin["CustomOriginConfig"]["OriginReadTimeout"], int(idle))
    assert most <= 60
    assert most - LONGEST_SECONDS >= 5


def test_numbers_are_of_one_installation_wherever_they_are_used():
    """Two of one account and region would scale, and ring, by each other's work."""
    from mediamill.services.cloudwatch import DIMENSION, NAMESPACE

    own, used = {"Name": DIMENSION, "Value": {"Ref": "Name"}}, 0
    for stem, _, one in resources():
        for metric in measured(one):
            if metric["Namespace"] == NAMESPACE:
                assert metric["Dimensions"] == [own], (stem, metric)
                used += 1
    assert used == 3, "scaling, the first worker"
    alarms = read(ROOT / "deploy/cloudwatch/alarms.yml")["Resources"]
    named = [{"Name": DIMENSION, "Value": {"Ref": DIMENSION}}]
    for name, one in alarms.items():
        if one["Properties"]["Namespace"] == NAMESPACE:
            assert one["Properties"]["Dimensions"]["Fn::If"][:2] == ["IsNamed", named], name
    given = of("watch")["Alarms"]["Properties"]["Parameters"]
    assert given[DIMENSION] == {"Ref": "Name"}
    setting = "MEDIAMILL_METRICS_INSTALLATION"
    assert all(one[setting] == {"Ref": "Name"} for one in variables().values())
    for name, one in of("services").items():
        if one["Type"] == "AWS::ECS::TaskDefinition":
            (container,) = one["Properties"]["ContainerDefinitions"]
            assert {"Name": setting, "Value": {"Ref": "Name"}} in container["Environment"], name


def measured(value):
    """Yield each metric that is named somewhere in a resource."""
    if isinstance(value, list):
        for one in value:
            yield from measured(one)
    elif isinstance(value, dict):
        if {"Namespace", "MetricName"} <= value.keys():
            yield value
        for one in value.values():
            yield from measured(one)


def test_no_worker_is_no_alarm_where_there_may_be_none():
    conditions = read(ROOT / "deploy/cloudwatch/alarms.yml")
    assert conditions["Resources"]["NoWorker"]["Condition"] == "HasStayingWorkers"
    stays = conditions["Conditions"]["HasStayingWorkers"]["Fn::And"]
    assert {"Fn::Equals": [{"Ref": "Stays"}, "yes"]} in stays
    assert of("watch")["Alarms"]["Properties"]["Parameters"]["Stays"] == {"Ref": "Stays"}
    said = of("template")["Watch"]["Properties"]["Parameters"]["Stays"]
    assert said == {"Fn::If": ["WorkersStay", "yes", "no"]}
    asked = TEMPLATES["template"]["Conditions"]["WorkersStay"]
    assert asked == {"Fn::Not": [{"Fn::Equals": [{"Ref": "LeastWorkers"}, 0]}]}


OF_BODIES_AND_PATHS = {
    "AWSManagedRulesCommonRuleSet": {
        "SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY",
        "EC2MetaDataSSRF_BODY", "SizeRestrictions_URIPATH", "CrossSiteScripting_URIPATH",
        "GenericLFI_URIPATH", "GenericRFI_URIPATH", "EC2MetaDataSSRF_URIPATH",
        "RestrictedExtensions_URIPATH", "RestrictedExtensions_QUERYARGUMENTS",
    },
    "AWSManagedRulesKnownBadInputsRuleSet": {
        "JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY",
        "JavaDeserializationRCE_URIPATH", "Log4JRCE_URIPATH", "ExploitablePaths_URIPATH",
    },
    "AWSManagedRulesAmazonIpReputationList": set(),
}  # fmt: skip
"""The rules of each group of AWS's that look at what users send or name: files, prompts, members.

https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
"""


def test_the_firewall_only_counts_what_users_may_well_send():
    found = {}
    for rule in of("edge")["Wall"]["Properties"]["Rules"]:
        if group := rule["Statement"].get("ManagedRuleGroupStatement"):
            overrides = group.get("RuleActionOverrides", [])
            assert all(one["ActionToUse"] == {"Count": {}} for one in overrides)
            found[group["Name"]] = {one["Name"] for one in overrides}
    assert found == OF_BODIES_AND_PATHS


def test_an_address_may_send_a_set_of_files_before_it_is_refused():
    """And is told when to come again, which our own program then does."""
    from scripts.aws_costs import REQUESTS

    assert TEMPLATES["edge"]["Parameters"]["Requests"]["Default"] >= 5_000 * REQUESTS
    (often,) = [one for one in of("edge")["Wall"]["Properties"]["Rules"] if "Action" in one]
    response = often["Action"]["Block"]["CustomResponse"]
    assert response["ResponseCode"] == 429
    assert {one["Name"] for one in response["ResponseHeaders"]} == {"Retry-After"}


def test_no_log_of_requests_has_addresses():
    """Links have their tokens in paths, sign-in in queries: nobody is to read them there."""
    left_out = of("edge")["WallLogs"]["Properties"]["RedactedFields"]
    for one in ({"UriPath": {}}, {"QueryString": {}}, {"SingleHeader": {"Name": "cookie"}}):
        assert one in left_out
    # a log of CloudFront's or a load balancer's has all of it, and no way to leave some out
    distribution = of("edge")["Distribution"]["Properties"]["DistributionConfig"]
    assert "Logging" not in distribution
    said = of("services")["Balancer"]["Properties"]["LoadBalancerAttributes"]
    assert not [one["Key"] for one in said if one["Key"].startswith(("access_logs", "connection_"))]
    told = of("functions")["ApiStage"]["Properties"]["AccessLogSettings"]["Format"]
    assert not re.search(r"path|query|\$context\.routeKey|referer", told, re.IGNORECASE)


def test_the_dashboard_shows_what_is_told():
    from mediamill.core.metrics import CLASSES
    from mediamill.services.cloudwatch import COUNTED, DIMENSION, KNOWN, TOLD

    body = of("watch")["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    shown, queues = json.loads(body)["widgets"], {
        f"units_{what}_{one}" for what in ("ready", "running", "waiting") for one in CLASSES
    }  # fmt: skip
    ours = 0
    for widget in shown:
        space = ""
        for space_or_dot, name, *of_what in widget["properties"]["metrics"]:
            space = space if space_or_dot in {".", "..."} else space_or_dot
            if space == "Mediamill":
                assert name in {*COUNTED, *TOLD, *KNOWN, *queues}
                assert of_what[:2] in ([DIMENSION, "${Name}"], [".", "."]), name
                ours += 1
    assert ours > 20


def test_parameters_that_are_passed_are_those_that_are_asked_for():
    """cfn-lint says what is missing; this says what nobody passes and has no default."""
    for stem, template in TEMPLATES.items():
        for name, one in template["Resources"].items():
            if one["Type"] == "AWS::CloudFormation::Stack" and stem == "template":
                inner = one["Properties"]["TemplateURL"].removesuffix(".yaml")
                asked = TEMPLATES[inner]["Parameters"]
                given = {*one["Properties"]["Parameters"]}
                assert given <= {*asked}, name
                assert {k for k, v in asked.items() if "Default" not in v} <= given, name


PAGE = (ROOT / "docs/how-to/aws.md").read_text()
SAID = {
    "AWS::ApplicationAutoScaling::ScalableTarget": "scaling of services",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "scaling of services",
    "AWS::CloudTrail::Trail": "CloudTrail",
    "AWS::EC2::EIP": "NAT gateways and their addresses",
    "AWS::EC2::FlowLog": "flow logs",
    "AWS::EC2::NatGateway": "NAT gateways",
    "AWS::EC2::SecurityGroupIngress": "rules of security groups that are resources of their own",
    "AWS::GuardDuty::Detector": "GuardDuty",
    "AWS::MSK::Cluster": "MSK",
    "AWS::MSK::Configuration": "MSK and its configuration",
    "AWS::SecretsManager::RotationSchedule": "the schedule of rotation",
    "AWS::WAFv2::LoggingConfiguration": "WAF's log",
}
"""What the page says of kinds that were never made."""


@pytest.mark.parametrize(
    "page", ["docs/how-to/aws.md", "docs/how-to/terraform.md", "infra/aws/worker.Dockerfile"]
)
def test_the_image_of_functions_is_built_as_lambda_takes_it(page):
    """For its processors, and no index: a builder makes one of an image and its provenance."""
    functions_of = [of("functions")[name]["Properties"] for name in variables()]
    (asked,) = {part for one in functions_of for part in one["Architectures"]}
    lines = (ROOT / page).read_text().replace("\\\n", "").splitlines()
    built = [one for one in lines if "docker b" in one and "worker.Dockerfile" in one]
    assert built
    wanted = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}[asked]
    for one in built:
        assert f"--platform {wanted} --provenance=false" in one


def test_the_page_names_what_was_never_made():
    assert SAID.keys() == LEFT_OUT
    (said,) = [one for one in PAGE.split("\n- ") if one.startswith("Not deployed anywhere")]
    said = " ".join(said.split())
    assert [text for text in {*SAID.values(), SUMMED} if text not in said] == []


@pytest.mark.parametrize("kind", sorted(LEFT_OUT))
def test_what_no_emulator_has_is_read_at_least(kind):
    """Its properties are what AWS's own schemas have: cfn-lint looks, in `make check`."""
    assert [*resources(kind)], "nothing is left out that is not there"
