"""Two servers of one installation: what is begun at one goes on at the other.

They share PostgreSQL, a bucket and `MEDIAMILL_SECRET`; each has a home of its own. Both start at
once, on an empty database. The first works, too; the second only listens.
"""

import asyncio
import re
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from tests.media_factory import clip
from tests.support.holding import done_within
from tests.support.places import Place
from tests.support.processes import Process, free_port, until_live
from tests.web.test_tus import begin, offset_of, patch

SHORT = {
    "slots": 1, "min_free_bytes": 0, "poll_seconds": 60, "secret": "one key for all of them",
    "quota_files": 5,
}  # fmt: skip
ACCOUNT = {"email": "ann@example.org", "password": "correct horse battery"}
NEW = "battery staple correct"
SOON = 5
"""Seconds after which a session that was ended is refused everywhere (S5)."""


@dataclass
class Two:
    """The servers, and a client of each with the same session."""

    servers: list[Process]
    clients: list[httpx.AsyncClient]

    async def upload(self, data: bytes, name: str = "clip.mp4") -> str:
        answer = await self.clients[0].post("/v1/files", params={"name": name}, content=data)
        answer.raise_for_status()
        return answer.json()["id"]

    async def submit(self, client: httpx.AsyncClient, file_id: str, **headers: str):
        steps = [{"operation": "extract-frames", "parameters": {"every": 0.5}}]
        body = {"files": [file_id], "steps": steps}
        return await client.post("/v1/jobs", json=body, headers=headers)


@asynccontextmanager
async def two_servers(folder):
    servers = []
    async with AsyncExitStack() as stack:
        for role in ("up", "api"):
            home = folder / role
            home.mkdir()
            servers.append(Process(role, home / "home", free_port(), **SHORT))
            servers[-1].start()
            stack.callback(servers[-1].end)
        clients = []
        for server in servers:
            await until_live(server)
            base = f"http://127.0.0.1:{server.port}"
            client = httpx.AsyncClient(base_url=base, timeout=60, trust_env=False)
            clients.append(await stack.enter_async_context(client))
        await clients[0].post("/v1/auth/register", json=ACCOUNT)
        token = (await clients[1].post("/v1/auth/login", json=ACCOUNT)).json()["token"]
        for client in clients:
            client.headers["Authorization"] = f"Bearer {token}"
        yield Two(servers, clients)


async def first_admin(two: Two) -> dict[str, str]:
    """Both links that the servers printed sign in as one administrator; return what shows that."""
    users = set()
    for server, client in zip(two.servers, reversed(two.clients), strict=True):
        async with asyncio.timeout(60):
            while (found := re.search(r"/signin\?token=(\S+)", server.log())) is None:
                await asyncio.sleep(0.05)
        said = await client.post("/v1/auth/redeem", json={"token": found[1]})
        assert said.status_code == 200, said.text
        headers = {"Authorization": f"Bearer {said.json()['token']}"}
        me = (await client.get("/v1/me", headers=headers)).json()
        assert me["role"] == "admin"
        users.add(me["id"])
    assert len(users) == 1
    return headers


async def resumable(two: Two) -> None:
    """An upload that was begun at one goes on at the other, and ends at the first."""
    one, other = two.clients
    data = bytes(range(256)) * 400
    place = httpx.URL(await begin(one, len(data), "notes.bin")).path
    assert (await patch(one, place, 0, data[:30_000])).status_code == 204
    assert await offset_of(other, place) == 30_000
    assert (await patch(other, place, 30_000, data[30_000:90_000])).status_code == 204
    assert await offset_of(one, place) == 90_000
    last = await patch(one, place, 90_000, data[90_000:])
    assert last.status_code == 204, last.text


async def repeated(two: Two, file_id: str) -> str:
    """A request with a key that is sent to both makes one job; return it.

    The one that gets it first does no work: it rings for the other, who looks once a minute only.
    """
    answers = [
        await two.submit(client, file_id, **{"Idempotency-Key": "same-at-both"})
        for client in reversed(two.clients)
    ]
    assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
    (job,) = {answer.json()["id"] for answer in answers}
    return job


async def followed(client: httpx.AsyncClient, job: str) -> None:
    """The events of a job come from a server that does not work at it."""
    async with asyncio.timeout(45), client.stream("GET", f"/v1/jobs/{job}/events") as stream:
        states = [line async for line in stream.aiter_lines() if line.startswith("data:")]
    assert '"succeeded"' in states[-1]


async def downloaded(two: Two, file_id: str, job: str, data: bytes) -> None:
    """A range of a file, and a link that the first signed, come from the second."""
    one, other = two.clients
    part = await other.get(f"/v1/files/{file_id}/content", headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, data[100:300])
    whole = await one.get(f"/v1/jobs/{job}/download")
    ranged = {"Range": "bytes=10-", "If-Range": whole.headers["etag"]}
    rest = await other.get(f"/v1/jobs/{job}/download", headers=ranged)
    assert (rest.status_code, rest.content) == (206, whole.content[10:])
    link = (await one.post(f"/v1/jobs/{job}/link")).json()["url"]
    opened = await other.get(httpx.URL(link).path, headers={"Authorization": ""})
    assert opened.content == whole.content


async def limited(two: Two) -> None:
    """Of fifty uploads at once, to both, as many are taken in as there is room for (S18)."""
    used = (await two.clients[0].get("/v1/usage")).json()["quotas"][1]
    assert (used["quota"], used["limit"]) == ("files", 5)
    room = int(used["limit"] - used["used"])
    for n in range(room - 1):
        await two.upload(b"some text", f"{n}.txt")
    sends = [two.clients[n % 2].post(f"/v1/files?name={n}.txt", content=b"x") for n in range(50)]
    codes = sorted(answer.status_code for answer in await asyncio.gather(*sends))
    assert codes == [201] + [429] * 49


async def signed_out(two: Two) -> None:
    """A session that ends at one, and a token that is revoked there, are refused at the other."""
    one, other = two.clients

    async def refused() -> None:
        begun = (await one.post("/v1/auth/login", json=ACCOUNT)).json()["token"]
        session = {"Authorization": f"Bearer {begun}"}
        made = (await one.post("/v1/tokens", json={"name": "a script"}, headers=session)).json()
        script = {"Authorization": f"Bearer {made['token']}"}
        assert (await other.get("/v1/me", headers=script)).status_code == 200
        gone = await one.delete(f"/v1/tokens/{made['id']}", headers=session)
        assert gone.status_code == 204
        assert (await one.post("/v1/auth/logout", headers=session)).status_code == 204
        for headers in (script, session):
            while (await other.get("/v1/me", headers=headers)).status_code != 401:
                await asyncio.sleep(0.1)

    await done_within(SOON, refused)


async def ended(two: Two, admin: dict[str, str]) -> None:
    """What a change of the password and an administrator end at one is refused at the other."""
    one, other = two.clients

    async def begun(password: str) -> dict[str, str]:
        body = {**ACCOUNT, "password": password}
        answer = await one.post("/v1/auth/login", json=body, headers={"Authorization": ""})
        session = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert (await other.get("/v1/me", headers=session)).status_code == 200
        return session

    async def refused(*sessions: dict[str, str]) -> None:
        for headers in sessions:
            while (await other.get("/v1/me", headers=headers)).status_code != 401:
                await asyncio.sleep(0.1)

    kept, lost = await begun(ACCOUNT["password"]), await begun(ACCOUNT["password"])
    ann = (await one.get("/v1/me", headers=kept)).json()["id"]
    body = {"current": ACCOUNT["password"], "new": NEW}
    changed = await one.post("/v1/auth/password", json=body, headers=kept)
    assert changed.status_code == 204, changed.text
    await done_within(SOON, lambda: refused(lost))
    assert (await other.get("/v1/me", headers=kept)).status_code == 200
    here = f"/v1/admin/users/{ann}"
    assert (await one.delete(f"{here}/sessions", headers=admin)).status_code == 204
    await done_within(SOON, lambda: refused(kept))
    later = await begun(NEW)
    script = await one.post("/v1/tokens", json={"name": "script"}, headers=later)
    program = {"Authorization": f"Bearer {script.json()['token']}"}
    out = await one.patch(here, json={"disabled": True}, headers=admin)
    assert out.status_code == 200, out.text
    await done_within(SOON, lambda: refused(later, program))


@pytest.mark.places(Place("postgresql", "s3"))
async def test_what_is_begun_at_one_goes_on_at_the_other(tmp_path, place):
    data = clip(tmp_path / "clip.mp4", seconds=2).read_bytes()
    async with two_servers(tmp_path) as two:
        admin = await first_admin(two)
        await resumable(two)
        file_id = await two.upload(data)
        job = await repeated(two, file_id)
        await followed(two.clients[1], job)
        await downloaded(two, file_id, job, data)
        await limited(two)
        await signed_out(two)
        await ended(two, admin)
