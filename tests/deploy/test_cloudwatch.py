"""Alarms of CloudWatch go off and end on the emulator, and are about what is told."""

import asyncio
import io
import json
import re
import sys
import time
from dataclasses import replace

import pytest
import yaml
from structlog.testing import capture_logs

from mediamill.aws.environment import Environment
from mediamill.aws.sweep import Sweeps
from mediamill.cli.service import alone
from mediamill.core.clock import HOUR
from mediamill.core.metrics import ITEMS, REQUESTS, STORE_ERRORS, UNIT_SECONDS
from mediamill.engine.sweeping import CLASSES
from mediamill.services.cloudwatch import (
    COUNTED,
    DIMENSION,
    KNOWN,
    NAMESPACE,
    OTHERS,
    TOLD,
    Changes,
    line,
)
from mediamill.store.repositories.units import Unit
from tests.deploy.test_prometheus import ALERTS, ROOT
from tests.support.buckets import bucket_server
from tests.support.deploying import client_of
from tests.support.templates import Loader
from tests.web.conftest import mill  # noqa: F401 - a fixture

TEMPLATE = ROOT / "deploy" / "cloudwatch" / "alarms.yml"
RESOURCES = yaml.load(TEMPLATE.read_text(), Loader)["Resources"]
QUEUES = {f"units_{what}_{one}" for what in ("ready", "running", "waiting") for one in CLASSES}
MARGIN = 15
"""Seconds before the end of an alarm's time at which what is bad is said to have happened."""
ROUNDS = 120
"""Times that what is bad is told again; an alarm that is still quiet then never goes off."""
GIVEN = {
    "Installation": "mill",
    "Topic": "arn:aws:sns:us-east-1:000000000000:told", "Api": "api", "Functions": "yes",
    "Table": "mill", "DeadLetters": "dead", "NoticeDeadLetters": "n", "LeftOut": "l",
    "Cluster": "c", "Service": "s", "Database": "d",
    "Certificate": "arn:aws:acm:us-east-1:000000000000:certificate/c",
}  # fmt: skip


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    """A client of the emulator's CloudWatch, with all alarms deployed."""
    folder = tmp_path_factory.mktemp("watch")
    with bucket_server("ministack", folder, services="cloudformation,monitoring,sns,sqs") as server:
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in GIVEN.items()]
        stacks = client_of(server, "cloudformation")
        stacks.create_stack(
            StackName="alarms", TemplateBody=TEMPLATE.read_text(), Parameters=parameters
        )
        stacks.get_waiter("stack_create_complete").wait(
            StackName="alarms", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        yield client_of(server, "cloudwatch")


def alarms_of(watch) -> dict[str, dict]:
    found = watch.get_paginator("describe_alarms").paginate().build_full_result()
    return {one["AlarmName"]: one for one in found["MetricAlarms"]}


def in_state(watch, state: str) -> set[str]:
    return {name for name, one in alarms_of(watch).items() if one["StateValue"] == state}


def tell(watch, alarm: dict, value: float, at: float, times: int = 1) -> None:
    data = {"MetricName": alarm["MetricName"], "Dimensions": alarm.get("Dimensions", [])}
    point = {**data, "Timestamp": at, "Values": [value], "Counts": [times]}
    watch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[point])


def sides(alarm: dict) -> tuple[tuple[float, int], tuple[float, int]]:
    """Return what is wrong and what is right for an alarm: a value, and how often it is told."""
    limit = alarm["Threshold"]
    if alarm.get("Statistic") == "SampleCount":
        return (0, 1), (0, int(limit))
    above = alarm["ComparisonOperator"] == "GreaterThanThreshold"
    return (limit + 1 if above else limit - 1, 1), (0 if above else limit, 200)


def test_every_alarm_goes_off_and_ends(watch):
    """What is wrong is said to have happened long ago, so that its time is over in a moment."""
    alarms = alarms_of(watch)
    assert len(alarms) == len(RESOURCES) > 25
    assert in_state(watch, "INSUFFICIENT_DATA") == alarms.keys()
    own = {"Name": DIMENSION, "Value": GIVEN[DIMENSION]}
    ours = [one for one in alarms.values() if one["Namespace"] == NAMESPACE]
    assert ours
    assert all(one["Dimensions"] == [own] for one in ours), "another installation's set none off"
    for _ in range(ROUNDS):
        if not (quiet := alarms.keys() - in_state(watch, "ALARM")):
            break
        for name in quiet:
            alarm, ((bad, times), _) = alarms[name], sides(alarms[name])
            lasts = alarm["Period"] * alarm["EvaluationPeriods"]
            tell(watch, alarm, bad, time.time() - lasts + MARGIN, times)
        time.sleep(0.5)
    assert quiet == set(), "they cannot go off"
    while loud := in_state(watch, "ALARM"):
        for name in loud:
            _, (good, times) = sides(alarms[name])
            tell(watch, alarms[name], good, time.time(), times)
        time.sleep(1)
    assert in_state(watch, "OK") == alarms.keys()
    assert {one["AlarmActions"][0] for one in alarms.values()} == {GIVEN["Topic"]}


def test_what_is_right_sets_nothing_off(watch):
    """The planted fault is the other way round: a limit itself is no reason to wake somebody."""
    alarms = alarms_of(watch)
    for name, alarm in alarms.items():
        if alarm.get("Statistic") != "SampleCount":
            watch.delete_alarms(AlarmNames=[name])
            watch.put_metric_alarm(**{
                key: alarm[key]
                for key in ("AlarmName", "MetricName", "Statistic", "ExtendedStatistic", "Period",
                            "EvaluationPeriods", "Threshold", "ComparisonOperator")
                if alarm.get(key)
            } | {"Namespace": f"Other/{name}"})  # fmt: skip
            tell(watch, {**alarm, "Namespace": f"Other/{name}"}, alarm["Threshold"], time.time())
    assert in_state(watch, "ALARM") == set()


def test_alarms_are_about_what_is_told_and_lead_to_what_is_to_be_done():
    ours = {one["Properties"]["MetricName"] for one in RESOURCES.values()
            if one["Properties"]["Namespace"] == NAMESPACE}  # fmt: skip
    assert ours <= {*COUNTED, *TOLD, *KNOWN, *QUEUES}
    assert {*COUNTED, *TOLD, *KNOWN} - ours == {"items_succeeded", "units_open"}, (
        "told, and nobody is woken"
    )
    for one in RESOURCES.values():
        for anchor in re.findall(r"alerts\.md#(\w+)", one["Properties"]["AlarmDescription"]):
            assert anchor in {name.lower() for name in ALERTS}


async def test_a_process_tells_what_has_changed_since(mill):
    changes, numbers = Changes(mill.parts), mill.parts.numbers
    changes.take()
    for status in ("200", "500"):
        numbers.count(REQUESTS, "GET", "/v1/files", status)
    numbers.count(REQUESTS, "GET", "/health/ready", "503")
    numbers.count(ITEMS, "thumbnail", "failed", more=3)
    numbers.count(STORE_ERRORS, "get", "unavailable")
    numbers.time(UNIT_SECONDS, 1, "bulk", "items", "given_up")
    numbers.time(UNIT_SECONDS, 1, "bulk", "items", "done")
    numbers.time(UNIT_SECONDS, 1, "transfer", "fetch", "given_up")  # somebody's dead link
    mill.parts.told["mail", "refused"] += 2
    assert changes.take() == {
        "requests_failed": 1, "items_failed": 3, "store_errors": 1, "units_given_up": 1,
        "mails_failed": 2,
    }  # fmt: skip
    assert changes.take() == {}
    assert f'kind!~"{"|".join(OTHERS)}"' in ALERTS["MediamillUnitsGivenUp"]["expr"]


async def test_a_server_that_stays_tells_each_minute_what_it_counts_and_of_the_whole(
    mill, monkeypatch, capsys
):
    monkeypatch.setattr(alone, "TELL_SECONDS", 0.01)
    mill.parts.numbers.count(REQUESTS, "GET", "/v1/files", "500")
    told = ""
    async with alone.telling(mill, whole=True):
        while not told:
            await asyncio.sleep(0.01)
            told = capsys.readouterr().out
    first = json.loads(told.splitlines()[0])
    assert first["requests_failed"] == 1
    assert first.keys() >= QUEUES, "without a sweep on Lambda nobody else does"


async def test_what_came_in_the_last_minute_is_told_at_the_end(mill, capsys, monkeypatch):
    """Who ends early is who has failed."""
    for broken in (False, True):
        with capture_logs() as logs, monkeypatch.context() as patch:
            async with alone.telling(mill, whole=False):
                mill.parts.numbers.count(REQUESTS, "GET", "/v1/files", "500", more=50)
                if broken:
                    patch.setattr(sys, "stdout", Broken())
        assert [one["action"] for one in logs] == ["numbers_not_told"] * broken
    (told,) = capsys.readouterr().out.splitlines()
    assert json.loads(told)["requests_failed"] == 50
    assert QUEUES.isdisjoint(json.loads(told))


class Broken(io.StringIO):
    """A pipe whose reader is gone."""

    def flush(self) -> None:
        raise BrokenPipeError


async def test_what_is_kept_elsewhere_is_told_where_it_is_set_up(mill):
    """Each export and each look at the backups leaves a note in a row that all processes read."""
    whole, store = mill.whole, mill.store
    _, values = await whole.read()
    assert values.keys().isdisjoint({"figures_exported_hours", "backups_broken"})
    now = await store.now()
    broken = {"looked": {"broken": ["a"], "unread": ["b", "c"]}}
    for kind, payload in (("export_figures", {"exported": now - 3 * HOUR}), ("back_up", broken)):
        unit = Unit.chore(kind, kind, 0, "user_health", cost=1.0, now=now, due=now + HOUR)
        await mill.repositories.units.insert([unit.evolve(payload=payload).opened(now + HOUR)])
    _, values = await replace(whole, exports=True).read()
    assert values["figures_exported_hours"] == pytest.approx(3, abs=0.1)
    assert values["backups_broken"] == 3


async def test_the_whole_is_told_in_a_form_that_cloudwatch_takes(mill):
    _, values = await mill.whole.read()
    assert QUEUES <= values.keys() <= QUEUES | {*KNOWN}
    told = json.loads(line(values, 1_000))
    (directive,) = told.pop("_aws")["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    assert directive["Dimensions"] == [[]]
    assert [one["Name"] for one in directive["Metrics"]] == [*told]
    assert len(told) <= 100, "the most that one line may have"


async def test_an_installation_that_has_a_name_is_told_apart(mill, monkeypatch, capsys):
    """In each line that a process writes, on Lambda and elsewhere."""
    told = json.loads(line({"items_failed": 3}, 1_000, "mill"))
    (directive,) = told["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [[DIMENSION]]
    assert (told[DIMENSION], told["items_failed"]) == ("mill", 3)
    named = mill.settings.model_copy(update={"metrics_installation": "mill"})
    monkeypatch.setattr(mill, "settings", named)
    async with alone.telling(mill, whole=False):
        mill.parts.numbers.count(REQUESTS, "GET", "/v1/files", "500")
    assert json.loads(capsys.readouterr().out)[DIMENSION] == "mill"
    function = object.__new__(Environment)
    function.app, function._changes = mill, Changes(mill.parts)
    function._tell()
    assert json.loads(capsys.readouterr().out)[DIMENSION] == "mill"
    await Sweeps()._sweep(mill)
    assert json.loads(capsys.readouterr().out)[DIMENSION] == "mill"
