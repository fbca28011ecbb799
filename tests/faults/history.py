"""The history check H: what the service acknowledged must be true afterwards, whatever happened.

A test keeps a `History` of what it was told (uploads and jobs that got a 2xx) and calls `check`
once the service is quiet again. It reads back through HTTP, and counts rows and blobs in the
stores themselves (`checks.py`). It returns every broken promise; an empty list is a pass.

    python -m tests.faults.history --home HOME --log client.jsonl

checks the same of a service that is not running, from a client's own log, a line each:
`{"upload": "file_…", "sha256": "…"}`, `{"job": "job_…"}`, and `{"deleted": "file_… or job_…"}`.
Where its store and its bytes are is told as to the service itself: `MEDIAMILL_STORE_URL` …
It signs in for each owner and removes orphans however young, so check a copy of what matters.
"""

import argparse
import asyncio
import hashlib
import json
import sys
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.faults import charges, checks, counted


@dataclass
class History:
    """What clients were told."""

    uploads: dict[str, str] = field(default_factory=dict)
    """File id → SHA-256 of what was sent."""
    jobs: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    """What a client was told is deleted for good: nothing of it may be left."""
    counts: bool = True
    """Whether all programs that took part count figures."""
    log: Path | None = None
    """Where each line of it is written as it is learnt."""

    async def upload(self, client: httpx.AsyncClient, name: str, data: bytes) -> str:
        """Upload; the file counts once it is acknowledged."""
        answer = await client.post("/v1/files", params={"name": name}, content=data)
        answer.raise_for_status()
        file_id = str(answer.json()["id"])
        self.note(upload=file_id, sha256=hashlib.sha256(data).hexdigest())
        return file_id

    async def submit(self, client: httpx.AsyncClient, files: list[str], operation: str, **p) -> str:
        """Submit a one-step job; it counts once it is acknowledged."""
        return await self.submit_steps(client, files, [{"operation": operation, "parameters": p}])

    async def submit_steps(self, client: httpx.AsyncClient, files: list[str], steps: list) -> str:
        """Submit a job of some steps; it counts once it is acknowledged."""
        answer = await client.post("/v1/jobs", json={"files": files, "steps": steps})
        answer.raise_for_status()
        job_id = str(answer.json()["id"])
        self.note(job=job_id)
        return job_id

    def note(self, **line: str) -> None:
        """Learn what was acknowledged: a line of the log."""
        if "upload" in line:
            self.uploads[line["upload"]] = line["sha256"]
        elif "job" in line:
            self.jobs.append(line["job"])
        else:
            self.deleted.add(line["deleted"])
        if self.log is not None:
            with self.log.open("a") as log:
                log.write(json.dumps(line) + "\n")

    @classmethod
    def read(cls, log: Path) -> "History":
        """Read a client's log; a last line that was cut is left out."""
        history = cls()
        for line in log.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                history.note(**json.loads(line))
        return history

    async def check(self, client: httpx.AsyncClient, settings: Settings) -> list[str]:
        """Return every promise that does not hold; `client` is its owner's."""
        app = await App.open(settings)
        try:
            return await self._check(app, [client])
        finally:
            await app.close()

    async def check_home(self, settings: Settings) -> list[str]:
        """Check a home that no service runs on, for all owners in the log."""
        async with await App.open(settings) as app, AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(c) for c in await self._clients(app)]
            return await self._check(app, clients)

    async def _clients(self, app: App) -> list[httpx.AsyncClient]:
        """Make a client for each owner in the log, that asks the service within this process."""
        nouns, web = app.repositories, create_app(app)
        files = await nouns.files.get_many(list(self.uploads))
        jobs = [await nouns.jobs.get(job) for job in self.jobs]
        owners = sorted({row.owner for row in (*files, *jobs) if row is not None})
        clients = []
        for owner in owners:
            signed_in = Principal(owner, session=True)
            issued = await app.people.tokens.issue(signed_in, "history check", None)
            headers = {"Authorization": f"Bearer {issued.secret}"}
            transport = httpx.ASGITransport(web, raise_app_exceptions=False)
            clients.append(
                httpx.AsyncClient(transport=transport, base_url="http://mill.test", headers=headers)
            )
        return clients or [httpx.AsyncClient(base_url="http://mill.test")]

    async def _check(self, app: App, clients: list[httpx.AsyncClient]) -> list[str]:
        broken: list[str] = []
        for file_id, sha256 in self.uploads.items():
            if file_id not in self.deleted:
                broken += await _whole(file_id, checks.upload(clients, file_id, sha256))
        for job_id in self.jobs:
            if job_id not in self.deleted:
                broken += await _whole(job_id, checks.job(clients, app, job_id))
        broken += await checks.blobs(app)
        broken += await checks.gone(app, self.deleted)
        broken += await checks.lanes(app)
        broken += charges.usage(app)
        broken += counted.figures(app) if self.counts else []
        return broken


async def _whole(name: str, check: Awaitable[list[str]]) -> list[str]:
    """Return what a check finds, or that an answer broke off under it."""
    try:
        return await check
    except httpx.TransportError as error:
        return [f"{name}: an answer broke off: {error!r}"]


def main() -> None:
    """Print what is broken; end with 1 when there is something."""
    parser = argparse.ArgumentParser(description="Check a client's log against a service's home.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    given = parser.parse_args()
    configure_logging("json", "error")
    history = History.read(given.log)
    broken = asyncio.run(history.check_home(Settings(home=given.home)))
    for line in broken:
        print(line)
    print(
        f"{len(history.uploads)} uploads, {len(history.jobs)} jobs, "
        f"{len(history.deleted)} deletions: {len(broken)} broken"
    )
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
