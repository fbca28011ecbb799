"""All that `/metrics` shows is declared, with its labels, and all that is declared is shown."""

import re
from pathlib import Path
from typing import get_args

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

import mediamill
from mediamill.analytics.noting import KIND, noted
from mediamill.core import metrics
from mediamill.core.backups import LastBackup, note_backup
from mediamill.core.clock import DAY
from mediamill.core.declaring import Kind, Metric
from mediamill.core.metrics import METRICS
from mediamill.core.numbers import Numbers
from mediamill.engine.asking.meter import Meter
from mediamill.services.retention import Overdue
from mediamill.services.stream.rules import topics_of
from mediamill.services.sums import Kept, Spend
from mediamill.store.port import Put
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.circuits import Circuit
from mediamill.store.repositories.results import ItemOutcome
from mediamill.store.repositories.retention import Sweep
from mediamill.store.repositories.stream import StreamPartition, watched
from mediamill.store.repositories.units import Unit
from mediamill.store.watching import Operation, Reason
from mediamill.web.app import create_app
from mediamill.web.metrics.alone import create_alone
from mediamill.web.metrics.exposing import read_own
from mediamill.web.metrics.own import counted
from mediamill.web.metrics.shared import Shared
from tests.support.certificates import certificates
from tests.support.places import EACH_STORE
from tests.web.conftest import client_of
from tests.web.test_uploading import PNG

SOURCES = Path(mediamill.__file__).parent


def undeclared(text: str) -> set[str]:
    """Return what a scrape shows and nobody has declared so."""
    found = set()
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        known = METRICS.get(name)
        for sample in family.samples:
            labels = {*sample.labels} - {"le"}
            if known is None or family.type != known.kind or labels != {*known.labels}:
                found.add(f"{sample.name}{sorted(labels)}")
    return found


def names(metrics) -> set[str]:
    return {sample.name for family in metrics for sample in family.samples}


async def test_what_a_service_shows_is_declared_with_its_labels(mill, ann, nobody):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()
    await ann.client.get(f"/v1/files/{file['id']}")
    text = (await nobody.get("/metrics")).text
    assert undeclared(text) == set()
    assert f"mediamill_upload_bytes_total {float(len(PNG))}" in text
    assert 'mediamill_kept_bytes{what="files"}' in text
    assert "mediamill_accounts 2.0" in text
    assert 'mediamill_store_seconds_count{operation="transact"}' in text
    planted = text + '# TYPE mediamill_new gauge\nmediamill_new{user="a"} 1\n'
    planted += '# TYPE mediamill_units gauge\nmediamill_units{owner="a"} 1\n'
    assert undeclared(planted) == {"mediamill_new['user']", "mediamill_units['owner']"}


FOREIGN = "203.0.113.9"
"""Somebody out there."""


@pytest.mark.parametrize(
    ("peer", "allow", "trusted", "headers", "status"),
    [
        ("127.0.0.1", "", "", {}, 200),
        ("::ffff:127.0.0.1", "", "", {}, 200),
        (FOREIGN, "", "", {}, 403),
        ("10.0.0.7", "", "", {}, 403),
        ("10.0.0.7", "10.0.0.0/24", "", {}, 200),
        ("127.0.0.1", "", "", {"X-Forwarded-For": FOREIGN}, 403),
        ("127.0.0.1", "", "", {"Via": "1.1 somebody"}, 403),
        ("127.0.0.1", "", "127.0.0.1", {"X-Forwarded-For": FOREIGN}, 403),
        ("127.0.0.1", "", "127.0.0.1", {"X-Forwarded-For": f"127.0.0.1, {FOREIGN}"}, 403),
        ("10.0.0.2", FOREIGN, "10.0.0.2", {"X-Forwarded-For": FOREIGN}, 200),
    ],
)
async def test_numbers_are_told_to_this_machine_and_to_whom_a_setting_names(
    mill, peer, allow, trusted, headers, status
):
    given = {"metrics_allow": allow, "trusted_proxies": trusted}
    mill.settings = mill.settings.model_copy(update=given)
    transport = httpx.ASGITransport(create_app(mill), client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://mill.test") as client:
        answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("mediamill_accounts" in answer.text) is (status == 200)


async def test_all_that_is_declared_can_be_shown(mill, tmp_path):
    """A reading in which there is something of everything."""
    certificate = certificates(tmp_path / "tls").certificate
    given = {"tls_certificate": str(certificate), "backup_url": "file:///kept"}
    mill.settings = mill.settings.model_copy(update=given)
    numbers = mill.parts.numbers
    for metric in METRICS.values():
        labels = ["x"] * len(metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            numbers.time(metric, 1, *labels)
        elif metric.kind is Kind.COUNTER:
            numbers.count(metric, *labels)
    mill.slots._report = {"seccomp": True}
    last = {"begun": 1, "ended": 1, "size": 1, "fresh": 1, "counts": {"cold": 1}}
    note_backup(mill.settings.home, LastBackup(snapshot="s", place="file:///x", **last))
    own = await read_own(mill)
    partition = StreamPartition(source="", number=0, topic="t", end=0, seen=1)
    shared = Shared(
        1, [Backlog("bulk")], await mill.workers.all(), Kept(), Spend(1, {"p": 1}, 1, 1),
        [partition], [Overdue(Sweep(source="s", swept=1), 1)], [(Circuit(provider="p"), True)],
        1,
    )  # fmt: skip
    shown = names([*own.collect(), *shared.collect()])
    lacking = {one.name for one in METRICS.values() if not shown & {one.name, f"{one.name}_count"}}
    ours = {name for name in lacking if not name.startswith("process_")}
    assert ours == {metrics.DOORBELL.name}, "which only a broker has"


def test_nothing_is_declared_that_nobody_counts_or_reads():
    constants = {name for name, one in vars(metrics).items() if isinstance(one, Metric)}
    texts = [path.read_text() for path in SOURCES.rglob("*.py") if path.name != "metrics.py"]
    used = {name for name in constants if any(re.search(rf"\b{name}\b", one) for one in texts)}
    clients = {name for name in constants if name.startswith("PROCESS_")}
    assert constants - used - clients == set()


async def test_a_backup_shows_where_it_is_made_and_where_it_should_be(mill, nobody):
    web = create_alone(mill)  # a worker's own port
    async with client_of(web) as worker:
        for client in (nobody, worker):
            assert "mediamill_backup_t" not in (await client.get("/metrics")).text
        mill.settings = mill.settings.model_copy(update={"backup_url": "file:///kept"})
        for client in (nobody, worker):
            assert "\nmediamill_backup_timestamp_seconds 0.0" in (await client.get("/metrics")).text
        last = LastBackup(
            snapshot="s", begun=5_000, ended=6_000, size=1, fresh=1, place="file:///x",
            counts={"missing": 0, "damaged": 2},
        )  # fmt: skip
        note_backup(mill.settings.home, last)
        for client in (nobody, worker):
            text = (await client.get("/metrics")).text
            assert "\nmediamill_backup_timestamp_seconds 5.0" in text
            assert '\nmediamill_backup_lacking_files{trouble="damaged"} 2.0' in text


async def test_an_export_of_figures_shows_where_one_is_set_up(mill, nobody):
    unit = Unit.chore(KIND, KIND, 0, "system", cost=1.0, now=1, due=1)
    name = "\nmediamill_analytics_export_timestamp_seconds"
    for payload, told in (({}, "0.0"), (noted({}, 5_000), "5.0")):
        await mill.store.transact(Put(unit.evolve(payload=payload)))
        assert name not in (await nobody.get("/metrics")).text
        with_it = mill.settings.model_copy(update={"analytics_url": "/figures"})
        mill.settings, without = with_it, mill.settings
        assert f"{name} {told}\n" in (await nobody.get("/metrics")).text
        mill.settings = without


async def test_the_oldest_unit_and_workers_show(mill, nobody):
    shared = Shared(now=90_000, work=[Backlog("bulk", ready=2, since=60_000), Backlog("model")])
    waiting = next(one for one in shared.collect() if one.name == metrics.UNITS_WAITING.name)
    assert [(one.labels["class"], one.value) for one in waiting.samples] == [
        ("bulk", 30.0), ("model", 0.0)
    ]  # fmt: skip
    worker = await mill.worker()
    await worker.presence.tell(worker.name, ("bulk",), worker.state, 0)
    text = (await nobody.get("/metrics")).text
    assert 'mediamill_workers{state="running"} 1.0' in text


def test_a_topic_that_was_left_is_told_of_no_more():
    rows = [
        StreamPartition(source=f"{n}", number=0, topic=topic, seen=seen, files=1)
        for n, (topic, seen) in enumerate([("named", 1), ("named", 5 * DAY), ("left", 5 * DAY)])
    ]

    def told(now: int) -> list[tuple[str, int]]:
        return [(row.topic, row.files) for row in watched(rows, {"named"}, now)]

    assert told(6 * DAY - 1) == [("named", 2), ("left", 1)]
    assert told(6 * DAY) == [("named", 2)], "what it counted before still counts"
    assert told(12 * DAY) == []
    assert {*topics_of("a=customer:x;b=customer:y")} == {"a", "b"}
    assert {*topics_of("a")} == set(), "what cannot be read stops no server"


def test_what_can_be_counted_is_there_before_it_is():
    """Else the first of it are not seen to grow."""
    numbers = Numbers()
    numbers.count(metrics.REQUESTS, "GET", "/v1/files", "200")
    numbers.count(metrics.ITEMS, "caption", "failed", more=2)
    shown = {
        (one.name, *one.labels.values()): one.value
        for family in counted(numbers)
        for one in family.samples
    }
    requests = {name: value for name, value in shown.items() if name[0] == metrics.REQUESTS.name}
    expected = {"200": 1.0, "500": 0.0, "503": 0.0}
    assert requests == {
        (metrics.REQUESTS.name, "GET", "/v1/files", status): n for status, n in expected.items()
    }
    assert shown[metrics.ITEMS.name, "caption", "failed"] == 2
    assert shown[metrics.ITEMS.name, "caption", "succeeded"] == 0
    assert shown[metrics.LEASES_EXPIRED.name, "long"] == 0
    assert shown[metrics.STORE_RETRIES.name, "collided"] == 0
    for operation in get_args(Operation):
        assert shown[metrics.STORE_ERRORS.name, operation, "full"] == 0
    assert {*metrics.STORE_RETRIES.known["reason"]} == {*get_args(Reason)}
    assert {*metrics.ITEMS.known["outcome"]} == {*ItemOutcome}


async def test_model_calls_are_counted_by_provider():
    meter, call = Meter(), {"of": "", "name": "", "number": 0, "job": "", "stage": 0, "item": 0}
    call |= {"owner": "", "day": "", "operation": "", "began": 0}
    address = "p?base_url=http://10.0.0.5"
    meter.count(Attempt(**call, provider=address, cost=1_500_000, milliseconds=300))
    assert meter.numbers.counts[metrics.MODEL_COST] == {("p",): 1.5}
    (seen,) = meter.numbers.times[metrics.MODEL_SECONDS].values()
    assert (seen.seconds, seen.buckets.index(1)) == (0.3, metrics.ASKING.index(0.5))


def test_a_provider_without_a_name_tells_nothing_of_a_network():
    here, there = ("openai:qwen?base_url=http://10.0.0.5:1/v1", "openai:qwen?base_url=http://b")
    circuits = [(Circuit(provider=here, granted=2), False), (Circuit(provider=there), True)]
    spend = Spend(0, {here: 1_000_000, there: 2_000_000}, None, 0)
    shown = {
        (one.name, one.labels["provider"]): one.value
        for family in Shared(spend=spend, circuits=circuits).collect()
        for one in family.samples
        if "provider" in one.labels
    }
    name = "openai:qwen"
    assert shown == {
        (metrics.SPENT_MONTH.name, name): 3.0,
        (metrics.RESTING.name, name): 1.0,
        (metrics.PERMITS.name, name): 2.0 + max(0, Circuit(provider=there).granted),
    }


@pytest.mark.places(*EACH_STORE)
async def test_sums_are_those_of_all_accounts(mill, ann, bob):
    for person in (ann, bob):
        await person.client.post("/v1/files?name=dot.png", content=PNG)
    kept = await mill.sums.kept()
    assert (kept.accounts, kept.files, kept.bytes) == (3, 2, 2 * len(PNG))
    spend = await mill.sums.spend()
    assert (spend.today, dict(spend.month), spend.budget) == (0, {}, None)
