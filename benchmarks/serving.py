"""Sides of a benchmark that are servers: imgproxy, and ours; each on cores of its own.

They are asked over loopback as `sides.Worker` is; the processor time is that of the server and all
its processes, not of who asks.
"""

import asyncio
import atexit
import contextlib
import http.client
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import httpx

from common import free_port, process, seed
from mediamill.core.logs import configure_logging
from sides import on_cores, used

PATIENCE = 30.0
"""Seconds in which a server begins to answer."""


class Server:
    """What is asked for numbers, all at a time, and tells the processor time it took."""

    pid: int

    def ask(self, numbers: list[int]) -> None:
        """Take work; it is done by `wait`, for there is one server and nobody works beside it."""
        self._numbers = numbers

    def wait(self) -> float:
        """Have it done; return the seconds of processor time of the server."""
        begin = used(self.pid)
        self.work(self._numbers)
        return used(self.pid) - begin

    def work(self, numbers: list[int]) -> None:
        """Ask the server."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""
        raise NotImplementedError


class Imgproxy(Server):
    """imgproxy with local files: a request for each picture, as many at a time as it has cores."""

    def __init__(self, program: str, folder: str, cores: int, side: int, quality: int) -> None:
        self._names = [path.name for path in sorted(Path(folder).glob("*.jpg"))]
        self._options = f"rs:fit:{side}:{side}/q:{quality}"
        port = free_port()
        settings = {
            "IMGPROXY_BIND": f"127.0.0.1:{port}",
            "IMGPROXY_LOCAL_FILESYSTEM_ROOT": folder,
            "IMGPROXY_WORKERS": str(cores),
            "IMGPROXY_LOG_LEVEL": "error",
            "GOMAXPROCS": str(cores),
        }
        with on_cores(cores):
            self._process = subprocess.Popen([program], env=settings, stdout=subprocess.DEVNULL)
        atexit.register(self.close)
        self.pid = self._process.pid
        self._port, self._cores = port, cores
        begin = time.monotonic()
        while not self._answers():
            if time.monotonic() - begin > PATIENCE or self._process.poll() is not None:
                self.close()
                raise RuntimeError(f"{program} does not answer")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), self._asking() as asking:
            return self._get(asking, "/health")[0] == 200
        return False

    def _asking(self) -> "closing[http.client.HTTPConnection]":
        return closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60))

    @staticmethod
    def _get(asking: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
        asking.request("GET", path)
        answer = asking.getresponse()
        return answer.status, answer.read()

    def work(self, numbers: list[int]) -> None:
        def share(n: int) -> None:
            with self._asking() as asking:
                for number in numbers[n :: self._cores]:
                    path = f"/unsafe/{self._options}/plain/local:///{self._names[number]}@jpg"
                    status, data = self._get(asking, path)
                    assert (status, data[:2]) == (200, b"\xff\xd8"), data[:200]

        with ThreadPoolExecutor(self._cores) as threads:
            list(threads.map(share, range(self._cores)))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class Service(Server):
    """Ours (`mediamill up`) with a slot for each core: a job with all pictures, then its zip.

    Each outcome is made durable and has rows, which the other side does not do.
    """

    def __init__(self, home: Path, folder: str, cores: int, step: dict[str, object]) -> None:
        configure_logging("json", "error")
        token, _ = asyncio.run(seed(home, 1))
        self._step, port, self._held = step, free_port(), ExitStack()
        atexit.register(self.close)
        with on_cores(cores):
            child = self._held.enter_context(
                process("up", home, port, slots=cores, min_free_bytes=0)
            )
        self.pid = child.pid
        self._web = self._held.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}/v1", timeout=120, trust_env=False,
                headers={"Authorization": f"Bearer {token}"},
            )
        )  # fmt: skip
        self._files = [self._upload(path) for path in sorted(Path(folder).glob("*.jpg"))]

    def _upload(self, path: Path) -> str:
        begin = time.monotonic()
        while True:
            try:
                told = self._web.post(
                    "/files", params={"name": path.name}, content=path.read_bytes()
                )
                return str(told.raise_for_status().json()["id"])
            except httpx.TransportError:
                if time.monotonic() - begin > PATIENCE:
                    raise
                time.sleep(0.1)

    def work(self, numbers: list[int]) -> None:
        files = [self._files[number] for number in numbers]
        body = {"files": files, "steps": [self._step], "reuse": False}
        told = self._web.post("/jobs", json=body).raise_for_status().json()
        while not told["finished_at"]:
            told = self._web.get(f"/jobs/{told['id']}", params={"wait": 60}).json()
        assert told["state"] == "succeeded", told
        self._web.get(f"/jobs/{told['id']}/download", follow_redirects=True).raise_for_status()

    def close(self) -> None:
        self._held.close()
