"""Each example of the reference of the API is a request that the service takes.

Ids in them are made up, so that much is not there, and some may not be done by who asks; but none
is refused for how it is written, and none makes the service fail.
"""

import asyncio
import shlex
from dataclasses import dataclass

import httpx
import pytest

from mediamill.media.video.pattern import write_pattern
from tests.docs.blocks import DOCS, blocks
from tests.web.conftest import client_of, mill, web  # noqa: F401 - fixtures

TAKEN = {200, 201, 202, 204, 301, 302, 303, 304, 307, 403, 404, 409, 410, 412}
"""How a request that is written well may be answered."""
EMAIL = "root@example.org"
PASSWORDS = ("correct horse battery staple", "six words that nobody else says")
"""That of the examples, and what one of them changes it to."""
OWN = ("/v1/auth/", "/v1/me")
"""Where who asks may be signed out by it."""
STREAMS = "/events"
"""How the address of what does not end ends."""
OF_MAILS = {
    f"POST /v1/auth/{name}" for name in ("redeem", "password/reset", "verify", "restore", "login")
}
"""Their examples show a token of a mail, or somebody, that there is not: 401."""
AT_THE_TIME = {
    "POST /v1/captions/rerun": "There are no rejected captions",
    "POST /v1/me/factors/totp/confirm": "The app shows another code now",
    "POST /v1/webhooks": "hooks.example is not a public host",
}
"""What is written well, and refused for what there is, or is not, at the time."""


@dataclass(frozen=True)
class Example:
    """A request as the page shows it to be sent by curl."""

    line: int
    method: str
    path: str
    headers: dict[str, str]
    body: str | None

    def __str__(self) -> str:
        return f"api.md:{self.line}: {self.method} {self.path} {self.body or ''}"


def read(line: int, text: str) -> Example:
    """Read a command that `api_reference.py` writes."""
    words = iter(shlex.split(text))
    assert next(words) == "curl"
    method, headers, body, path = "", {}, None, ""
    for word in words:
        match word:
            case "-s":
                pass
            case "-I":
                method = "HEAD"
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "--json":
                body = next(words)
                headers["Content-Type"] = "application/json"
            case "--data-binary":
                assert next(words) == "@part"
                body = "part"
            case _:
                assert word.startswith("http://127.0.0.1:8750/"), word
                path = word.removeprefix("http://127.0.0.1:8750")
    return Example(line, method or "GET", path, headers, body)


def examples(file: str) -> list[Example]:
    """Read them all; where one says `file_…`, it means this file."""
    found = [
        read(block.line, block.text.replace("file_…", file))
        for block in blocks(DOCS / "reference/api.md")
        if block.language == "sh"
    ]
    # what takes away who asks comes last
    return sorted(found, key=lambda one: (one.path.startswith(OWN), "password" in one.path))


async def session(client: httpx.AsyncClient) -> str:
    """Sign in as programs do: what a browser would keep is thrown away."""
    for password in PASSWORDS:
        client.cookies.clear()
        told = await client.post("/v1/auth/login", json={"email": EMAIL, "password": password})
        if told.status_code == 200:
            return str(told.json()["token"])
    raise AssertionError(told.text)


async def answer(example: Example, client: httpx.AsyncClient, token: str) -> httpx.Response | None:
    """Send one; nothing where the answer is a stream that goes on."""
    headers = dict(example.headers)
    if "Authorization" in headers:
        headers["Authorization"] = f"Bearer {token}"
    client.cookies.clear()
    asked = client.request(example.method, example.path, headers=headers, content=example.body)
    if not example.path.endswith(STREAMS):
        return await asked
    try:
        return await asyncio.wait_for(asked, 1)
    except TimeoutError:
        return None


def refused(example: Example, told: httpx.Response | None) -> str:
    """Say what is wrong with an example, or nothing."""
    route = f"{example.method} {example.path.partition('?')[0]}"
    if told is None or told.status_code in TAKEN:
        return ""
    if told.status_code == 401 and route in OF_MAILS:
        return ""
    if told.status_code == 422 and told.json()["detail"].startswith(AT_THE_TIME.get(route, "-")):
        return ""
    return f"{example} -> {told.status_code} {told.text[:300]}"


async def register(client: httpx.AsyncClient) -> None:
    body = {"email": EMAIL, "password": PASSWORDS[0]}
    assert (await client.post("/v1/auth/register", json=body)).status_code == 201


@pytest.mark.timeout(300)
async def test_every_example_is_taken(web, tmp_path):
    async with client_of(web) as client:
        await register(client)
        token, wrong = await session(client), []
        there = await client.post(
            "/v1/files?name=a.mp4",
            content=write_pattern(tmp_path / "a.mp4", seconds=1).read_bytes(),
            headers={"Authorization": f"Bearer {token}"},
        )
        for one in examples(there.json()["id"]):
            if one.path.startswith(OWN):
                token = await session(client)
            wrong.append(refused(one, await answer(one, client, token)))
    assert len(wrong) > 200
    found = "\n".join(said for said in wrong if said)
    assert not found, found


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("""-X POST -H "Authorization: Bearer $TOKEN" --json '{"files": []}' "A/v1/jobs\"""", 422),
        ("""-X PUT -H "Authorization: Bearer $TOKEN" "A/v1/jobs\"""", 405),
        ("""-H "Authorization: Bearer $TOKEN" "A/v1/files?limit=many\"""", 422),
        ('"A/v1/files"', 401),
    ],
)
async def test_one_that_is_not_is_found(command, status, web):
    """The planted faults."""
    example = read(1, "curl -s " + command.replace("A/", "http://127.0.0.1:8750/"))
    async with client_of(web) as client:
        await register(client)
        told = await answer(example, client, await session(client))
        assert f"-> {status} " in refused(example, told)
