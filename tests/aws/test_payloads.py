"""A request through each form of a gateway is answered as the same request over HTTP."""

import io
import json
import os
import re
import zipfile
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from tests.aws.behind import behind
from tests.support.gateways import FORMS, STAGE, base_of
from tests.support.serving import served
from tests.web.conftest import PASSWORD, person
from tests.web.one_service import mill, web  # noqa: F401 - fixtures

pytestmark = pytest.mark.asyncio(loop_scope="module")

VOLATILE = frozenset({
    "date", "server", "x-request-id", "connection", "transfer-encoding",
    "mediamill-max-body",  # what there is behind a gateway only
    "ratelimit", "ratelimit-policy",  # each request leaves less
    "strict-transport-security",  # over HTTPS only, as all gateways are: held below
})  # fmt: skip
MEMBER = "a b/100%25 ü?#+&=.txt"
IDS = re.compile(r"\b([a-z]+)_[0-9A-Z]{26}\b")
TIMES = re.compile(
    r"\d{4}-\d\d-\d\dT[0-9:.]+Z"  # of the API
    r"|\w{3}, \d\d \w{3} \d{4} [0-9:]+ GMT"  # of headers
    r"|\w{3} \d\d?, \d{4}(, [0-9:]+ UTC)?|\d\d:\d\d:\d\d UTC"  # of pages
)
CURSORS = re.compile(r'(?<="after":")[^"]+|ann-[0-9a-f]{8}|(?<=after=)[A-Za-z0-9_-]{20,}')
SECRETS = re.compile(r"mm[a-z]_[A-Za-z0-9_-]{20,}|(?<=links/)[A-Za-z0-9._~-]{20,}")


@dataclass(frozen=True)
class Ask:
    method: str
    path: str
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    session: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.headers or ''}"


def asks(names: dict[str, str]) -> list[Ask]:
    """A walk over many routes, good requests and bad ones."""
    image, archive, job = names["image"], names["archive"], names["job"]
    body = {"content-type": "application/json"}
    tus = {"tus-resumable": "1.0.0"}
    member = quote(names["member"], safe="/")
    reads = [
        "/", "/v1/me", "/v1/files", "/v1/files?limit=1&tag=x&name=%C3%BC%20%26%3D%2B", "/v1/jobs",
        f"/v1/files/{image}", f"/v1/files/{image}/content", f"/v1/files/{archive}/members",
        f"/v1/files/{archive}/members?prefix=a%20b%2F", f"/v1/files/{archive}/content?direct=false",
        f"/v1/files/{archive}/members/{member}", f"/v1/files/{archive}/members/none",
        "/v1/operations", "/v1/operations/thumbnail", "/v1/usage", "/v1/templates", "/v1/projects",
        "/v1/tokens", f"/v1/jobs/{job}", f"/v1/jobs/{job}/items", f"/v1/jobs/{job}?wait=0.01",
        f"/v1/jobs/{job}/results.jsonl", f"/v1/jobs/{job}/download", "/health/live", "/docs",
        "/openapi.json", "/static/page.js", "/static/icon.svg", "/static/none", "/v1/none",
        "/v1/files/none", "/v1/files?limit=1000", "/v1/files?limit=1&limit=2", "/signin",
        "/account",
        f"/files/{image}", f"/jobs/{job}", "/v1/files?after=%00", "/%2e%2e/etc/passwd",
        "/v1/files?q", "/v1/files?name=", "/v1/files?name=a%2Bb+c",
    ]  # fmt: skip
    etag = {"if-none-match": f'"{names["sha256"]}"'}
    return [
        *(Ask("GET", path) for path in reads),
        *(Ask("GET", path, session=False) for path in ("/", "/v1/me", "/health/live", "/signin")),
        *(Ask("GET", path, headers={"accept": "text/html"}) for path in ("/", "/none", "/docs")),
        Ask("HEAD", f"/v1/files/{image}/content"),
        Ask("HEAD", f"/v1/files/{archive}/members/{member}"),
        Ask("GET", f"/v1/files/{image}/content", headers={"range": "bytes=10-19"}),
        Ask("GET", f"/v1/files/{image}/content", headers={"range": "bytes=-5"}),
        Ask("GET", f"/v1/files/{names['text']}/content"),
        Ask("GET", f"/v1/files/{names['text']}/content", headers={"range": "bytes=3-4"}),
        Ask("GET", f"/v1/files/{image}/content", headers={"range": "bytes=99999999-"}),
        Ask("GET", f"/v1/files/{image}/content", headers=etag),
        Ask("GET", f"/v1/files/{archive}/members/{member}", headers={"range": "bytes=0-3"}),
        Ask("OPTIONS", "/v1/uploads"),
        Ask("POST", "/v1/me"),
        Ask("POST", "/v1/jobs", b"{", body),
        Ask("POST", "/v1/jobs", b'{"steps": 1}', body),
        Ask("POST", "/v1/jobs", json.dumps({"name": "ü" * 5}).encode(), body),
        Ask("POST", "/v1/files?name=b%C3%BC%26.txt&tags=a,b", "grüß\0".encode()),
        Ask("POST", "/v1/files", b"", {"x-filename": quote("ü.txt")}),
        Ask("POST", "/v1/files", b'{"filename": "j.txt", "content_base64": "aGFsbG8="}', body),
        Ask("POST", "/v1/files", b"no", body),
        Ask("POST", "/v1/files", form("f.txt", b"\xff\xfe"), {"content-type": FORM}),
        Ask("POST", "/v1/auth/login", b'{"email": "x", "password": "y"}', body, session=False),
        Ask("POST", "/v1/tokens", b'{"name": "t"}', body),
        Ask("POST", "/v1/tokens", b'{"name": "t"}', {**body, "idempotency-key": "k1"}),
        Ask("POST", "/v1/tokens", b'{"name": "u"}', {**body, "idempotency-key": "k1"}),
        Ask("POST", "/v1/uploads", headers=tus | {"upload-length": "11"}),
        Ask("POST", "/v1/uploads", headers=tus | {"upload-length": "x"}),
        Ask("POST", "/v1/uploads", headers={"upload-length": "11"}),
        Ask("POST", f"/v1/files/{image}/link"),
        Ask("PATCH", f"/v1/files/{image}", b'{"tags": ["x", "y"]}', body),
        Ask("DELETE", "/v1/files/file_00000000000000000000000000"),
        Ask("PUT", f"/v1/files/{image}", b"x"),
    ]


FORM = "multipart/form-data; boundary=frontier"


def form(name: str, data: bytes) -> bytes:
    head = f'--frontier\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n--frontier--\r\n"


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(made, "JPEG")
    return made.getvalue()


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(zipfile.ZipInfo(MEMBER), "told")
    return made.getvalue()


async def things(ann) -> dict[str, str]:
    """Let somebody have what the walk is about."""
    found = {}
    texts = ("text", "grüß Gott\n".encode())
    for name, data in (("image", picture()), ("archive", archive()), texts):
        told = await ann.client.post(f"/v1/files?name={name}", content=data)
        assert told.status_code == 201, told.text
        found[name] = told.json()["id"]
    (listed,) = (await ann.client.get(f"/v1/files/{found['archive']}/members")).json()["data"]
    found["member"] = listed["path"]
    found["sha256"] = (await ann.client.get(f"/v1/files/{found['image']}")).json()["sha256"]
    said = {"files": [found["image"]], "seed": 1, "steps": [{"operation": "thumbnail"}]}
    job = await ann.client.post("/v1/jobs", json=said)
    assert job.status_code == 202, job.text
    return found | {"job": job.json()["id"]}


async def answered(client: httpx.AsyncClient, ask: Ask, token: str, base: str) -> dict:
    """Return an answer without what differs each time."""
    headers = ask.headers | ({"authorization": f"Bearer {token}"} if ask.session else {})
    url = httpx.URL(base.rstrip("/") + ask.path)
    request = client.build_request(ask.method, url, content=ask.content, headers=headers)
    answer = await client.send(request)

    def plain(text: str) -> str:
        for pattern, stands in ((IDS, r"\1"), (TIMES, "time"), (SECRETS, "secret"), (CURSORS, "")):
            text = pattern.sub(stands, text)
        return text.replace(base, "").replace(f"/{STAGE}/", "/")

    assert ("strict-transport-security" in answer.headers) == (url.scheme == "https"), str(ask)
    told = sorted((n, plain(v)) for n, v in answer.headers.multi_items() if n not in VOLATILE)
    varying = ask.path.endswith(("/jobs", "/link")) or "tokens" in ask.path
    if varying or "content-encoding" in answer.headers:
        told = [pair for pair in told if pair[0] != "content-length"]  # of what differs each time
    return {"status": answer.status_code, "headers": told, "body": plain(answer.text)}


async def walked(web, client, base: str) -> list[tuple[Ask, dict]]:
    """Return the walk of somebody new."""
    async with person(web, f"ann-{os.urandom(4).hex()}") as ann:
        names = await things(ann)
        return [(ask, await answered(client, ask, ann.token, base)) for ask in asks(names)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def expected(web):
    """What is answered over HTTP."""
    async with served(web) as port, httpx.AsyncClient(trust_env=False) as client:
        return await walked(web, client, f"http://127.0.0.1:{port}")


SOME = ("http-2.0", "rest")


@pytest.mark.parametrize(
    "which",
    [*SOME, *(pytest.param(form, marks=pytest.mark.soak) for form in FORMS if form not in SOME)],
)
async def test_every_form_is_answered_as_http_is(web, expected, which):
    async with behind(which, web) as client:
        found = await walked(web, client, base_of(which))
    statuses = {answer["status"] for _, answer in expected}
    assert statuses >= {200, 201, 204, 206, 304, 400, 401, 404, 405, 412, 416, 422}
    pairs = zip(expected, found, strict=True)
    wrong = [(str(ask), wanted, answer) for (ask, wanted), (_, answer) in pairs if answer != wanted]
    if which == "alb-single":  # such a load balancer keeps the last value only
        wrong = [each for each in wrong if "limit=1&limit=2" not in each[0]]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("which", SOME)
async def test_a_browser_stays_signed_in(web, which):
    """The session comes as a cookie of this host alone, and goes back as one."""
    async with person(web, f"eve-{os.urandom(4).hex()}") as eve, behind(which, web) as client:
        account = {"email": eve.email, "password": PASSWORD}
        origin = {"origin": base_of(which).removesuffix(f"/{STAGE}")}
        answer = await client.post("/v1/auth/login", json=account, headers=origin)
        assert answer.headers["set-cookie"].startswith("__Host-mediamill_session=")
        assert "Secure" in answer.headers["set-cookie"]
        page = await client.get("/account", headers={"accept": "text/html"})
        assert (page.status_code, eve.email in page.text) == (200, True)
        out = await client.post("/v1/auth/logout", headers=origin)
        assert out.is_success, out.text
        assert (await client.get("/v1/me")).status_code == 401
