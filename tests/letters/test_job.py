"""What the mail about a job says, and that nothing that it quotes becomes part of it."""

import re
from html.parser import HTMLParser

import pytest

from mediamill.adapters.mail.message import address_of, message_of
from mediamill.engine.outcomes import Outcome
from mediamill.letters.job import JobLetters
from mediamill.letters.wording import shown, took
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Put
from mediamill.store.repositories.jobs import (
    Counts,
    Entry,
    Job,
    JobState,
    Manifests,
    Step,
    Tally,
)
from mediamill.store.repositories.projects import Project, Projects
from mediamill.store.repositories.results import ItemOutcome, Result, Results

PUBLIC = "https://mill.example.org"
HOSTILE = "a\r\nBcc: eve@example.org\n\n<script>alert('x')</script>\u202egnp.exe"


@pytest.fixture
def store():
    return MemoryStore()


async def unsubscribe(user):
    return f"{PUBLIC}/unsubscribe/{user}"


async def written(store, job, outcome, names=("clip.mp4",), failures=(), generation=1):
    """Write the mail about a job with these inputs and failures."""
    manifests = Manifests(store, None)
    entries = [Entry(f"file_{n}", name) for n, name in enumerate(names)]
    await store.transact(await manifests.page(job.id, 0, 0, entries))
    for item, (name, reason) in enumerate(failures):
        row = Result(job=job.id, stage=0, item=item, generation=1, outcome=ItemOutcome.FAILED,
                     input="file_x", name=name, error=reason, created=1)  # fmt: skip
        await store.transact(Put(row))
    letters = JobLetters(manifests, Results(store), Projects(store), PUBLIC, unsubscribe)
    return await letters.write("ann@example.org", job, outcome, generation)


def job_of(items=1, **details):
    steps = (Step(operation="extract-frames"), Step(operation="thumbnail"))
    said = {"id": "job_1", "owner": "user_ann", "steps": steps, "klass": "bulk", "created": 1,
            "items": items, "tallies": (Tally(items=items),)}  # fmt: skip
    return Job(**{**said, **details})


def outcome_of(state, items=1, **more):
    counts = Counts(**{name: more.pop(name, 0) for name in ("succeeded", "failed", "cancelled")})
    return Outcome(state=state, counts=counts, items=items, finished=1_760_000_065_000, **more)


async def test_a_job_that_is_done(store):
    outcome = outcome_of(JobState.SUCCEEDED, succeeded=1, begun=1_760_000_000_000)
    letter = await written(store, job_of(), outcome)
    assert letter.subject == "clip.mp4: extract-frames → thumbnail is done"
    for text in (letter.text, letter.html):
        assert "1 item done. It took 1 min 5 s." in text
        assert f"{PUBLIC}/jobs/job_1" in text
        assert f"{PUBLIC}/account" in text
        assert f"{PUBLIC}/unsubscribe/user_ann" in text
    assert letter.key == "job_1.1"
    assert letter.date.isoformat() == "2025-10-09T08:54:25+00:00"
    assert "What failed" not in letter.text


async def test_a_job_of_which_some_failed(store):
    outcome = outcome_of(JobState.PARTIAL, 90, succeeded=82, failed=8)
    failures = [(f"{n}.jpg", f"It is broken at byte {n}.") for n in range(8)]
    names = [f"{n}.jpg" for n in range(90)]
    letter = await written(store, job_of(90), outcome, names, failures, 2)
    assert letter.subject == (
        "0.jpg and 89 more: extract-frames → thumbnail is done, 8 of 90 failed"
    )
    for text in (letter.text, letter.html):
        assert "82 of 90 items done, 8 failed." in text
        assert text.count("It is broken at byte") == 5
        assert "and 3 more" in text
    assert "- 0.jpg: It is broken at byte 0." in letter.text
    assert letter.key == "job_1.2"


async def test_a_job_that_failed(store):
    outcome = outcome_of(JobState.FAILED, error="There is no room for more bytes.", failed=1)
    letter = await written(store, job_of(name="Monday"), outcome)
    assert letter.subject == "Monday: extract-frames → thumbnail failed"
    assert "There is no room for more bytes." in letter.text
    assert "run what failed again" in letter.text


async def test_a_job_over_a_project_is_known_by_it(store):
    project = Project(id="proj_1", owner="user_ann", listed="user_ann", name="Bees", created=1)
    await store.transact(Put(project))
    job = job_of(0, inputs={"source": "project", "id": "proj_1"}, tallies=())
    letter = await written(store, job, outcome_of(JobState.SUCCEEDED))
    assert letter.subject.startswith("Bees: ")
    gone = await written(store, job.evolve(inputs={"source": "project", "id": "proj_2"}),
                         outcome_of(JobState.FAILED))  # fmt: skip
    assert gone.subject.startswith("job_1: ")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.loaded = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name == "href"]
        self.loaded += [value for name, value in attributes if name in ("src", "background")]


@pytest.mark.parametrize("where", ["name", "file", "reason", "error", "operation"])
async def test_what_is_quoted_stays_a_quotation(store, where):
    job, outcome = job_of(), outcome_of(JobState.PARTIAL, succeeded=1, failed=1)
    names, failures = ["a.jpg"], [("a.jpg", "It is broken.")]
    if where == "name":
        job = job.evolve(name=HOSTILE)
    elif where == "file":
        names, failures = [HOSTILE], [(HOSTILE, "It is broken.")]
    elif where == "reason":
        failures = [("a.jpg", HOSTILE)]
    elif where == "error":
        outcome = outcome_of(JobState.PARTIAL, succeeded=1, failed=1, error=HOSTILE)
    else:
        job = job.evolve(steps=(Step(operation=HOSTILE),))
    letter = await written(store, job, outcome, names, failures)
    mail = message_of(letter, address_of("mill@example.org"))
    again = mail.as_bytes()
    assert b"\nBcc:" not in again
    assert b"\nbcc:" not in again.lower()
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", letter.subject + letter.text + letter.html)
    tags = Tags()
    tags.feed(letter.html)
    assert "script" not in tags.tags
    assert tags.loaded == []
    assert all(link.startswith(f"{PUBLIC}/") for link in tags.links)
    assert len(mail["Subject"].splitlines()) == 1


async def test_one_click_ends_mails_where_the_address_is_encrypted(store):
    letter = await written(store, job_of(), outcome_of(JobState.SUCCEEDED, succeeded=1))
    assert letter.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter.headers["List-Unsubscribe"] == f"<{PUBLIC}/unsubscribe/user_ann>"
    assert letter.headers["X-Mediamill-Notice"] == "job_1.1"


async def test_html_says_all_without_style(store):
    letter = await written(store, job_of(), outcome_of(JobState.SUCCEEDED, succeeded=1))
    tags = Tags()
    tags.feed(letter.html)
    assert {"h1", "p", "a", "style"} <= set(tags.tags)
    assert 'name="color-scheme" content="light dark"' in letter.html
    assert "prefers-color-scheme: dark" in letter.html


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59.2, "59 s"), (60, "1 min"), (725, "12 min 5 s"), (12_000, "3 h 20 min")],
)
def test_lengths_of_time(seconds, text):
    assert took(seconds) == text


def test_long_names_are_cut():
    assert shown("x" * 300, 80) == "x" * 79 + "…"
    assert shown(" a \t b\n", 80) == "a b"
