"""What a month costs is worked out of what the templates make, and stands in the docs."""

import tomllib

import pytest
from scripts import aws_costs
from tests.support.templates import FOLDER, ROOT, all_templates, read

KNOWN = tomllib.loads((FOLDER / "prices.toml").read_text())
OF_BOTH = {None, "HasTable", "HasDeadLetters", "HasNoticeDeadLetters"}
WATCHED = {
    "functions": OF_BOTH | {"HasApi", "HasFunctions"},
    "services": OF_BOTH | {"HasCluster", "HasStayingWorkers", "HasCertificate"},
}
"""Conditions of alarms that hold, by what an installation runs as."""


def test_the_page_says_what_comes_of_the_prices():
    text = aws_costs.PAGE.read_text()
    assert aws_costs.page(text, KNOWN) == text, ".venv/bin/python scripts/aws_costs.py"
    dearer = {**KNOWN, "prices": {**KNOWN["prices"], "standard": 0.03}}
    assert aws_costs.page(text, dearer) != text


def test_every_price_is_in_one_sum():
    used = [name for names in aws_costs.GROUPS.values() for name in names]
    assert sorted(used) == sorted(KNOWN["prices"])
    asked = {
        name for said in KNOWN["sizes"].values()
        for name, _ in aws_costs.Size(**said).quantities()
    }  # fmt: skip
    assert asked == {*KNOWN["prices"]}
    assert {*KNOWN["compared"]} < asked


def test_what_is_counted_is_what_the_templates_make():
    from mediamill.core.metrics import CLASSES
    from mediamill.services.cloudwatch import COUNTED, KNOWN, TOLD

    assert len(CLASSES) * 3 + len(COUNTED) + len(TOLD) + len(KNOWN) == aws_costs.METRICS
    alarms = read(ROOT / "deploy/cloudwatch/alarms.yml")["Resources"].values()
    found = {
        run: sum(one.get("Condition") in which for one in alarms) for run, which in WATCHED.items()
    }
    templates = all_templates()
    scaling = templates["services"]["Resources"]
    tracked = scaling["AsManyAsThereIsWork"]["Properties"]
    said = tracked["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]
    measured = [scaling["WorkAndNoWorker"]["Properties"]["Metrics"], *[said["Metrics"]] * 2]
    found["services"] += sum("MetricStat" in one for some in measured for one in some)
    assert found == aws_costs.ALARMS
    keys = [
        name for stem, template in templates.items() if stem != "stream"
        for name, one in template["Resources"].items() if one["Type"] == "AWS::KMS::Key"
    ]  # fmt: skip
    assert len(keys) == aws_costs.KEYS
    wall = templates["edge"]["Resources"]["Wall"]["Properties"]
    assert len(wall["Rules"]) == aws_costs.RULES
    services = templates["services"]["Parameters"]
    assert services["WorkerCpu"]["Default"] == aws_costs.WORKER_CORES * 1024
    assert services["WorkerMemory"]["Default"] == aws_costs.WORKER_GB * 1024
    assert services["ScratchGigabytes"]["Default"] - 20 == aws_costs.SCRATCH_GB
    assert services["Servers"]["Default"] == aws_costs.SERVERS
    functions = templates["functions"]["Resources"]
    for name, gigabytes in (
        ("ApiFunction", aws_costs.API_GB),
        ("WorkerFunction", aws_costs.CALL_GB),
    ):
        memory = functions[name]["Properties"]["MemorySize"]
        assert memory / 1024 == pytest.approx(gigabytes, abs=0.01)
