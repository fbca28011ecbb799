"""What the pages about events show is run as it stands."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema

from mediamill.core.events import TYPES, schema
from mediamill.core.settings import Settings
from tests.support.processes import free_port
from tests.support.serving import working
from tests.web.conftest import person
from tests.web.test_uploading import PNG

DOCS = Path(__file__).resolve().parents[2] / "docs"


def block(page: str, language: str) -> str:
    """Return the first block of a language on a page."""
    found = re.search(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_event_that_is_shown_is_one():
    shown = json.loads(block("reference/events.md", "json"))
    jsonschema.validate(shown, schema(), format_checker=jsonschema.FormatChecker())


def test_every_type_is_on_the_page():
    text = (DOCS / "reference/events.md").read_text()
    assert [name for name in TYPES if f"| `{name}` |" not in text] == []


async def test_the_receiver_that_is_shown_takes_what_is_signed_and_nothing_else(tmp_path):
    from mediamill.app import App
    from mediamill.web.app import create_app

    port = free_port()
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, fetch_allow=f"127.0.0.1:{port}"
    )
    async with await App.open(settings) as mill, person(create_app(mill), "ann") as ann:
        body = {"url": f"http://127.0.0.1:{port}/", "types": ["file.created"]}
        hook = (await ann.client.post("/v1/webhooks", json=body)).json()
        shown = Shown("how-to/webhooks.md", SECRET=hook["secret"], PORT=str(port))
        try:
            await shown.listening(port)
            file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
            async with working(mill):
                assert await shown.line() == f"file.created {file}"
            head = b"POST / HTTP/1.0\r\nContent-Length: 2\r\nwebhook-id: evt_x\r\n\r\n{}"
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            assert b" 401 " in await reader.readline()
            writer.close()
        finally:
            shown.end()


class Shown:
    """A program that a page shows, running."""

    def __init__(self, page: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", block(page, "python")],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    async def listening(self, port: int) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    return

    async def line(self, seconds: float = 60) -> str:
        """Wait for a line of output."""
        assert self.process.stdout is not None
        async with asyncio.timeout(seconds):
            return (await asyncio.to_thread(self.process.stdout.readline)).decode().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
