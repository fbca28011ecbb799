"""What was done as analysts ask for it: sums, days, filters, CSV, rows; nobody else sees it."""

import csv
import io
import json
import math

import pytest

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.clock import DAY as DAY_MS
from mediamill.core.errors import Forbidden, InvalidInput
from mediamill.core.settings import Settings
from mediamill.services.figures import Group
from mediamill.store.port import Update
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import About, Fact, Figure, Figures, took
from mediamill.store.repositories.users import Role, User
from mediamill.web.app import create_app
from tests.support.chains import CHAINED
from tests.support.places import everywhere
from tests.support.serving import working
from tests.web.test_files import person, png

DAY = "2026-01-20"


@pytest.fixture
async def mill(tmp_path):
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0, poll_seconds=0.1)
    async with await App.open(settings, CHAINED) as app:
        yield app


@pytest.fixture
async def ann(mill):
    async with person(mill, create_app(mill), "ann") as found:
        yield found


@pytest.fixture
async def analyst(mill):
    async with person(mill, create_app(mill), "dana") as found:
        await mill.store.transact(Update(User, (found.id,), set={"role": Role.ANALYST}))
        yield found


async def asked(who, path="summary", **query):
    answer = await who.client.get(f"/v1/analytics/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def counted(answer, *names):
    return {tuple(row[name] for name in names): row["count"] for row in answer["data"]}


@everywhere
async def test_what_was_done_is_summed_wherever_it_is_kept(mill, ann, analyst):
    await mill.store.transact(Update(User, (ann.id,), set={"customer": "Acme"}))
    sent = [await ann.client.post(f"/v1/files?name={n}.png", content=png(n)) for n in range(3)]
    words = await ann.client.post("/v1/files?name=a.txt", content=b"some words")
    files = [answer.json()["id"] for answer in (*sent, words)]
    async with working(mill):
        body = {"files": files, "steps": [{"operation": "flip"}]}
        job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
        told = (await ann.client.get(f"/v1/jobs/{job}?wait=60")).json()
        assert told["state"] == "partial", told
    items = await asked(analyst, about="items", by=["status", "media_type", "source", "customer"])
    assert counted(items, "status", "media_type", "source", "customer") == {
        ("succeeded", "image/png", "upload", "Acme"): 3,
        ("failed", "text/plain", "upload", "Acme"): 1,
    }
    total = items["total"]
    assert (total["count"], total["succeeded"], total["failed"]) == (4, 3, 1)
    assert (total["success_rate"], total["results"], total["bytes"]) == (
        0.75, 3, sum(len(png(n)) for n in range(3)) + 10,
    )  # fmt: skip
    assert total["timed"] == 3, "the text was refused unread"
    assert total["seconds_p95"] >= total["seconds_p50"] > 0
    jobs = await asked(analyst, "series", about="jobs", by=["status", "operation"])
    assert [row["count"] for row in jobs["data"]] == [1]
    assert (jobs["data"][0]["status"], jobs["data"][0]["day"]) == ("partial", jobs["last"])
    came = await asked(analyst, about="files", media_type="image/png")
    assert came["total"]["count"] == 3
    assert came["data"][0]["media_type"] is None


async def planted(mill) -> None:
    """Count on two days what several customers had done."""
    facts = [
        Fact(about=About.ITEMS, day=day, status=status, operation=operation, source="upload",
             media_type="image/jpeg", counts={"count": 1, "bytes": 7, **took(400)})
        for day, status, operation in (
            (DAY, "succeeded", "resize"), (DAY, "succeeded", "resize+flip"),
            (DAY, "failed", "flip"),
            ("2026-01-21", "succeeded", "flip"), ("2026-02-01", "cancelled", "flip"),
        )
    ]  # fmt: skip
    calls = Fact(
        about=About.CALLS, day=DAY, status="answered", operation="caption", provider="=one",
        model="m", counts={"count": 2, "cost": 1_500_000},
    )  # fmt: skip
    await mill.store.transact(*await Figures(mill.store).counting(None, [*facts, calls]))


async def test_filters_days_and_exports(mill, analyst):
    await planted(mill)
    days = {"from": DAY, "to": "2026-02-28"}
    by = await asked(analyst, by="operation", **days)
    assert counted(by, "operation") == {("flip",): 3, ("resize",): 1, ("resize+flip",): 1}
    ran = await asked(analyst, "series", operation="flip", **days)
    assert counted(ran, "day") == {(DAY,): 2, ("2026-01-21",): 1, ("2026-02-01",): 1}
    assert ran["total"]["success_rate"] == pytest.approx(2 / 3)
    one = await asked(analyst, about="calls", by="provider", **{"from": DAY, "to": DAY})
    assert (one["total"]["cost"], one["total"]["seconds_p50"]) == (1.5, None)
    sheet = await analyst.client.get(
        "/v1/analytics/summary.csv", params={"about": "calls", "by": "provider", **days}
    )
    (row,) = csv.DictReader(io.StringIO(sheet.text))
    assert (row["provider"], row["cost"]) == ("'=one", "1.5")
    lines = await analyst.client.get("/v1/analytics/figures.jsonl", params=days)
    rows = [json.loads(line) for line in lines.text.splitlines()]
    assert sum(row["count"] for row in rows if row["about"] == "items") == 5
    assert {row["cost_microdollars"] for row in rows if row["about"] == "calls"} == {1_500_000}


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-11-31",
        "from=2026-11-21&to=2026-11-20",
        "from=nonsense",
        "by=owner",
        "about=all",
    ],
)
async def test_a_wrong_question_is_told_apart(analyst, query):
    answer = await analyst.client.get(f"/v1/analytics/summary?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_only_analysts_ask_and_they_see_nothing_else(mill, ann, analyst):
    for path in ("summary", "series", "summary.csv", "figures.jsonl"):
        assert (await ann.client.get(f"/v1/analytics/{path}")).status_code == 403, path
    file = (await ann.client.post("/v1/files?name=a.png", content=png(1))).json()["id"]
    for path in (f"/v1/files/{file}", f"/v1/files/{file}/content"):
        assert (await analyst.client.get(path)).status_code == 404
    for path in ("/v1/admin/users", "/v1/admin/audit", "/v1/providers"):
        assert (await analyst.client.get(path)).status_code == 403, path


async def test_an_administrator_says_whom_an_account_counts_for(mill, ann, analyst):
    change = mill.people.administering.change
    admin = Principal(analyst.id, role=Role.ADMIN)
    for label in ("ann@example.org", "x" * 65):
        with pytest.raises(InvalidInput):
            await change(admin, ann.id, customer=label)
    with pytest.raises(Forbidden):
        await change(Principal(analyst.id, role=Role.ANALYST), ann.id, customer="Acme")
    assert (await change(admin, ann.id, customer=" Acme Ltd. ")).customer == "Acme Ltd."
    await ann.client.post("/v1/files?name=a.png", content=png(1))
    came = await asked(analyst, about="files", by="customer")
    assert counted(came, "customer") == {("Acme Ltd.",): 1}
    assert (await change(admin, ann.id, customer="")).customer == ""


def test_quantiles_are_drawn_between_bounds():
    group = Group({})
    assert group.quantile(0.5) is None
    assert group.success is None
    assert group.mean is None
    for milliseconds in (50, 200, 200, 250, 4_000_000_000):
        blank = Figure(month="", id="", day="", about=About.ITEMS)
        group.add(blank.evolve(count=1, **took(milliseconds)))
    assert group.quantile(0.1) == pytest.approx(0.05)
    assert group.quantile(0.5) == pytest.approx(0.2)
    assert math.isinf(group.quantile(1.0)), "nobody knows by how much it is more"


async def test_what_took_longer_than_is_told_apart_is_so_called(mill, analyst):
    """And nothing is rounded up to all where anything failed."""
    long = {name: 10_000 * n for name, n in took(8 * 3_600_000).items()}
    longer = {name: 3 * n for name, n in took(200_000_000).items()}
    for operation, good, bad, times in (("a", 9_999, 1, long), ("b", 3, 0, longer)):
        facts = [
            Fact(about=About.JOBS, day=DAY, status="succeeded", operation=operation,
                 counts={"count": good, **times}),
            Fact(about=About.JOBS, day=DAY, status="failed", operation=operation,
                 counts={"count": bad}),
        ]  # fmt: skip
        await mill.store.transact(*await Figures(mill.store).counting(None, facts))
    days = {"from": DAY, "to": DAY, "about": "jobs"}
    a, b = (await asked(analyst, by="operation", **days))["data"]
    assert a["seconds_p95"] == pytest.approx(10_000 + 20_000 * 0.95)
    assert (a["success_rate"], b["success_rate"]) == (0.9999, 1)
    assert (b["timed"], b["seconds_p50"], b["seconds_mean"]) == (3, None, 200_000)
    shown = await analyst.client.get("/analytics", params={**days, "measure": "seconds"})
    assert ">99.99 %<" in shown.text
    shown = await analyst.client.get(
        "/analytics", params={**days, "operation": "b", "measure": "seconds"}
    )
    assert shown.text.count("more than 27 h 47 min") >= 2
    assert ">100.0 %<" in shown.text


async def test_the_page_reads_the_figures_once(mill, analyst, monkeypatch):
    await planted(mill)
    walks, inner = [], Figures.walk
    monkeypatch.setattr(
        Figures, "walk", lambda self, *days: walks.append(days) or inner(self, *days)
    )
    await analyst.client.get("/analytics", params={"from": DAY, "to": "2026-02-28"})
    assert walks == [(DAY, "2026-02-28")]


async def test_the_page_draws_what_is_asked_for(mill, ann, analyst):
    await planted(mill)
    query = {"from": DAY, "to": "2026-12-31", "by": "operation"}
    shown = (await analyst.client.get("/analytics", params=query)).text
    assert '<th scope="row">resize+flip<svg' in shown
    assert "Jan 20, 2026: 3, 1 failed" in shown
    assert "by=operation" in shown
    assert 'href="/v1/analytics/summary.csv?' in shown
    calls = {**query, "about": "calls", "measure": "cost", "by": "provider"}
    assert "Jan 20, 2026: $1.50" in (await analyst.client.get("/analytics", params=calls)).text
    none = {**query, "customer": "<b>nobody</b>"}
    shown = (await analyst.client.get("/analytics", params=none)).text
    assert "Nothing of this from Jan 20, 2026" in shown
    assert "<b>nobody" not in shown
    odd = {**query, "by": "owner", "measure": "souls"}
    assert (await analyst.client.get("/analytics", params=odd)).status_code == 200
    assert (await ann.client.get("/analytics")).status_code == 403


@pytest.mark.parametrize(
    ("days", "at", "said"),
    [
        ({"from": "2026-11-21", "to": "2026-11-20"}, "from", "The first day comes after the last."),
        ({"from": "2026-11-31"}, "from", "The first day, 2026-11-31, is in no calendar."),
        ({"to": "yesterday"}, "to", "The last day is to be written like 2026-11-21."),
    ],
)
async def test_the_page_keeps_what_was_chosen_beside_a_wrong_day(ann, analyst, days, at, said):
    query = {"about": "calls", "by": "model", "status": "answered", **days}
    answer = await analyst.client.get("/analytics", params=query)
    assert answer.status_code == 422
    for chosen in ("calls", "model", "answered"):
        assert f'<option value="{chosen}" selected>' in answer.text
    for name, day in days.items():
        assert f'name="{name}" value="{day}"' in answer.text
    assert f'<p class="error" id="{at}-error" role="alert">{said}</p>' in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    assert (await ann.client.get("/analytics", params=query)).status_code == 403
    assert (await ann.client.get("/v1/analytics/summary", params=days)).status_code == 403


async def test_days_on_which_nothing_can_be_counted_are_not_looked_for(mill, analyst):
    await planted(mill)
    today = await mill.store.now()
    for days in ({"to": "0001-01-05"}, {"from": "0001-01-01", "to": "2025-12-31"}):
        answer = await asked(analyst, **days)
        assert (answer["first"], answer["last"]) == ("2026-01-01", "2026-01-01")
    answer = await asked(analyst, to="9999-12-31")
    assert answer["last"] == day_of(today + DAY_MS)
    answer = await asked(analyst, **{"from": "9999-12-31", "to": "9999-12-31"})
    assert answer["first"] == answer["last"]
