"""Every alert fires and stays quiet where it should, names what there is, and says what to do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from fastapi.routing import iter_route_contexts

from mediamill.web.app import routes
from tests.deploy.rules import wrong
from tests.support.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((PLACE / "alerts.yml").read_text())
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
TESTS = [
    test for path in PLACE.glob("tests/*.yml") for test in yaml.safe_load(path.read_text())["tests"]
]


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        unavailable("promtool is not installed: apt install prometheus")
    command = ["promtool", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def shown(folder: Path, group: str = "*") -> subprocess.CompletedProcess[str]:
    return promtool("test", "rules", *sorted(folder.glob(f"tests/{group}.yml")))


def test_rules_are_right_and_their_tests_hold():
    checked = promtool("check", "rules", PLACE / "alerts.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    told = shown(PLACE)
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_rule_that_changes_without_its_test_is_found(tmp_path):
    """The planted fault: a number, a time and a text."""
    shutil.copytree(PLACE, tmp_path / "prometheus")
    rules = tmp_path / "prometheus" / "alerts.yml"
    text = rules.read_text()
    page = "\n        labels: {severity: page}"
    planted = {f") > 10{page}": f") > 99{page}", "for: 2m": "for: 9m", "is slow": "slow"}
    for old, new in planted.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    rules.write_text(text)
    told = shown(tmp_path / "prometheus", "requests")
    failed = re.findall(r"alertname: (\w+)", told.stdout + told.stderr)
    assert {*failed} == {
        "MediamillServerErrors", "MediamillSlowRoute", "MediamillDown"
    }  # fmt: skip


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_shown_to_fire_and_to_stay_quiet(alert):
    cases = [one for test in TESTS for one in test["alert_rule_test"] if one["alertname"] == alert]
    assert {bool(case["exp_alerts"]) for case in cases} == {True, False}


def test_what_counts_beyond_increase_is_shown_with_a_series_that_is_born():
    """For increase() alone, what a series begins with has not grown."""
    whole = {name for name, rule in ALERTS.items() if " unless " in rule["expr"]}
    born = {
        case["alertname"]
        for test in TESTS
        if any(series["values"].startswith("_x") for series in test["input_series"])
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert whole == born
    away = {test["name"].partition(",")[0] for test in TESTS if "was away" in test["name"]}
    assert whole == away, "and with one that was not scraped for a while"
    begin_with_0 = {"store_retries", "mails", "events"}
    for name, rule in ALERTS.items():
        grown = re.findall(r"increase\(mediamill_(\w+?)(?:_total|_count)\{", rule["expr"])
        assert name in born | {"MediamillSlowRoute"} or {*grown} <= begin_with_0


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_names_what_is_measured_and_what_to_do(alert):
    rule = ALERTS[alert]
    assert [*wrong(rule["expr"])] == []
    assert rule["labels"]["severity"] in ("page", "ticket")
    told = rule["annotations"]
    assert all(told[part] for part in ("summary", "description"))
    path, _, anchor = told["runbook_url"].partition("/blob/main/")[2].partition("#")
    headings = re.findall(r"^## (\w+)$", (ROOT / path).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}
    assert set(headings) <= ALERTS.keys(), "a runbook for an alert that is gone"


@pytest.mark.parametrize(
    "expr",
    [
        'mediamill_redy{job="mediamill"} == 0',
        'mediamill_ready{route="/"} == 0',
        "sum by (owner) (mediamill_units)",
        "rate(mediamill_http_request_seconds[5m])",
        'rate(mediamill_http_requests_total{job="mediamill",code=~"5.."}[5m])',
    ],
)
def test_a_metric_or_label_that_is_not_there_is_found(expr):
    """The planted fault."""
    assert len([*wrong(expr)]) == 1


def test_all_actions_that_alerts_tell_to_look_for_are_logged():
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    for rule in ALERTS.values():
        for action in re.findall(r"`([a-z]+_[a-z_]+)`", rule["annotations"]["description"]):
            assert f'action="{action}"' in sources


def test_only_long_requests_are_left_out_of_slow_ones():
    expr = ALERTS["MediamillSlowRoute"]["expr"]
    (pattern,) = re.findall(r'route!~"([^"]*)"', expr)
    known = {one.path for one in iter_route_contexts(routes()) if one.path}
    out = {path for path in known if re.fullmatch(pattern, path)}
    for alternative in re.split(r"\|(?![^(]*\))", pattern):
        assert any(re.fullmatch(alternative, path) for path in known), alternative
    assert {"/v1/files/{file_id}/content", "/v1/uploads/{upload_id}", "/v1/events"} <= out
    usual = {"/v1/jobs", "/v1/files/{file_id}", "/", "/v1/auth/login", "/v1/projects"}
    assert usual <= known - out
    assert len(out) < len(known) / 4
