"""What the pages of captions say where no model is set up."""

from tests.web.conftest import main_of


async def test_captions_that_are_not_set_up_are_no_failing_jobs(admin, ann):
    page = {"accept": "text/html"}
    told = (await ann.client.get("/captions", headers=page)).text
    assert "Captions are not set up" in told
    assert "An administrator adds a provider" in told
    assert 'class="side" hidden' in main_of(told)
    assert 'href="/models"' in (await admin.client.get("/captions", headers=page)).text
    body = {"files": ["file_x"], "steps": [{"operation": "caption"}]}
    refused = await ann.client.post("/v1/jobs", json=body)
    assert refused.status_code == 422
    for path in ("/captions/history", "/captions/review"):
        assert (await ann.client.get(path, headers=page)).status_code == 200
    for path in ("/captions", "/captions/review"):
        gone = await ann.client.get(path, params={"job": "job_x"}, headers=page)
        assert gone.status_code == 404
