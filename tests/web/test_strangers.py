"""S1, S2, S3: every route of the app against nobody and against other users, and planted fields."""

import io
import zipfile

import pytest
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount, Route

from mediamill.core.access import Principal

OPEN = {
    "GET /health/live", "GET /health/ready", "GET /metrics", "GET /docs", "GET /signin",
    "GET /openapi.json", "HEAD /openapi.json", "GET /v1/operations", "GET /v1/operations/{name}",
    "GET /v1/links/{token}", "HEAD /v1/links/{token}",
    "OPTIONS /v1/uploads", "OPTIONS /v1/uploads/{upload_id}",
    "POST /v1/auth/register", "POST /v1/auth/login", "POST /v1/auth/redeem",
}  # fmt: skip
"""What anybody who reaches the service may ask."""

OWN = {
    "GET /v1/me", "POST /v1/auth/logout", "GET /v1/tokens", "POST /v1/tokens", "GET /v1/files",
    "POST /v1/files", "POST /v1/files/check", "POST /v1/files/delete", "POST /v1/files/restore",
    "POST /v1/files/tags", "DELETE /v1/trash", "GET /v1/jobs", "POST /v1/jobs", "GET /v1/events",
    "GET /v1/projects", "POST /v1/projects", "GET /v1/templates", "POST /v1/templates",
    "GET /", "GET /parts/files",
    "GET /trash", "GET /parts/trash", "POST /v1/uploads",
    "GET /parts/jobs",
}  # fmt: skip
"""What everybody signed in has for themselves."""

BY_ID = {
    "DELETE /v1/tokens/{token_id}",
    "GET /v1/files/{file_id}", "DELETE /v1/files/{file_id}", "PATCH /v1/files/{file_id}",
    "POST /v1/files/{file_id}/restore",
    "GET /v1/files/{file_id}/content", "HEAD /v1/files/{file_id}/content",
    "GET /v1/files/{file_id}/thumbnail", "GET /v1/files/{file_id}/members",
    "GET /v1/files/{file_id}/members/{path:path}", "HEAD /v1/files/{file_id}/members/{path:path}",
    "DELETE /v1/files/{file_id}/members/{path:path}", "POST /v1/files/{file_id}/members/delete",
    "GET /v1/uploads/{upload_id}", "HEAD /v1/uploads/{upload_id}",
    "PATCH /v1/uploads/{upload_id}", "DELETE /v1/uploads/{upload_id}",
    "POST /v1/uploads/{upload_id}",
    "GET /v1/jobs/{job_id}", "DELETE /v1/jobs/{job_id}", "POST /v1/jobs/{job_id}/cancel",
    "POST /v1/jobs/{job_id}/retry", "GET /v1/jobs/{job_id}/items", "GET /v1/jobs/{job_id}/results",
    "GET /v1/jobs/{job_id}/download", "HEAD /v1/jobs/{job_id}/download",
    "GET /v1/jobs/{job_id}/events", "GET /v1/jobs/{job_id}/results.jsonl",
    "POST /v1/jobs/{job_id}/restore", "GET /v1/jobs/{job_id}/download/{file_id}",
    "POST /v1/jobs/{job_id}/link", "POST /v1/files/{file_id}/link",
    "GET /v1/projects/{project_id}", "PATCH /v1/projects/{project_id}",
    "POST /v1/projects/{project_id}/restore",
    "DELETE /v1/projects/{project_id}", "GET /v1/projects/{project_id}/files",
    "POST /v1/projects/{project_id}/files", "DELETE /v1/projects/{project_id}/files",
    "DELETE /v1/projects/{project_id}/files/{file_id}",
    "GET /v1/templates/{template}", "PATCH /v1/templates/{template}",
    "DELETE /v1/templates/{template}", "GET /v1/templates/{template}/versions",
    "GET /jobs/{job_id}", "GET /parts/files/{file_id}", "GET /parts/jobs/{job_id}",
    "GET /parts/frames/{file_id}",
}  # fmt: skip
"""What names a record that belongs to somebody."""

BODIES: dict[str, object] = {
    "PATCH /v1/projects/{project_id}": {"name": "mine"},
    "POST /v1/projects/{project_id}/files": {"files": ["file_x"]},
    "DELETE /v1/projects/{project_id}/files": {"files": ["file_x"]},
    "PATCH /v1/templates/{template}": {"name": "mine"},
    "PATCH /v1/files/{file_id}": {"name": "mine.png", "tags": ["mine"]},
    "POST /v1/files/{file_id}/members/delete": {"paths": ["frame-000001-40.jpg"]},
}
"""What a route must be sent to come as far as asking whose the record is."""


def routes(web):
    found = set()
    for context in iter_route_contexts(web.routes):
        if isinstance(context.original_route, Mount):
            assert context.original_route.path == "/static"
            continue
        found |= {f"{method} {context.path}" for method in context.methods}
    return found


def test_every_route_is_known(web):
    assert routes(web) == OPEN | OWN | BY_ID


def test_an_unlisted_route_is_noticed(web):
    web.router.routes.append(Route("/v1/secrets", lambda request: None))
    assert routes(web) - (OPEN | OWN | BY_ID)


@pytest.fixture
async def belongings(mill, ann):
    """A token, an archive, and a job of Ann's."""
    token = (await ann.client.post("/v1/tokens", json={"name": "hers"})).json()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("frame-000001-40.jpg", b"\xff\xd8\xff not much of a picture")
    file = await ann.client.post("/v1/files?name=frames.zip", content=archive.getvalue())
    assert file.status_code == 201, file.text
    picture = await ann.client.post("/v1/files?name=dot.png", content=PNG)
    assert picture.status_code == 201, picture.text
    job = await ann.client.post(
        "/v1/jobs",
        json={"files": [picture.json()["id"]], "steps": [{"operation": "thumbnail"}]},
    )
    assert job.status_code == 202, job.text
    project = await ann.client.post("/v1/projects", json={"name": "hers"})
    steps = [{"operation": "thumbnail"}]
    template = await ann.client.post("/v1/templates", json={"name": "hers", "steps": steps})
    tus = {"tus-resumable": "1.0.0", "upload-length": "100"}
    upload = await ann.client.post("/v1/uploads", headers=tus)
    return {
        "upload_id": upload.headers["location"].rpartition("/")[2],
        "token_id": token["id"],
        "file_id": file.json()["id"],
        "job_id": job.json()["id"],
        "project_id": project.json()["id"],
        "template": template.json()["id"],
    }


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def fill(route, ids):
    method, _, path = route.partition(" ")
    for name, value in (*ids.items(), ("path:path", "frame-000001-40.jpg")):
        path = path.replace(f"{{{name}}}", value)
    return method, path


async def refusals(client, ids):
    answers = {}
    for route in sorted(BY_ID):
        method, path = fill(route, ids)
        response = await client.request(method, path, json=BODIES.get(route))
        answers[route] = response.status_code
    return answers


async def test_others_find_nothing_by_id(bob, belongings):
    answers = await refusals(bob.client, belongings)
    assert answers == dict.fromkeys(sorted(BY_ID), 404)


async def test_the_administrator_sees_no_media_of_others(admin, belongings):
    answers = await refusals(admin.client, belongings)
    assert answers == dict.fromkeys(sorted(BY_ID), 404)


async def test_nobody_gets_anything(nobody, belongings):
    for route in sorted(BY_ID | OWN):
        method, path = fill(route, belongings)
        for headers in ({}, {"accept": "text/html"}, {"authorization": "Bearer mms_invented"}):
            response = await nobody.request(method, path, headers=headers)
            page = response.status_code == 303 and response.headers["location"].startswith(
                "/signin"
            )
            assert page or response.status_code == 401, (route, response.status_code)


async def test_the_owner_does_get_them(ann, belongings):
    """So that the refusals above are about who asks, not about addresses that do not exist."""
    reads = [route for route in sorted(BY_ID) if route.startswith(("GET", "HEAD"))]
    waiting = ("/download", "/download/{file_id}", "/thumbnail", "/events")
    for route in reads:
        if not route.endswith(waiting):
            method, path = fill(route, belongings)
            assert (await ann.client.request(method, path)).status_code == 200, route


async def test_files_of_others_are_no_inputs(bob, belongings):
    for file in (belongings["file_id"], f"file_{belongings['job_id'][4:]}-0-0-0"):
        body = {"files": [file], "steps": [{"operation": "extract-frames"}]}
        response = await bob.client.post("/v1/jobs", json=body)
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "files.0"


async def test_a_check_that_forgets_the_owner_is_noticed(bob, belongings, monkeypatch):
    monkeypatch.setattr(Principal, "may", lambda *_: True)
    answers = await refusals(bob.client, belongings)
    assert set(answers.values()) - {404}


PLANTED = {"owner": "user_x", "role": "admin", "quota": 1 << 60, "user": "user_x", "id": "x"}


async def test_planted_fields_change_nothing(mill, web, ann, bob, belongings):
    """S3: each write with owner, role and quota added; refused, or without effect."""
    me = (await bob.client.get("/v1/me")).json()
    writes = {
        "/v1/auth/register": {"email": "eve@example.org", "password": "a long enough secret"},
        "/v1/auth/login": {"email": bob.email, "password": "a long enough secret"},
        "/v1/auth/redeem": {"token": "mml_x"},
        "/v1/tokens": {"name": "planted"},
        "/v1/jobs": {"files": [belongings["file_id"]], "steps": [{"operation": "thumbnail"}]},
        "/v1/files": {"content_base64": "iVBORw0KGgo="},
        "/v1/projects": {"name": "planted"},
        "/v1/templates": {"name": "planted", "steps": [{"operation": "thumbnail"}]},
        "/v1/files/check": {"sha256": ["0" * 64]},
        "/v1/files/delete": {"files": [belongings["file_id"]]},
        "/v1/files/tags": {"files": [belongings["file_id"]], "add": ["x"]},
    }
    for path, body in writes.items():
        for name, value in PLANTED.items():
            response = await bob.client.post(path, json={**body, name: value})
            assert response.status_code == 422, (path, name)
            assert response.json()["errors"][0]["pointer"] == name
    query = {name: str(value) for name, value in PLANTED.items()}
    file = await bob.client.post("/v1/files", params={**query, "name": "dot.png"}, content=PNG)
    stored = await mill.repositories.files.get(file.json()["id"])
    assert stored.owner == bob.id
    for path in (f"/v1/jobs/{belongings['job_id']}/cancel", "/v1/auth/logout"):
        await bob.client.post(path, params=query, json=PLANTED)
    assert (await mill.accounts.users.get(bob.id)).role == me["role"] == "user"
