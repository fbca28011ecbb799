"""One real service for hostile files, with a person and a watch on its memory for each test."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.processes import Process, free_port, signed_in, until_open

PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """The most memory that any process of the service held, in bytes."""

    def __init__(self, process: Process) -> None:
        assert process.child is not None
        self._root, self.most = process.child.pid, 0

    async def run(self) -> None:
        while True:
            self.most = max(self.most, *map(resident, descendants(self._root)))
            await asyncio.sleep(0.05)


def descendants(root: int) -> list[int]:
    """Return a process and its children, as far as they are still there."""
    found = [root]
    for pid in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def resident(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return 0


class Mill:
    """The service under attack."""

    def __init__(self, process: Process, client: httpx.AsyncClient, watch: Watch) -> None:
        self.process, self.client, self.watch = process, client, watch

    async def upload(self, name: str, data: bytes) -> httpx.Response:
        """Upload; whatever comes, it is an answer and no failure of the service."""
        answer = await self.client.post(
            "/v1/files", params={"name": name}, content=data, timeout=30
        )
        assert answer.status_code < 500, f"{name}: {answer.status_code} {answer.text}"
        assert answer.elapsed.total_seconds() <= 10, f"{name} took {answer.elapsed}"
        return answer

    async def outcomes(self, files: list[str], operation: str, **parameters: object) -> list[dict]:
        """Run a job to its end; return what became of each item."""
        steps = [{"operation": operation, "parameters": parameters}]
        body = {"files": files, "steps": steps, "reuse": False}  # two mutants may be the same
        sent = await self.client.post("/v1/jobs", json=body)
        assert sent.status_code == 202, sent.text
        job = sent.json()["id"]
        for _ in range(30):
            told = (await self.client.get(f"/v1/jobs/{job}", params={"wait": 30})).json()
            if told["finished_at"]:
                break
        assert told["finished_at"], told
        found: list[dict] = []
        after = ""
        while after is not None:
            query = {"limit": 100} | ({"after": after} if after else {})
            page = (await self.client.get(f"/v1/jobs/{job}/items", params=query)).json()
            found += page["data"]
            after = page["after"]
        failed = [item["file"] for item in found if item["state"] == "failed"]
        if operation == "health-check":  # what is well comes to the one report
            assert len({*failed}) == len(failed) == len(found) - 1
            assert {*failed} < {*files}
        else:
            assert sorted(item["file"] for item in found) == sorted(files)
        ended = "partial" if len(failed) < len(found) else "failed"
        assert told["state"] == (ended if failed else "succeeded"), (told, failed)
        for item in found:
            assert item["state"] in ("succeeded", "failed"), item
            assert item["code"] != "internal", item
            assert item["seconds"] <= 10, item
        return found

    def alive(self) -> None:
        """Fail when the service died, was shaken, or held more than a gigabyte."""
        assert self.process.child is not None
        assert self.process.child.poll() is None, self.process.log()[-2000:]
        lines = self.process.log().splitlines(keepends=True)
        log = "".join(line for line in lines if '"kind": "project_task"' not in line)  # says why
        for bad in ("unit_stranded", "unit_failed", "Traceback"):
            assert bad not in log, log[log.index(bad) - 1500 :][:4000]
        assert self.watch.most < 1 << 30


ANSWERING = {
    "caption_chain": "echo:", "label_chain": "echo:?labels=Dog:0.98", "prompt_chain": "echo:?say=[]"
}  # fmt: skip
"""Models for the operations that ask some."""


@pytest.fixture(scope="session")
def attacked(
    tmp_path_factory: pytest.TempPathFactory, session_place: dict[str, str]
) -> Iterator[Process]:
    """The service of all attacks: whatever one of them did, the next finds it as it should be."""
    home = tmp_path_factory.mktemp("attacked") / "home"
    process = Process("up", home, free_port(), slots=2, **ANSWERING)
    process.fresh = True
    with pytest.MonkeyPatch.context() as patch:
        for name, value in session_place.items():
            patch.setenv(name, value)
        process.start()
    try:
        until_open(process.child, process.port, process.output)
        yield process
    finally:
        process.end()


@pytest.fixture
def mill(attacked: Process):
    """A way to the service, as a person who has nothing yet."""

    @asynccontextmanager
    async def arrive() -> AsyncIterator[Mill]:
        watch = Watch(attacked)
        task = asyncio.create_task(watch.run())
        try:
            async with signed_in(attacked, f"{os.urandom(4).hex()}@example.org") as client:
                yield Mill(attacked, client, watch)
        finally:
            task.cancel()

    return arrive
