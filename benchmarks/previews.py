"""Previews for a photo of 12 megapixels, over HTTP into a real service; nothing kept.

    .venv/bin/python benchmarks/previews.py [--rounds 9]

Each round asks about another photo: methods of augment one by one and together, and preprocess as
it is by default, whose reference, one more photo, is decoded too: the whole, and each of its
numbers. Slots import the codecs when they have nothing to do; the first preview of each kind is
printed by itself. The claim is under 300 ms, for the first too. Beside it is the processor time of
server and slot together, which bears others' load.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from fastapi import FastAPI

from mediamill.app import App
from mediamill.cli.service.server import warm_up
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from sides import used
from thumbnails import photos

METHODS = ["rotate", "scale", "brightness", "hue", "gaussian-blur"]
PERSON = {"email": "bench@example.org", "password": "a long enough secret"}


def main() -> None:
    """Make photos, upload them, ask for previews, print milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    configure_logging("json", "error")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos(folder, rounds + 2)
        data = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
        settings = Settings(home=folder / "home", slots=1, min_free_bytes=0)
        asyncio.run(measure(settings, data))


async def measure(settings: Settings, photos: list[bytes]) -> None:
    """Print what previews of photos take in a new service."""
    async with await App.open(settings) as app, client_of(web := create_app(app)) as client:
        await warm_up(app, web)  # as a server does when it begins
        files = [await uploaded(client, data) for data in photos]
        await asyncio.sleep(1)
        reference, *files = files
        for operation, parameters, whole in (
            ("augment", {"methods": METHODS[:1]}, False),
            ("augment", {"methods": METHODS}, False),
            ("augment", {"methods": METHODS}, True),
            ("preprocess", {"reference": reference}, True),
            ("preprocess", {"reference": reference}, False),
        ):
            body = {"parameters": parameters, "whole": whole}
            first, *others = [await asked(client, operation, file, body) for file in files]
            told = f"{operation}, {len(parameters.get('methods', ())) or 'default'} methods, "
            wall, _, processor = (median(column) for column in zip(*others, strict=True))
            print(f"{told}{first[1] - 1} pictures: first {first[0]:.0f} ms ({first[2]:.0f} CPU), "
                  f"then median {wall:.0f} ms ({processor:.0f} CPU)")  # fmt: skip


def client_of(web: FastAPI) -> httpx.AsyncClient:
    """Return a client that needs no network."""
    transport = httpx.ASGITransport(web)
    return httpx.AsyncClient(transport=transport, base_url="http://mill.test")


async def uploaded(client: httpx.AsyncClient, data: bytes) -> str:
    """Sign in if need be, upload a photo and return its id."""
    if "authorization" not in client.headers:
        await client.post("/v1/auth/register", json=PERSON)
        session = (await client.post("/v1/auth/login", json=PERSON)).json()
        client.headers["authorization"] = f"Bearer {session['token']}"
    answer = await client.post("/v1/files?name=photo.jpg", content=data)
    return answer.raise_for_status().json()["id"]


async def asked(
    client: httpx.AsyncClient, operation: str, file: str, body: dict[str, Any]
) -> tuple[float, int, float]:
    """Return the milliseconds that a preview took, its pictures, and those of processors."""
    begin, before = time.perf_counter(), used(os.getpid())
    answer = await client.post(f"/v1/operations/{operation}/preview", json={"file": file, **body})
    pictures = len(answer.raise_for_status().json()["data"])
    wall, processor = time.perf_counter() - begin, used(os.getpid()) - before
    return wall * 1000, pictures, processor * 1000


if __name__ == "__main__":
    main()
