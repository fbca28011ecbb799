"""Uploads of 1 GB: raw, as a form, resumable, beside `cp` + `sha256sum` + `sync`.

    .venv/bin/python benchmarks/upload.py [--megabytes 1024] [--rounds 3] [--tus-server FOLDER]

Ours is the real service, curl as the client, loopback; it answers when the bytes are durable,
hashed and looked at. The yardstick copies the same file on the same disk, hashes the copy and syncs
it. `--tus-server` names a folder where `npm install @tus/server @tus/file-store` was run: the same
upload goes to that server too, which neither syncs nor hashes. Runs alternate; printed are medians
of seconds, and the ratio of rates, ours / yardstick, last: above 1 is faster.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from common import client, clock, free_port, median, process, seed

TUS_SERVER = """
import { Server } from "@tus/server";
import { FileStore } from "@tus/file-store";
const [port, directory] = process.argv.slice(2);
new Server({ path: "/v1/uploads", datastore: new FileStore({ directory }) })
  .listen({ host: "127.0.0.1", port: Number(port) });
"""


@contextlib.contextmanager
def tus_server(packages: Path, folder: Path, port: int) -> Iterator[None]:
    """Run the tus project's own server for Node.js, at the address that ours has."""
    script = packages / "serve.mjs"
    script.write_text(TUS_SERVER)
    folder.mkdir()
    child = subprocess.Popen(["node", script, str(port), str(folder)])
    try:
        yield
    finally:
        child.terminate()
        child.wait(10)


def curl(token: str, *arguments: str) -> str:
    """Run curl with the token; fail when the answer is an error."""
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-H", f"Authorization: Bearer {token}", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def raw(base: str, token: str, path: Path) -> str:
    """Send the file as the body."""
    kind = "Content-Type: application/octet-stream"
    url = f"{base}/v1/files?name=big.bin"
    return json.loads(curl(token, "-X", "POST", "-H", kind, "-T", str(path), url))["id"]


def form(base: str, token: str, path: Path) -> str:
    """Send the file in a form."""
    return json.loads(curl(token, "-F", f"file=@{path}", f"{base}/v1/files"))["id"]


def send_tus(base: str, token: str, path: Path) -> tuple[str, str]:
    """Send the file by the tus protocol, in one piece; return its address and the last answer."""
    version = ("-H", "Tus-Resumable: 1.0.0")
    size = f"Upload-Length: {path.stat().st_size}"
    head = curl(token, *version, "-H", size, "-X", "POST", "-i", f"{base}/v1/uploads")
    (place,) = [line for line in head.splitlines() if line.lower().startswith("location:")]
    url = place.split(":", 1)[1].strip()
    url = base + url if url.startswith("/v1") else "http://" + url.split("://")[-1].lstrip("/")
    told = curl(
        token, *version, "-i", "-X", "PATCH", "-H", "Upload-Offset: 0",
        "-H", "Content-Type: application/offset+octet-stream", "-T", str(path), url,
    )  # fmt: skip
    return url, told


def tus(base: str, token: str, path: Path) -> str:
    """Send the file by the tus protocol, in one piece."""
    url, told = send_tus(base, token, path)
    named = [line for line in told.splitlines() if line.lower().startswith("mediamill-file:")]
    if named:
        return named[0].split(":", 1)[1].strip()
    return str(json.loads(curl(token, url)).get("file") or "")


def yardstick(path: Path, folder: Path) -> None:
    """Copy, hash the copy, sync it."""
    copy = folder / "copy"
    subprocess.run(["cp", str(path), str(copy)], check=True)
    subprocess.run(["sha256sum", str(copy)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sync", str(copy)], check=True)


def foreign(port: int, folder: Path, path: Path) -> float:
    """Return the seconds of the upload to the other server, and remove what it wrote."""
    with clock() as seconds:
        send_tus(f"http://127.0.0.1:{port}", "none", path)
    for file in folder.iterdir():
        assert file.suffix == ".json" or file.stat().st_size == path.stat().st_size
        file.unlink()
    return seconds[0]


async def measure(
    folder: Path, path: Path, rounds: int, packages: Path | None
) -> dict[str, list[float]]:
    """Run all in turns; return seconds by name."""
    token, _ = await seed(folder / "home", 1)
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    taken: dict[str, list[float]] = {name: [] for name in ("cp", "raw", "form", "tus")}
    with contextlib.ExitStack() as stack:
        stack.enter_context(process("up", folder / "home", port))
        if packages is not None:
            taken["@tus/server"], other = [], free_port()
            stack.enter_context(tus_server(packages, folder / "other", other))
        async with client(port, token) as web:
            for _ in range(rounds):
                with clock() as seconds:
                    yardstick(path, folder)
                taken["cp"].append(seconds[0])
                (folder / "copy").unlink()
                for name, send in (("raw", raw), ("form", form), ("tus", tus)):
                    with clock() as seconds:
                        made = await asyncio.to_thread(send, base, token, path)
                    taken[name].append(seconds[0])
                    if made:
                        await web.delete(f"/v1/files/{made}", params={"now": "true"})
                        await asyncio.sleep(1)
                if packages is not None:
                    away = await asyncio.to_thread(foreign, other, folder / "other", path)
                    taken["@tus/server"].append(away)
    return taken


def main() -> None:
    """Make the file, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tus-server", type=Path, help="folder with @tus/server installed")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix="bench-"))
    try:
        path = folder / "big.bin"
        with path.open("wb") as file:
            for _ in range(options.megabytes):
                file.write(os.urandom(1 << 20))
        taken = asyncio.run(measure(folder, path, options.rounds, options.tus_server))
    finally:
        shutil.rmtree(folder)
    best = median(taken["cp"])
    print(f"{options.megabytes} MB, median of {options.rounds}; cp + sha256sum + sync {best:.2f} s")
    for name in list(taken)[1:]:
        mine = median(taken[name])
        print(f"{name:12} {mine:6.2f} s  {options.megabytes / mine:6.0f} MB/s  "
              f"ratio {best / mine:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
