"""All that `/metrics` shows is declared, with its labels, and all that is declared is shown."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import mediamill
from mediamill.core import metrics
from mediamill.core.backups import LastBackup, note_backup
from mediamill.core.metrics import METRICS, Kind, Metric
from mediamill.engine.asking.meter import Meter
from mediamill.services.retention import Overdue
from mediamill.services.sums import Kept, Spend
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.backlog import Backlog
from mediamill.store.repositories.circuits import Circuit
from mediamill.store.repositories.retention import Sweep
from mediamill.store.repositories.stream import StreamPartition
from mediamill.web.metrics.exposing import read_own
from mediamill.web.metrics.shared import Shared
from tests.support.certificates import certificates
from tests.support.places import EACH_STORE
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


async def test_all_that_is_declared_can_be_shown(mill, tmp_path):
    """A reading in which there is something of everything."""
    certificate = certificates(tmp_path / "tls").certificate
    mill.settings = mill.settings.model_copy(update={"tls_certificate": str(certificate)})
    numbers = mill.parts.numbers
    for metric in METRICS.values():
        labels = ["x"] * len(metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            numbers.time(metric, 1, *labels)
        elif metric.kind is Kind.COUNTER:
            numbers.count(metric, *labels)
    mill.slots._report = {"seccomp": True}
    own = await read_own(mill)
    partition = StreamPartition(source="", number=0, topic="t", end=0, seen=1)
    shared = Shared(
        1, [Backlog("bulk")], await mill.workers.all(), Kept(), Spend(1, {"p": 1}, 1, 1),
        [partition], [Overdue(Sweep(source="s", swept=1), 1)], [(Circuit(provider="p"), True)], 1,
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


async def test_the_oldest_unit_workers_and_a_backup_show(mill, nobody):
    shared = Shared(now=90_000, work=[Backlog("bulk", ready=2, since=60_000), Backlog("model")])
    waiting = next(one for one in shared.collect() if one.name == metrics.UNITS_WAITING.name)
    assert [(one.labels["class"], one.value) for one in waiting.samples] == [
        ("bulk", 30.0), ("model", 0.0)
    ]  # fmt: skip
    assert "mediamill_backup" not in (await nobody.get("/metrics")).text
    last = LastBackup(snapshot="s", begun=5_000, ended=6_000, size=1, fresh=1, place="file:///x")
    note_backup(mill.settings.home, last)
    worker = await mill.worker()
    await worker.presence.tell(worker.name, ("bulk",), worker.state, 0)
    text = (await nobody.get("/metrics")).text
    assert "mediamill_backup_timestamp_seconds 5.0" in text
    assert 'mediamill_workers{state="running"} 1.0' in text


async def test_model_calls_are_counted_by_provider():
    meter, call = Meter(), {"of": "", "name": "", "number": 0, "job": "", "stage": 0, "item": 0}
    call |= {"owner": "", "day": "", "operation": "", "began": 0}
    meter.count(Attempt(**call, provider="p", cost=1_500_000, milliseconds=300))
    assert meter.numbers.counts[metrics.MODEL_COST] == {("p",): 1.5}
    (seen,) = meter.numbers.times[metrics.MODEL_SECONDS].values()
    assert (seen.seconds, seen.buckets.index(1)) == (0.3, metrics.ASKING.index(0.5))


@pytest.mark.places(*EACH_STORE)
async def test_sums_are_those_of_all_accounts(mill, ann, bob):
    for person in (ann, bob):
        await person.client.post("/v1/files?name=dot.png", content=PNG)
    kept = await mill.sums.kept()
    assert (kept.accounts, kept.files, kept.bytes) == (3, 2, 2 * len(PNG))
    spend = await mill.sums.spend()
    assert (spend.today, dict(spend.month), spend.budget) == (0, {}, None)
