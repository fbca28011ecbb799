"""Jobs whose provider says when to ask again: they come back then, and no sooner."""

from mediamill.store.repositories.attempts import AttemptState
from mediamill.store.repositories.jobs import JobState
from tests.handlers.conftest import working
from tests.web.test_strangers import PNG

WAIT = 1.5


async def test_a_unit_comes_back_when_its_provider_said(tmp_path):
    """Where that is not within the question's deadline."""
    chain = f"echo:m?say=yes&fault=429:{WAIT}"
    async with working(tmp_path / "home", prompt_chain=chain, answer_seconds=1) as works:
        job = await works.run([await works.upload("a.txt", b"A text.")], "say")
        walk = works.app.repositories.attempts.walk_job(job.id)
        limited, answered = [row async for row in walk if row.called]
    assert job.state is JobState.SUCCEEDED
    assert (limited.state, answered.state) == (AttemptState.LIMITED, AttemptState.ANSWERED)
    assert answered.began >= limited.began + 1000 * WAIT - 20


async def test_a_reader_of_text_stands_in_for_one_who_sees_and_stops_nobody(tmp_path):
    chain = "echo:sees?images=5&say=seen, echo:reads?images=0&kinds=text&say=read"
    async with working(tmp_path / "home", prompt_chain=chain) as works:
        file = await works.upload("dot.png", PNG)
        job = await works.run([file], ("prompt", {"prompt": "What is this?"}))
        (row,) = await works.rows(job)
    assert (job.state, row.data["provider"]) == (JobState.SUCCEEDED, "echo:sees")
