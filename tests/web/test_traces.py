"""One trace leads from an upload through the worker to the mail and the webhook that tell of it."""

import asyncio
from contextlib import nullcontext

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.testing import capture_logs

from mediamill.adapters.tracing import otlp
from mediamill.app import App
from mediamill.core import tracing
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from mediamill.engine.stages import pass_unit
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.units import Unit
from mediamill.web.app import create_app
from tests.engine.harness import Harness
from tests.support.places import EACH_STORE
from tests.support.processes import Process
from tests.support.receivers import receiver, reply
from tests.web.conftest import client_of, person
from tests.web.test_notifications import told
from tests.web.test_uploading import PNG

TRACE, ASKED = "ab" * 16, "cd" * 8
ASKING = {"traceparent": f"00-{TRACE}-{ASKED}-01"}
"""What a program sends that is traced itself."""


def spans(collector):
    """Decode what came: each span, and which process sent it."""
    found = []
    for got in collector.got:
        assert got.path == "/v1/traces"
        sent = ExportTraceServiceRequest.FromString(got.body)
        for resource in sent.resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            assert named["service.name"] == "mediamill"
            process = named["service.instance.id"]
            found += [(span, process) for scope in resource.scope_spans for span in scope.spans]
    return found


def facts(span):
    values = {one.key.removeprefix("mediamill."): one.value for one in span.attributes}
    return {key: value.string_value or value.int_value for key, value in values.items()}


def settings_of(folder, **given):
    return Settings(home=folder / "home", slots=1, min_free_bytes=0, **given)


@pytest.mark.places(*EACH_STORE)
async def test_one_trace_leads_from_the_upload_to_the_mail(tmp_path):
    async with receiver() as collector, receiver() as there:
        collector.always = reply(200)
        where = {"otlp_url": f"http://127.0.0.1:{collector.port}/", "fetch_allow": "127.0.0.1:*"}
        settings = settings_of(tmp_path, prompt_chain="echo:one", **where)
        async with await App.open(settings) as app, person(create_app(app), "ann") as ann:
            hook = {"url": there.url(), "types": ["job.*"]}
            assert (await ann.client.post("/v1/webhooks", json=hook)).status_code == 201
            worker = await app.worker()
            running = asyncio.create_task(worker.run())
            ann.client.headers.update(ASKING)
            file = await ann.client.post("/v1/files?name=dot.png", content=PNG)
            body = {"files": [file.json()["id"]], "steps": [{"operation": "thumbnail"}]}
            job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
            await told(app, job)
            await there.wait(1)
            asked = await ann.client.post(
                "/v1/jobs", json={"files": body["files"], "prompt": "Why?"}
            )
            await ann.client.get(f"/v1/jobs/{asked.json()['id']}?wait=30")
            for name in ("/health/ready", "/metrics"):
                await ann.client.get(name)
            worker.stop()
            await running
            await app.parts.tracer.flush(60)
            assert collector.got, "a function that ends has sent what it has"
    sent = [span for span, _ in spans(collector)]
    ours = [span for span in sent if span.trace_id.hex() == TRACE]
    names = {span.name for span in ours}
    assert {
        "POST /v1/files", "inspect", "POST /v1/jobs", "submit job", "unit items", "item",
        "unit seal", "unit notify", "unit mail", "unit deliver", "unit asks", "model call",
    } <= names  # fmt: skip
    ids = {span.span_id.hex() for span in ours}
    parents = {span.parent_span_id.hex() for span in ours}
    assert parents <= ids | {ASKED}, "each is below one that is there"
    assert {span.name for span in ours if span.parent_span_id.hex() == ASKED} == {
        "POST /v1/files", "POST /v1/jobs", "GET /v1/jobs/{job_id}"
    }  # fmt: skip
    known = {span.span_id: span for span in ours}
    (item,) = [span for span in ours if span.name == "item"]
    assert known[item.parent_span_id].name == "unit items"
    assert facts(item)["operation"] == "thumbnail"
    (call,) = [span for span in ours if span.name == "model call"]
    assert (known[call.parent_span_id].name, facts(call)["provider"]) == ("unit asks", "echo:one")
    assert item.end_time_unix_nano >= item.start_time_unix_nano
    (request,) = [span for span in ours if span.name == "POST /v1/files"]
    assert (facts(request)["status"], facts(request)["route"]) == (201, "/v1/files")
    assert not {span.name for span in sent} & {"GET /health/ready", "GET /metrics"}
    assert there.got[0].headers["traceparent"].split("-")[1] == TRACE
    texts = str(sent)
    assert "dot.png" not in texts
    assert ann.email not in texts


async def test_it_goes_on_in_a_worker_that_is_another_process(tmp_path):
    async with receiver() as collector:
        collector.always = reply(200)
        url = f"http://127.0.0.1:{collector.port}"
        settings = settings_of(tmp_path, otlp_url=url)
        async with await App.open(settings) as app, person(create_app(app), "ann") as ann:
            ann.client.headers.update(ASKING)
            file = await ann.client.post("/v1/files?name=dot.png", content=PNG)
            body = {"files": [file.json()["id"]], "steps": [{"operation": "thumbnail"}]}
            job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
            worker = Process("worker", settings.home, otlp_url=url, slots=1, min_free_bytes=0)
            worker.start()
            try:
                await told(app, job)
            finally:
                await asyncio.to_thread(worker.end)
    found = {span.span_id: (span, process) for span, process in spans(collector)}
    named = {span.name: (span, process) for span, process in found.values()}
    unit, elsewhere = named["unit items"]
    above, here = found[unit.parent_span_id]
    assert (above.name, unit.trace_id.hex()) == ("submit job", TRACE)
    assert here == named["POST /v1/files"][1] != elsewhere == named["unit mail"][1]


async def test_a_unit_that_a_sweep_makes_is_of_its_jobs_trace(tmp_path):
    """Whoever died before they nudged: the job knows its trace itself."""
    harness = Harness(MemoryStore())
    files = await harness.add_files("user_alice", 1)
    with tracing.begun(Kept(), "request", tracing.Kind.SERVER, ASKING["traceparent"]):
        job = await harness.submit("user_alice", files)
    job = await harness.jobs.need(job.id)
    (unit,) = await harness.units.of_group(job.id)
    assert pass_unit(job, "seal", 1).trace == job.trace
    assert unit.trace.split("-")[1] == job.trace.split("-")[1] == TRACE


class Kept:
    """A tracer that says what it was asked for."""

    def __init__(self):
        self.asked = []

    def span(self, name, kind, parent, facts, began=None):
        self.asked.append((name, parent))
        opened = tracing._Nothing()
        trace = parent.split("-")[1] if parent else "ef" * 16
        opened.traceparent = f"00-{trace}-{len(self.asked):016x}-01"
        return nullcontext(opened)


@pytest.mark.parametrize(
    "wrong", ["", "00-abc", f"ff-{TRACE}-{ASKED}-01", f"00-{'0' * 32}-{ASKED}-01", "x" * 9000]
)
def test_what_is_no_traceparent_begins_a_trace(wrong):
    kept = Kept()
    with tracing.begun(kept, "request", tracing.Kind.SERVER, wrong), tracing.span("inner"):
        pass
    assert kept.asked == [("request", None), ("inner", f"00-{'ef' * 16}-{1:016x}-01")]


async def test_where_nobody_collects_nothing_is_kept(mill, ann):
    await ann.client.post("/v1/files?name=dot.png", content=PNG, headers=ASKING)
    assert mill.parts.tracer is None
    with tracing.begun(None, "request", tracing.Kind.SERVER, ASKING["traceparent"]):
        assert tracing.traceparent() is None
        assert Unit(group="g", seq=0, kind="k", owner="o", klass="bulk", created=1).trace is None


async def test_who_ends_waits_for_a_collector_as_long_as_it_may_and_no_longer(monkeypatch):
    monkeypatch.setattr(otlp, "CLOSING_SECONDS", 600)
    asked, held = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await held.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        sender = otlp.Otlp(f"http://127.0.0.1:{port}", 1.0)
        with sender.span("work", tracing.Kind.INTERNAL, None, {}):
            pass
        try:
            async with asyncio.timeout(60):  # else it is as long as the collector's
                while not asked.is_set():
                    await sender.flush(0.1)
                await sender.flush(0.1)
        finally:
            held.set()
        await sender.close()


async def test_a_collector_that_takes_nothing_is_told_of_once_an_hour(monkeypatch):
    async with receiver() as collector:
        collector.always = reply(400)
        sender = otlp.Otlp(f"http://127.0.0.1:{collector.port}", 1.0)

        async def work() -> None:
            for _ in range(3):
                with sender.span("work", tracing.Kind.INTERNAL, None, {}):
                    pass
                await sender.flush(60)

        with capture_logs() as logs:
            await work()
            monkeypatch.setattr(otlp, "HOUR_SECONDS", 0)
            await work()
        await sender.close()
    assert [(line["action"], line["times"]) for line in logs] == [
        ("traces_lost", times) for times in (1, 3, 1, 1)
    ]
    assert all("400" in line["error"] for line in logs)


async def test_a_collector_that_is_away_or_refuses_keeps_nobody_waiting(tmp_path):
    settings = settings_of(tmp_path, otlp_url="http://127.0.0.1:1")
    async with await App.open(settings) as app, client_of(create_app(app)) as client:
        assert (await client.get("/v1/auth/login", headers=ASKING)).status_code == 405
        await app.parts.tracer.flush(0.1)
    with pytest.raises(ConfigurationError, match="MEDIAMILL_OTLP_URL"):
        await App.open(settings_of(tmp_path, otlp_url="grpc://collector:4317"))
