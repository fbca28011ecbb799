"""S1: every route of the app against nobody, other users, and those who were somebody once."""

import io
import json
import zipfile

import pytest
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount, Route

from mediamill.adapters.identity.port import Person
from mediamill.core.access import Principal
from mediamill.core.ids import new_id
from mediamill.services.accounts.sessions import digest
from mediamill.store.port import Delete, Put, Update
from mediamill.store.repositories.captions import Caption, caption_id
from mediamill.store.repositories.datasets import ProjectShare
from mediamill.store.repositories.erasures import Erasure
from mediamill.store.repositories.factors import Factor
from mediamill.store.repositories.feedback import Feedback
from mediamill.store.repositories.invitations import Invitation
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.providers import ProviderRow
from mediamill.store.repositories.users import Role, Token, TokenKind, User
from mediamill.store.repositories.workers import WorkerRow
from mediamill.web.security import SESSION_COOKIE
from tests.support.places import everywhere
from tests.web.conftest import PASSWORD, client_of, person

OPEN = {
    "GET /health/live", "GET /health/ready", "GET /metrics", "GET /docs", "GET /signin",
    "GET /openapi.json", "HEAD /openapi.json", "GET /v1/operations", "GET /v1/operations/{name}",
    "GET /v1/links/{token}", "HEAD /v1/links/{token}",
    "GET /v1/thumbnails/{token}", "HEAD /v1/thumbnails/{token}",
    "GET /unsubscribe/{token}", "POST /unsubscribe/{token}",
    "POST /unsubscribe/{token}/undo",
    "GET /erasures/{token}", "POST /erasures/{token}/undo",
    "GET /v1/erasures/{token}", "POST /v1/erasures/{token}/undo", "POST /v1/auth/restore",
    "OPTIONS /v1/uploads", "OPTIONS /v1/uploads/{upload_id}",
    "GET /auth/oidc/start", "GET /auth/oidc/callback", "GET /auth/oidc/end",
    "POST /v1/auth/register", "POST /v1/auth/login", "POST /v1/auth/redeem",
    "POST /v1/auth/password/forgot", "POST /v1/auth/password/reset", "POST /v1/auth/verify",
    "GET /commonest.txt", "GET /forgot", "GET /reset", "GET /verify", "GET /invitation",
    "POST /v1/auth/invitation",
}  # fmt: skip
"""What anybody who reaches the service may ask."""

OWN = {
    "GET /v1/me/notifications", "PATCH /v1/me/notifications", "GET /account",
    "GET /v1/me", "PATCH /v1/me", "POST /v1/auth/password", "POST /v1/auth/verify/resend",
    "GET /v1/me/identities", "POST /v1/me/identities",
    "GET /v1/me/sessions", "DELETE /v1/me/sessions", "POST /v1/feedback",
    "POST /v1/me/export", "GET /v1/me/export", "GET /v1/me/export/download",
    "HEAD /v1/me/export/download", "DELETE /v1/me",
    "GET /v1/me/activity", "GET /v1/usage", "GET /v1/usage/daily", "GET /v1/spending",
    "GET /v1/spending.csv", "GET /spending", "POST /v1/auth/logout", "GET /v1/tokens",
    "POST /v1/tokens",
    "GET /v1/files", "GET /v1/files/ids",
    "POST /v1/operations/{name}/preview", "POST /v1/operations/{name}/check", "GET /prompts",
    "POST /v1/files", "POST /v1/files/check", "POST /v1/files/delete", "POST /v1/files/restore",
    "POST /v1/files/tags", "DELETE /v1/trash", "GET /v1/jobs", "POST /v1/jobs", "GET /v1/events",
    "GET /v1/projects", "POST /v1/projects", "POST /v1/projects/sample",
    "GET /v1/templates", "POST /v1/templates",
    "GET /", "GET /jobs", "GET /jobs/new", "GET /projects",
    "GET /trash", "POST /v1/uploads", "POST /v1/uploads/presigned",
    "GET /parts/activity",
    "GET /v1/webhooks", "POST /v1/webhooks", "GET /webhooks",
    "GET /v1/captions", "DELETE /v1/captions", "GET /v1/captions/export",
    "GET /v1/me/factors", "POST /v1/me/factors/totp", "POST /v1/me/factors/totp/confirm",
    "DELETE /v1/me/factors/totp", "POST /v1/me/factors/recovery-codes", "POST /v1/auth/confirm",
    "POST /v1/captions/review", "POST /v1/captions/rerun",
    "GET /captions", "GET /captions/history", "GET /captions/review",
}  # fmt: skip
"""What everybody signed in has for themselves."""

BY_ID = {
    "DELETE /v1/tokens/{token_id}", "DELETE /v1/me/identities/{identity_id}",
    "DELETE /v1/me/sessions/{session_id}",
    "GET /v1/files/{file_id}", "DELETE /v1/files/{file_id}", "PATCH /v1/files/{file_id}",
    "POST /v1/files/{file_id}/restore", "POST /v1/files/{file_id}/replay",
    "GET /v1/files/{file_id}/content", "HEAD /v1/files/{file_id}/content",
    "GET /v1/files/{file_id}/thumbnail", "GET /v1/files/{file_id}/members",
    "GET /v1/files/{file_id}/members/{path:path}", "HEAD /v1/files/{file_id}/members/{path:path}",
    "DELETE /v1/files/{file_id}/members/{path:path}", "POST /v1/files/{file_id}/members/delete",
    "GET /v1/uploads/{upload_id}", "HEAD /v1/uploads/{upload_id}",
    "PATCH /v1/uploads/{upload_id}", "DELETE /v1/uploads/{upload_id}",
    "POST /v1/uploads/{upload_id}",
    "GET /v1/uploads/{upload_id}/parts", "POST /v1/uploads/{upload_id}/complete",
    "GET /v1/jobs/{job_id}", "DELETE /v1/jobs/{job_id}", "POST /v1/jobs/{job_id}/cancel",
    "POST /v1/jobs/{job_id}/retry", "GET /v1/jobs/{job_id}/items", "GET /v1/jobs/{job_id}/results",
    "GET /v1/jobs/{job_id}/download", "HEAD /v1/jobs/{job_id}/download",
    "GET /v1/jobs/{job_id}/events", "GET /v1/jobs/{job_id}/results.jsonl",
    "POST /v1/jobs/{job_id}/restore", "GET /v1/jobs/{job_id}/download/{file_id}",
    "GET /v1/jobs/{job_id}/notifications", "GET /v1/jobs/{job_id}/attempts",
    "GET /v1/jobs/{job_id}/attempts.csv", "GET /v1/jobs/{job_id}/attempts.jsonl",
    "POST /v1/jobs/{job_id}/link", "POST /v1/files/{file_id}/link",
    "GET /v1/projects/{project_id}", "PATCH /v1/projects/{project_id}",
    "GET /v1/projects/{project_id}/retention",
    "POST /v1/projects/{project_id}/restore",
    "DELETE /v1/projects/{project_id}", "GET /v1/projects/{project_id}/files",
    "POST /v1/projects/{project_id}/files", "DELETE /v1/projects/{project_id}/files",
    "DELETE /v1/projects/{project_id}/files/{file_id}", "PATCH /v1/projects/{project_id}/files",
    "POST /v1/projects/{project_id}/split", "POST /v1/projects/{project_id}/copy",
    "POST /v1/projects/{project_id}/import", "GET /v1/projects/{project_id}/health",
    "GET /v1/projects/{project_id}/tasks",
    "GET /v1/projects/{project_id}/tasks/{task_id}",
    "POST /v1/projects/{project_id}/tasks/{task_id}/undo",
    "GET /v1/projects/{project_id}/shares", "POST /v1/projects/{project_id}/shares",
    "DELETE /v1/projects/{project_id}/shares/{user_id}",
    "GET /v1/projects/{project_id}/versions", "POST /v1/projects/{project_id}/versions",
    "GET /v1/projects/{project_id}/versions/{number}",
    "DELETE /v1/projects/{project_id}/versions/{number}",
    "GET /v1/projects/{project_id}/versions/{number}/difference",
    "GET /v1/projects/{project_id}/versions/{number}/document",
    "GET /v1/projects/{project_id}/versions/{number}/export",
    "HEAD /v1/projects/{project_id}/versions/{number}/export",
    "GET /v1/projects/{project_id}/annotations", "GET /v1/projects/{project_id}/classes",
    "GET /v1/projects/{project_id}/annotations/export",
    "POST /v1/projects/{project_id}/annotations/import",
    "GET /v1/projects/{project_id}/annotations/imports/{task_id}/findings",
    "POST /v1/projects/{project_id}/classes", "PATCH /v1/projects/{project_id}/classes/{number}",
    "DELETE /v1/projects/{project_id}/classes/{number}",
    "POST /v1/projects/{project_id}/classes/{number}/merge",
    *(f"{method} /v1/projects/{{project_id}}/files/{{file_id}}/annotations"
      for method in ("GET", "PUT", "PATCH", "DELETE")),
    "POST /v1/projects/{project_id}/files/{file_id}/annotations/undo",
    "GET /v1/templates/{template}", "PATCH /v1/templates/{template}",
    "DELETE /v1/templates/{template}", "GET /v1/templates/{template}/versions",
    "GET /v1/templates/{template}/shares", "POST /v1/templates/{template}/shares",
    "DELETE /v1/templates/{template}/shares/{guest}",
    "GET /prompts/{job_id}", "GET /parts/answers/{job_id}",
    "GET /projects/{project_id}", "GET /projects/{project_id}/classes",
    "GET /projects/{project_id}/annotate/{file_id}", "GET /projects/{project_id}/split",
    "GET /projects/{project_id}/process", "GET /projects/{project_id}/health",
    "GET /projects/{project_id}/versions", "GET /projects/{project_id}/settings",
    "GET /jobs/{job_id}", "GET /files/{file_id}", "GET /parts/jobs/{job_id}",
    "GET /parts/jobs/{job_id}/outliers",
    "GET /v1/webhooks/{webhook_id}", "PATCH /v1/webhooks/{webhook_id}",
    "DELETE /v1/webhooks/{webhook_id}", "POST /v1/webhooks/{webhook_id}/test",
    "GET /v1/webhooks/{webhook_id}/deliveries", "POST /v1/webhooks/{webhook_id}/rotate",
    "POST /v1/webhooks/{webhook_id}/replay", "GET /v1/webhooks/{webhook_id}/deliveries/{event}",
    "POST /v1/webhooks/{webhook_id}/deliveries/{event}/replay", "GET /webhooks/{webhook_id}",
    "GET /parts/webhooks/{webhook_id}",
    "GET /v1/captions/{caption_id}", "PATCH /v1/captions/{caption_id}",
    "DELETE /v1/captions/{caption_id}", "POST /v1/captions/{caption_id}/undo",
}  # fmt: skip
"""What names a record that belongs to somebody."""

ADMIN = {
    "GET /v1/providers", "POST /v1/providers", "GET /v1/providers/{name:path}",
    "PATCH /v1/providers/{name:path}", "DELETE /v1/providers/{name:path}",
    "POST /v1/providers/{name:path}/test", "POST /v1/providers/{name:path}/wake",
    "GET /v1/chains", "GET /v1/chains/{operation}", "PUT /v1/chains/{operation}",
    "GET /v1/admin/users", "POST /v1/admin/users", "GET /v1/admin/users/{user_id}",
    "PATCH /v1/admin/users/{user_id}", "DELETE /v1/admin/users/{user_id}/sessions",
    "GET /v1/admin/invitations", "POST /v1/admin/invitations",
    "DELETE /v1/admin/invitations/{invitation_id}",
    "GET /v1/admin/feedback", "PATCH /v1/admin/feedback/{feedback_id}",
    "DELETE /v1/admin/feedback/{feedback_id}",
    "GET /v1/admin/feedback/{feedback_id}/pictures/{number}",
    "GET /v1/budgets", "GET /v1/budgets/{scope}", "PUT /v1/budgets/{scope}",
    "DELETE /v1/budgets/{scope}", "GET /models", "GET /parts/models", "GET /v1/admin/audit",
    "DELETE /v1/admin/users/{user_id}", "GET /v1/admin/erasures",
    "POST /v1/admin/erasures/{erasure_id}/undo",
    "DELETE /v1/admin/users/{user_id}/factors", "GET /v1/admin/users/{user_id}/quota",
    "PUT /v1/admin/users/{user_id}/quota", "DELETE /v1/admin/users/{user_id}/quota",
    "GET /v1/admin/queue", "GET /v1/admin/failures", "GET /v1/admin/audit.csv", "GET /admin",
    "GET /admin/users", "GET /admin/users/{user_id}", "GET /admin/audit", "GET /admin/retention",
    "GET /admin/feedback", "GET /parts/admin/failures",
    "GET /v1/admin/workers", "POST /v1/admin/workers/{worker_id}/drain",
    "POST /v1/admin/workers/{worker_id}/undrain",
}  # fmt: skip
"""What only administrators may."""

ANALYST = {
    "GET /v1/spending/everybody", "GET /v1/spending/users", "GET /v1/spending/users.csv",
    "GET /v1/analytics/users", "GET /v1/analytics/daily", "GET /v1/analytics/summary",
    "GET /v1/analytics/series", "GET /v1/analytics/summary.csv",
    "GET /v1/analytics/figures.jsonl", "GET /analytics",
}  # fmt: skip
"""What analysts may, too."""

BODIES: dict[str, object] = {
    "POST /v1/providers": {"name": "mine", "address": "echo:mine"},
    "PATCH /v1/providers/{name:path}": {"concurrency": 2},
    "POST /v1/providers/{name:path}/test": {},
    "PUT /v1/chains/{operation}": {"providers": ["echo:mine"]},
    "PUT /v1/budgets/{scope}": {"monthly": 1},
    "PUT /v1/admin/users/{user_id}/quota": {"files": 9},
    "PATCH /v1/projects/{project_id}": {"name": "mine"},
    "POST /v1/projects/{project_id}/files": {"files": ["file_x"]},
    "DELETE /v1/projects/{project_id}/files": {"files": ["file_x"]},
    "PATCH /v1/projects/{project_id}/files": {"files": ["file_x"], "set": {"split": "test"}},
    "POST /v1/projects/{project_id}/split": {},
    "POST /v1/projects/{project_id}/copy": {"name": "mine"},
    "POST /v1/projects/{project_id}/import": {"file": "file_x"},
    "POST /v1/projects/{project_id}/shares": {"user": "bob@example.org", "role": "editor"},
    "POST /v1/projects/{project_id}/versions": {},
    "POST /v1/projects/{project_id}/annotations/import": {"file": "file_x"},
    "POST /v1/projects/{project_id}/classes": {"name": "mine"},
    "PATCH /v1/projects/{project_id}/classes/{number}": {"name": "mine"},
    "POST /v1/projects/{project_id}/classes/{number}/merge": {"into": 1},
    "PUT /v1/projects/{project_id}/files/{file_id}/annotations": {"annotations": []},
    "PATCH /v1/projects/{project_id}/files/{file_id}/annotations": {"remove": []},
    "PATCH /v1/templates/{template}": {"name": "mine"},
    "POST /v1/templates/{template}/shares": {"user": "everybody", "role": "editor"},
    "PATCH /v1/webhooks/{webhook_id}": {"enabled": False},
    "POST /v1/webhooks/{webhook_id}/replay": {"since": "2026-11-21T16:00:00Z"},
    "PATCH /v1/captions/{caption_id}": {"state": "approved"},
    "PATCH /v1/files/{file_id}": {"name": "mine.png", "tags": ["mine"]},
    "POST /v1/files/{file_id}/members/delete": {"paths": ["frame-000001-40.jpg"]},
    "POST /v1/admin/users": {"email": "new@example.org", "password": PASSWORD},
    "PATCH /v1/admin/users/{user_id}": {"name": "mine"},
    "POST /v1/admin/invitations": {"email": "invited@example.org"},
    "PATCH /v1/admin/feedback/{feedback_id}": {"state": "done"},
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
    assert routes(web) == OPEN | OWN | BY_ID | ADMIN | ANALYST


def test_an_unlisted_route_is_noticed(web):
    web.router.routes.append(Route("/v1/secrets", lambda request: None))
    assert routes(web) - (OPEN | OWN | BY_ID | ADMIN | ANALYST)


@pytest.fixture
async def belongings(mill, ann):
    """A token, an archive, and a job of Ann's."""
    token = (await ann.client.post("/v1/tokens", json={"name": "hers"})).json()
    (session,) = (await ann.client.get("/v1/me/sessions")).json()["data"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("frame-000001-40.jpg", PNG)
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
    members = f"/v1/projects/{project.json()['id']}/files"
    both = [file.json()["id"], picture.json()["id"]]
    await ann.client.post(members, json={"files": both})
    task = await ann.client.patch(members, json={"files": both, "set": {"split": "test"}})
    number = Update(Project, (project.json()["id"],), set={"last_version": 424_241})
    await mill.store.transact(number)  # one that stands in no other word
    version = await ann.client.post(f"/v1/projects/{project.json()['id']}/versions", json={})
    assert version.status_code == 202, version.text
    guest = User(id=new_id("user"), email="guest@example.org", created=1)
    share = ProjectShare(user=guest.id, project=project.json()["id"], role="viewer", created=1)
    await mill.store.transact(Put(guest), Put(share))
    steps = [{"operation": "thumbnail"}]
    template = await ann.client.post("/v1/templates", json={"name": "hers", "steps": steps})
    shares = f"/v1/templates/{template.json()['id']}/shares"
    await ann.client.post(shares, json={"user": guest.id, "role": "viewer"})
    webhook = await ann.client.post("/v1/webhooks", json={"url": "https://example.org/"})
    event = await ann.client.post(f"/v1/webhooks/{webhook.json()['id']}/test")
    tus = {"tus-resumable": "1.0.0", "upload-length": "100"}
    upload = await ann.client.post("/v1/uploads", headers=tus)
    person = Person("https://issuer.example.org", "hers")
    await mill.linking.link(Principal(ann.id), person)
    hers = await mill.repositories.identities.find(person.issuer, person.subject)
    said = Caption(
        id=caption_id(job.json()["id"], 0, 0), owner=ann.id, listed=ann.id, job=job.json()["id"],
        stage=0, item=0, operation="caption", file=picture.json()["id"], name="dot.png",
        created=1, changed=1,
    )  # fmt: skip
    await mill.store.transact(Put(said))
    return {
        "upload_id": upload.headers["location"].rpartition("/")[2],
        "token_id": token["id"],
        "session_id": session["id"],
        "identity_id": hers.id,
        "file_id": file.json()["id"],
        "job_id": job.json()["id"],
        "project_id": project.json()["id"],
        "task_id": task.json()["id"],
        "number": str(version.json()["number"]),
        "user_id": guest.id,
        "template": template.json()["id"],
        "guest": guest.id,
        "webhook_id": webhook.json()["id"],
        "event": event.json()["id"],
        "caption_id": said.id,
    }


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154"
    "08d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def fill(route, ids):
    method, _, path = route.partition(" ")
    given = {"path:path": "frame-000001-40.jpg", "name:path": "theirs", "operation": "label",
             "worker_id": "worker_theirs", "user_id": "user_theirs", "number": "1",
             "invitation_id": "invite_theirs", "feedback_id": "feedback_theirs",
             "erasure_id": "erasure_theirs"}  # fmt: skip
    for name, value in ({**given, "scope": "everybody"} | ids).items():
        path = path.replace(f"{{{name}}}", value)
    return method, path


async def refusals(client, ids):
    answers = {}
    for route in sorted(BY_ID):
        method, path = fill(route, ids)
        response = await client.request(method, path, json=BODIES.get(route))
        answers[route] = response.status_code
    return answers


@everywhere
async def test_others_find_nothing_by_id(bob, belongings):
    answers = await refusals(bob.client, belongings)
    assert answers == dict.fromkeys(sorted(BY_ID), 404)


async def test_the_administrator_sees_no_media_of_others(admin, belongings):
    answers = await refusals(admin.client, belongings)
    assert answers == dict.fromkeys(sorted(BY_ID), 404)


async def test_tokens_and_cookies_of_others_open_nothing(web, bob, belongings):
    """What a program or a page of Bob's shows, from our own origin; and Ann's name beside it."""
    issued = (await bob.client.post("/v1/tokens", json={"name": "his"})).json()
    async with (
        client_of(web, authorization=f"Bearer {issued['token']}", **{"x-user": "ann"}) as program,
        client_of(web, **{"sec-fetch-site": "same-origin"}) as page,
    ):
        page.cookies.set(SESSION_COOKIE, bob.token)
        no_token = {"DELETE /v1/me/identities/{identity_id}": 403}  # whatever it names
        for client, otherwise in ((program, no_token), (page, {})):
            assert (await client.get("/v1/me")).json()["id"] == bob.id
            answers = await refusals(client, belongings)
            assert answers == dict.fromkeys(sorted(BY_ID), 404) | otherwise


async def past_secrets(mill, web, ann) -> dict[str, str]:
    """Return secrets that were good once, and one that never signs requests."""
    secrets = {}
    for name in ("expired", "revoked"):
        issued = (await ann.client.post("/v1/tokens", json={"name": name})).json()
        secrets[name] = issued["token"]
    await ann.client.delete(f"/v1/tokens/{issued['id']}")
    old = (digest(secrets["expired"]),)
    await mill.store.transact(Update(Token, old, set={"expires": mill.clock.now()}))
    async with person(web, "carol") as carol:
        hers = (await carol.client.post("/v1/tokens", json={"name": "hers"})).json()
        secrets["disabled user"], secrets["their token"] = carol.token, hers["token"]
        await mill.store.transact(Update(User, (carol.id,), set={"disabled": True}))
    async with person(web, "dan") as dan:
        secrets["signed out"] = dan.token
        await dan.client.post("/v1/auth/logout")
    link = Token(digest=digest("mml_x"), id="token_x", user=ann.id, kind=TokenKind.SIGN_IN,
                 created=1, expires=1 << 60)  # fmt: skip
    await mill.store.transact(Put(link))
    return {**secrets, "one-time link": "mml_x"}


async def test_who_was_somebody_is_nobody(mill, web, ann, belongings):
    """Revoked, expired, signed out, disabled: refused on every route, as if unknown."""
    for name, secret in (await past_secrets(mill, web, ann)).items():
        async with client_of(web, authorization=f"Bearer {secret}") as client:
            for route in sorted(BY_ID | OWN | ADMIN | ANALYST):
                method, path = fill(route, belongings)
                response = await client.request(method, path, json=BODIES.get(route))
                assert response.status_code == 401, (name, route, response.status_code)


def told(response, ids):
    """Return what an answer says, but for the ids that were asked with and its own."""
    text = response.text
    for value in ids.values():
        text = text.replace(value, "…")
    if text and response.headers.get("content-type") == "application/problem+json":
        text = {**json.loads(text), "instance": ""}
    return response.status_code, text, set(response.headers) - {"content-length"}


async def test_what_is_hers_looks_like_what_is_not_there(bob, belongings):
    """A refusal that differed from that of an invented id would tell that the record exists."""
    nowhere = {
        name: value[:-1] + ("0" if value[-1] != "0" else "1") for name, value in belongings.items()
    }
    for route in sorted(BY_ID):
        answers = []
        for ids in (belongings, nowhere):
            method, path = fill(route, ids)
            response = await bob.client.request(method, path, json=BODIES.get(route))
            answers.append(told(response, ids))
        assert answers[0] == answers[1], route


async def test_nobody_gets_anything(nobody, belongings):
    for route in sorted(BY_ID | OWN | ADMIN | ANALYST):
        method, path = fill(route, belongings)
        for headers in ({}, {"accept": "text/html"}, {"authorization": "Bearer mms_invented"}):
            response = await nobody.request(method, path, headers=headers)
            page = response.status_code == 303 and response.headers["location"].startswith(
                "/signin"
            )
            assert page or response.status_code == 401, (route, response.status_code)


@pytest.mark.parametrize("role", ["user", "analyst", "admin"])
async def test_only_administrators_administer(mill, bob, role):
    """Whatever is there or not: others are told nothing of it, and change nothing."""
    await mill.store.transact(Update(User, (bob.id,), set={"role": Role(role)}))
    before = await mill.models.providers.rows.all()
    await added(mill, "theirs")
    await here(mill, "theirs")
    for route in sorted(ANALYST):
        response = await bob.client.get(route.removeprefix("GET "))
        assert response.status_code == (403 if role == "user" else 200), (route, response.text)
    for route in sorted(ADMIN, key=lambda route: ("DELETE" in route, "PUT" in route, route)):
        method, path = fill(route, {})
        response = await bob.client.request(method, path, json=BODIES.get(route))
        if role == "admin":
            assert response.status_code < 300, (route, response.text)
        else:
            assert response.status_code == 403, (route, response.status_code)
            assert "theirs" not in response.text
    if role != "admin":
        names = [row.name for row in await mill.models.providers.rows.all()]
        assert names == [*(row.name for row in before), "theirs"]


async def added(mill, name):
    await mill.store.transact(Put(ProviderRow(name=name, address=f"echo:{name}", created=1)))


async def here(mill, name):
    row = WorkerRow(
        id=f"worker_{name}", name=name, host=name, pid=1, version="1", classes=("bulk",),
        stays=False, started=1, seen=1, until=await mill.store.now(),
    )  # fmt: skip
    user = User(id=f"user_{name}", email=f"{name}@example.org", created=1)
    going = User(id=f"user_going_{name}", email="", created=1, disabled=True,
                 erasing=f"erasure_{name}")  # fmt: skip
    erasure = Erasure(id=f"erasure_{name}", user=going.id, by="user", asked=1, due=1)
    await mill.store.transact(Put(going), Put(erasure))
    invitation = Invitation(
        id=f"invite_{name}", email=f"{name}@example.com", by=user.id, created=1, expires=2
    )
    said = Feedback(id=f"feedback_{name}", user=user.id, text=name, copies=1, created=1)
    factor = Factor(user=user.id, id="factor_x", secret="x", sealed_by="x", created=1, since=1)
    await mill.store.transact(*map(Put, (row, user, invitation, said, factor)))
    await mill.blobs.put(said.blob(1), PNG)


async def test_the_owner_does_get_them(ann, belongings):
    """So that the refusals above are about who asks, not about addresses that do not exist."""
    reads = [route for route in sorted(BY_ID) if route.startswith(("GET", "HEAD"))]
    waiting = (
        "/export", "/findings", "/health", "/document", "/difference", "/download",
        "/download/{file_id}", "/thumbnail", "/events", "/parts",
    )  # fmt: skip
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


VIEWS = {
    "GET /v1/projects/{project_id}", "GET /v1/projects/{project_id}/files",
    "POST /v1/projects/{project_id}/copy", "GET /v1/projects/{project_id}/tasks",
    "GET /v1/projects/{project_id}/tasks/{task_id}", "GET /v1/projects/{project_id}/versions",
    "GET /v1/projects/{project_id}/versions/{number}",
    "GET /v1/projects/{project_id}/annotations", "GET /v1/projects/{project_id}/classes",
    "GET /v1/projects/{project_id}/annotations/export",
    "GET /v1/projects/{project_id}/files/{file_id}/annotations",
    "GET /projects/{project_id}", "GET /projects/{project_id}/classes",
    "GET /projects/{project_id}/annotate/{file_id}", "GET /projects/{project_id}/split",
    "GET /projects/{project_id}/process", "GET /projects/{project_id}/health",
    "GET /projects/{project_id}/versions", "GET /projects/{project_id}/settings",
    "GET /v1/files/{file_id}", "GET /v1/files/{file_id}/content",
    "HEAD /v1/files/{file_id}/content", "GET /v1/files/{file_id}/members",
    "GET /v1/files/{file_id}/members/{path:path}", "HEAD /v1/files/{file_id}/members/{path:path}",
    "POST /v1/files/{file_id}/link", "GET /files/{file_id}",
}  # fmt: skip
"""What a viewer of a project may do with it, and with its members."""

WITHHELD = {
    "GET /v1/files/{file_id}/content", "HEAD /v1/files/{file_id}/content",
    "POST /v1/files/{file_id}/link",
}  # fmt: skip
"""What they may do with pictures (`tests/security/test_shared_pictures.py`), not with an archive:
nobody looks through all that is in it for what tells of places and persons."""

OWNERS = {
    "DELETE /v1/projects/{project_id}", "GET /v1/projects/{project_id}/shares",
    "POST /v1/projects/{project_id}/shares", "DELETE /v1/projects/{project_id}/shares/{user_id}",
    "GET /v1/projects/{project_id}/retention",
}  # fmt: skip
"""What only the owner of a project may do with it."""


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_a_guest_may_do_what_their_role_says_until_it_is_taken_back(
    mill, bob, belongings, role
):
    share = ProjectShare(user=bob.id, project=belongings["project_id"], role=role, created=1)
    await mill.store.transact(Put(share))
    answers = await refusals(bob.client, belongings)
    done = {route for route, status in answers.items() if status < 400}
    edits = {route for route in BY_ID if "/projects/" in route} - VIEWS - OWNERS
    if role == "viewer":
        assert done <= VIEWS
        assert {route for route in VIEWS - done if answers.get(route) in (403, 404)} == WITHHELD
        refused = {route for route in edits if not route.startswith(("GET", "HEAD"))}
        assert {answers[route] for route in refused - RESTORE} == {403}
    else:  # who takes a member out, among the first, sees its file no more
        assert done <= VIEWS | edits
        assert "PATCH /v1/projects/{project_id}" in done
    assert {answers[route] for route in OWNERS} == {403}
    await mill.store.transact(Delete(ProjectShare, share.key_values()))
    answers = await refusals(bob.client, belongings)
    assert answers == dict.fromkeys(sorted(BY_ID), 404)


@pytest.mark.parametrize("role", ["viewer", "editor"])
@pytest.mark.parametrize("everybody", [False, True])
async def test_a_template_is_shared_until_it_is_taken_back(
    ann, bob, nobody, belongings, role, everybody
):
    whom = "everybody" if everybody else bob.id
    shares = f"/v1/templates/{belongings['template']}/shares"
    made = await ann.client.post(shares, json={"user": whom, "role": role})
    assert made.status_code == 201, made.text
    answers = await refusals(bob.client, belongings)
    here = {route: status for route, status in answers.items() if "{template}" in route}
    seen = {"GET /v1/templates/{template}", "GET /v1/templates/{template}/versions"}
    changed = {"PATCH /v1/templates/{template}"}
    for route, status in here.items():
        allowed = route in seen or (route in changed and role == "editor")
        assert status == (200 if allowed else 403), route
    assert {status for route, status in answers.items() if route not in here} == {404}
    assert (await nobody.get(f"/v1/templates/{belongings['template']}")).status_code == 401
    assert (await ann.client.delete(f"{shares}/{whom}")).status_code == 204
    assert await refusals(bob.client, belongings) == dict.fromkeys(sorted(BY_ID), 404)


RESTORE = {"POST /v1/projects/{project_id}/restore"}
"""Of a project that is deleted, which nobody but its owner is told of."""
