"""S9, S11: zips made hostile out of good ones, as uploads with members and as inputs of jobs.

The soak takes about two minutes: 2,100 archives.
"""

import asyncio
import io
import random
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.media_factory import Pipe, clip, sample
from tests.security.conftest import Mill
from tests.security.mutator import mutants

AT_A_TIME = 6


def packed(folder: Path) -> dict[str, bytes]:
    """Return good archives: stored, deflated, and streamed; of pictures, a clip and a text."""
    video = clip(folder / "clip.mp4", "-g", "10", seconds=0.5, size="96x64").read_bytes()
    members = {
        "a.jpg": sample("orientation-6.jpg").read_bytes(),
        "train/b.jpg": sample("orientation-8.jpg").read_bytes(),
        "clip.mp4": video,
        "notes/ü.txt": b"a cat, " * 3000,
    }
    found = {}
    for name, method, piped in (
        ("stored", zipfile.ZIP_STORED, False),
        ("deflated", zipfile.ZIP_DEFLATED, False),
        ("streamed", zipfile.ZIP_DEFLATED, True),
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(Pipe(buffer) if piped else buffer, "w", method) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        found[name] = buffer.getvalue()
    return found


async def read_members(mill: Mill, file: str) -> int:
    """List an archive and read all members; a connection may break where bytes lie. Count good."""
    good = 0
    listed = await mill.client.get(f"/v1/files/{file}/members")
    assert listed.status_code < 500, listed.text
    for member in listed.json().get("data", ()):
        try:
            answer = await mill.client.get(member["url"])
        except httpx.RemoteProtocolError:
            continue
        assert answer.status_code < 500, (member, answer.text)
        good += answer.status_code == 200
        if answer.status_code == 200:
            assert len(answer.content) == member["size"]
    return good


async def run_as_input(mill: Mill, file: str) -> list[dict]:
    """Run a job over an archive to its end; return its items, none where it is refused."""
    steps = [{"operation": "thumbnail", "parameters": {"size": 64}}]
    body = {"archive": file, "steps": steps, "reuse": False}
    sent = await mill.client.post("/v1/jobs", json=body)
    if sent.status_code == 422:
        assert sent.json()["errors"], sent.text
        return []
    assert sent.status_code == 202, sent.text
    job = sent.json()["id"]
    told = (await mill.client.get(f"/v1/jobs/{job}", params={"wait": 60})).json()
    assert told["finished_at"], told
    found = (await mill.client.get(f"/v1/jobs/{job}/items?limit=100")).json()["data"]
    for item in found:
        assert item["state"] in ("succeeded", "failed"), item
        assert item["code"] != "internal", item
    return found


async def break_off(mill: Mill) -> None:
    """Read a large member that lies: the connection breaks, as its length was promised already.

    The log has a line of it, and no traceback.
    """
    noise = random.Random(7).randbytes(3 << 20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("noise", noise)
    data = buffer.getvalue().replace(noise[2_000_000:2_000_004], b"lies")
    file = (await mill.upload("a.zip", data)).json()["id"]
    with pytest.raises(httpx.RemoteProtocolError):
        await mill.client.get(f"/v1/files/{file}/members/noise")
    assert "answer_broken_off" in mill.process.log()
    mill.alive()


async def attack(mill: Mill, name: str, data: bytes, turns: asyncio.Semaphore) -> tuple[int, int]:
    """Upload one archive and use it both ways; return how many members and items were good."""
    async with turns:
        answer = await mill.upload(f"{name}.zip", data)
        if answer.status_code != 201:
            told = answer.json()
            assert told["code"] in ("broken_media", "unsupported_media", "limit_exceeded"), told
            return 0, 0
        file = answer.json()["id"]
        good = await read_members(mill, file)
        items = await run_as_input(mill, file)
        await mill.client.delete(f"/v1/files/{file}", params={"now": "true"})
        return good, sum(item["state"] == "succeeded" for item in items)


@pytest.mark.parametrize("count", [6, pytest.param(700, marks=pytest.mark.soak)])
async def test_mutated_zips_harm_nobody_and_good_ones_pass(mill, tmp_path: Path, count: int):
    async with mill() as service:
        turns = asyncio.Semaphore(AT_A_TIME)
        await break_off(service)
        for seed, (kind, data) in enumerate(packed(tmp_path).items()):
            assert await attack(service, kind, data, turns) == (4, 3), kind
            made = mutants(data, count, seed)
            tries = [attack(service, f"{kind}-{name}", mutant, turns) for name, mutant in made]
            ended = await asyncio.gather(*tries)
            service.alive()
            assert any(good for good, _ in ended), "no mutant was opened at all"
            assert (0, 0) in ended, "no mutant was refused"
            assert await attack(service, kind, data, turns) == (4, 3), kind
