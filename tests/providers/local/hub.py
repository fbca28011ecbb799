"""A hub of models on 127.0.0.1, as `huggingface_hub` asks one.

Paths and headers are those of https://huggingface.co/docs/hub/api and of `hf_hub_download`
(huggingface_hub/file_download.py): `/api/models/ID/revision/R`, `/ID/resolve/COMMIT/FILE`.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "9f3c2a71d40be85566aa7c01d9e4f2b8137ac0de"


class Hub:
    """Files by the id of their model; `lies` have other bytes than the hub says."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, bytes]] = {}
        self.lies: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.url = ""

    def add(self, name: str, folder: Path, place: str = "") -> None:
        """Take up the files of a folder, ONNX files under `place`."""
        files = self.models.setdefault(name, {})
        for path in folder.iterdir():
            under = place if path.suffix == ".onnx" else ""
            files[under + path.name] = path.read_bytes()

    def about(self, name: str) -> bytes:
        siblings = []
        for path, data in self.models[name].items():
            sha = hashlib.sha256(data).hexdigest()
            large = {"sha256": sha, "size": len(data), "pointerSize": 130}
            siblings.append(
                {"rfilename": path, "size": len(data), "blobId": sha[:40]}
                | ({"lfs": large} if path.endswith(".onnx") else {})
            )
        return json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.asked.append(self.path)
            path = self.path.partition("?")[0].strip("/")
            if path.startswith("api/models/"):
                name, _, revision = path.removeprefix("api/models/").partition("/revision/")
                if name not in hub.models or revision not in ("", "main", "v1", COMMIT):
                    code = "RevisionNotFound" if name in hub.models else "RepoNotFound"
                    return self.answer(404, b"{}", {"X-Error-Code": code})
                return self.answer(200, hub.about(name), {"Content-Type": "application/json"})
            name, _, rest = path.partition("/resolve/")
            commit, _, file = rest.partition("/")
            if commit != COMMIT or file not in hub.models.get(name, {}):
                return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            data = hub.lies.get(file, hub.models[name][file])
            tag = f'"{hashlib.sha256(hub.models[name][file]).hexdigest()}"'
            return self.answer(200, data, {"ETag": tag, "X-Repo-Commit": COMMIT})

        do_HEAD = do_GET  # noqa: N815 - the name that the standard library calls

        def answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(data))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
