"""Lambda's Runtime API, by which a runtime gets its work: real HTTP on 127.0.0.1.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LARGEST = 6_291_456
"""Bytes of an event, and of an answer: 6 MB."""
ROOT = "/2018-06-01/runtime"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:mediamill"


@dataclass
class Invocation:
    """One event on its way."""

    id: str
    event: bytes
    seconds: float
    until: float
    """By the monotonic clock."""
    over: threading.Event = field(default_factory=threading.Event)
    answer: bytes | None = None
    error: tuple[str, str] | None = None

    @classmethod
    def of(cls, event: bytes, seconds: float) -> "Invocation":
        return cls(str(uuid.uuid4()), event, seconds, time.monotonic() + seconds)

    def headers(self) -> dict[str, str]:
        """Return what the runtime is told beside the event."""
        left = self.until - time.monotonic()
        return {
            "Lambda-Runtime-Aws-Request-Id": self.id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + left) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
        }


class Server(ThreadingHTTPServer):
    daemon_threads = True
    api: "RuntimeApi"


class RuntimeApi:
    """The server; one runtime at a time asks it."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[Invocation] = queue.Queue()
        self.current: Invocation | None = None
        self.asking = threading.Event()
        """Set while the runtime waits for work."""
        self.init_error: tuple[str, str] | None = None
        self._life = 0
        self._server = Server(("127.0.0.1", 0), Asking)
        self._server.api = self
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def begin(self) -> None:
        """Expect a new runtime; what the last one asked for goes to nobody."""
        self._life += 1
        self.init_error = self.current = None
        self.asking.clear()

    def offer(self, invocation: Invocation) -> None:
        """Hand an event to the runtime."""
        self.waiting.put(invocation)

    def next(self) -> Invocation | None:
        """Return the next event; None when the runtime that asked is no more."""
        life = self._life
        self.asking.set()
        while life == self._life:
            try:
                taken = self.waiting.get(timeout=0.02)
            except queue.Empty:
                continue
            if taken.until < time.monotonic():
                continue  # of a runtime that was killed before it took it
            self.asking.clear()
            self.current = taken
            return taken
        return None

    def close(self) -> None:
        self.begin()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Asking(BaseHTTPRequestHandler):
    """What a runtime asks and says."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        assert self.path == f"{ROOT}/invocation/next", self.path
        taken = self.server.api.next()
        if taken is None:
            self.close_connection = True
            return
        self._answer(200, taken.event, taken.headers())

    def do_POST(self) -> None:
        body, api = self._body(), self.server.api
        if self.path == f"{ROOT}/init/error":
            api.init_error = _error(body)
            self._answer(202, b"{}")
        elif api.current is None or f"/{api.current.id}/" not in self.path:
            self._answer(400, _problem("InvalidRequestID", "no such invocation"))
        else:
            self._end(api.current, body)

    def _end(self, invocation: Invocation, body: bytes) -> None:
        """Take an invocation's answer or error."""
        status, said = 202, b"{}"
        if self.path.endswith("/error"):
            invocation.error = _error(body)
        elif len(body) > LARGEST:
            invocation.error = ("Function.ResponseSizeTooLarge", f"{len(body)} bytes")
            status, said = 413, _problem("RequestEntityTooLarge", "payload")
        else:
            invocation.answer = body
        self._answer(status, said)
        invocation.over.set()

    def _body(self) -> bytes:
        """Read it by its length, or in the chunks that AWS's client sends."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        read = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            read += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return read

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _error(body: bytes) -> tuple[str, str]:
    said = json.loads(body or b"{}")
    return str(said.get("errorType", "")), str(said.get("errorMessage", ""))


def _problem(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
