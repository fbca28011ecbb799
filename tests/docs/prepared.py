"""A service with something in it, for the blocks of all how-tos: files, jobs, projects, templates.

What a page calls `file_01KA…` or `proj_…` is one of these; the service and its worker run in one
process, and models answer as `echo:` does.
"""

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx

from tests.docs.blocks import PORT, Terminal, parsed
from tests.support.documents import docx_of, pdf

STANDS = re.compile(
    r"\b(file|job|proj|user|tmpl|token|hook|capt|req)_(?:01[0-9A-Z]*|…)…?(?:-\d+){0,3}…?"
)
"""An id as pages write it: whole, its beginning, or only its kind."""
START = """
```console
$ export MEDIAMILL_CAPTION_CHAIN=echo: MEDIAMILL_LABEL_CHAIN=echo: MEDIAMILL_PROMPT_CHAIN=echo:
$ export MEDIAMILL_FETCH_ALLOW='127.0.0.1:*' MEDIAMILL_MIN_FREE_BYTES=0
$ mediamill up
```
"""
FOLDERS = ("photos", "images", "clips", "invoices", "archive", "scans")
"""What pages call folders of pictures."""


@dataclass
class Prepared:
    """The service, the ids of what is in it, and a folder with files as pages name them."""

    terminal: Terminal
    files: Path
    ids: dict[str, list[str]]
    token: str
    origin: str
    """Where files can be fetched from."""

    def here(self, text: str) -> str:
        """Return what a page shows with ids of things that are there."""
        turns = {kind: itertools.cycle(ids) for kind, ids in self.ids.items()}
        said: dict[str, str] = {}

        def one(match: re.Match[str]) -> str:
            if match[1] not in turns:
                return match[0]
            if match[0].count("-") == 3:
                return self.ids["result"][0]
            return said.setdefault(match[0], next(turns[match[1]]))

        for address in ("https://mill.example.org", "https://example.com"):
            text = text.replace(address, f"http://127.0.0.1:{PORT}")
        text = text.replace("https://media.example.org", self.origin)
        lines = []
        for line in re.split(r"\n(?! {2})", text):  # a command with the lines it goes on in
            special = (
                "clip" if "extract-frames" in line else "archive" if "--archive" in line else ""
            )
            for match in STANDS.finditer(line) if special else ():
                if match[1] == "file":
                    said[match[0]] = self.ids[special][0]
            lines.append(STANDS.sub(one, line))
        return "\n".join(lines) + "\n"

    def shell(self, folder: Path) -> Terminal:
        """Give a shell in a folder with all files, signed in as the administrator."""
        shutil.copytree(self.files, folder, symlinks=True)
        home = str(self.terminal.folder / ".mediamill")
        variables = {**self.variables(), "MEDIAMILL_HOME": home}
        elsewhere = {"/backup/mediamill": f"{folder}.backup"}
        return Terminal(folder, self.terminal.port, variables, replaced=elsewhere, compares=False)

    def variables(self) -> dict[str, str]:
        """Return what pages take as set."""
        return {
            **{f"MEDIAMILL_{name}_CHAIN": "echo:" for name in ("CAPTION", "LABEL", "PROMPT")},
            "TOKEN": self.token,
            "MEDIAMILL_TOKEN": self.token,
            "MEDIAMILL_SERVER": f"http://127.0.0.1:{self.terminal.port}",
            "S": f"http://127.0.0.1:{self.terminal.port}",
            "MILL": f"http://127.0.0.1:{self.terminal.port}",
            "SERVER": f"http://127.0.0.1:{self.terminal.port}",
            "AUTH": f"Authorization: Bearer {self.token}",
            "A": f"Authorization: Bearer {self.token}",
            "FILE": self.ids["file"][0],
            "JOB": self.ids["job"][0],
            "P": self.ids["proj"][0],
            "ARCHIVE": self.ids["archive"][0],
        }


@contextmanager
def prepared_service(folder: Path) -> Iterator[Prepared]:
    """Run a service with things in it for the length of the block."""
    home = folder / "home"
    home.mkdir()
    terminal = Terminal(home)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder / "files"))
    try:
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield _filled(folder, home, terminal, f"http://127.0.0.1:{server.server_port}")
            server.shutdown()
    finally:
        terminal.close()


def _filled(folder: Path, home: Path, terminal: Terminal, origin: str) -> Prepared:
    (block,) = parsed(START, "prepared")
    wrong = terminal.follow(block)
    assert not wrong, wrong

    def said(command: str) -> str:
        code, told = terminal.type(command)
        assert code == 0, f"{command}\n{told}"
        return told.strip()

    def named(kind: str, text: str) -> list[str]:
        return re.findall(rf"\b{kind}_[0-9A-Z]{{26}}", text)

    said("mediamill sample && cd sample")
    token = said("mediamill tokens create pages")
    said("cp -r shapes/images train")
    said('for n in 1 2 3; do cp train/shapes_0$n.jpg "train/cat $n.jpg"; done')
    said("zip -qr a.zip train letters")
    pushed = said("mediamill projects push shapes/images --annotations shapes/instances.json")
    pictures = named("file", pushed)
    project = named("proj", said("mediamill projects list"))
    clip = named("file", said("mediamill files put clip.mp4"))
    archive = named("file", said("mediamill files put a.zip"))
    jobs = named("job", said(f"mediamill jobs create thumbnail {' '.join(pictures[:3])} --wait"))
    results = re.findall(r"file_\S+", said(f"mediamill jobs results {jobs[0]}"))
    receiver = f"http://127.0.0.1:{terminal.port}/v1/nothing"
    hooks = named("hook", said(f"mediamill webhooks add {receiver}"))
    said(f"mediamill jobs create caption {pictures[0]} --wait")
    captions = re.findall(r"capt_\S+", said("mediamill captions list"))
    (terminal.folder / "sample/t.json").write_text(json.dumps(TEMPLATE))
    templates = named("tmpl", said("mediamill templates save t.json"))
    for one in (TEMPLATE | {"name": "thumbs"}, ASKED):
        (terminal.folder / "sample/t.json").write_text(json.dumps(one))
        said("mediamill templates save t.json")
    users = named("user", said(f"curl -sH 'Authorization: Bearer {token}' $S/v1/me".replace(
        "$S", f"http://127.0.0.1:{terminal.port}")))  # fmt: skip
    for name in ("ann", "bea", "carl"):
        account = {"email": f"{name}@example.org", "password": "correct horse battery"}
        told = httpx.post(
            f"http://127.0.0.1:{terminal.port}/v1/auth/register", json=account, trust_env=False
        )
        assert told.status_code == 201, told.text
    files = folder / "files"
    shutil.copytree(home / "sample", files)
    for name in FOLDERS:
        shutil.copytree(files / "shapes/images", files / name)
    for name in ("dog.jpg", "photo.jpg", "cat.jpg", "a.jpg", "b.jpg", "dot.png"):
        shutil.copy(files / "shapes/images/shapes_00.jpg", files / name)
    shutil.copy(files / "shapes/instances.json", files / "instances.json")
    shutil.copy(files / "shapes/instances.json", files / "annotations.json")
    (files / "report.pdf").write_bytes(pdf("Costs are 12 dollars."))
    (files / "notes.docx").write_bytes(docx_of("Costs are 12 dollars."))
    shutil.copy(files / "report.pdf", files / "invoices/1.pdf")
    (files / "invoice.json").write_text('{"type": "object", "properties": {}}')
    for name in ("notes.txt", "report.txt", "question.txt", "role.txt", "a.py", "b.py"):
        shutil.copy(files / "letters/anna.txt", files / name)
    (files / ".mediamill").symlink_to(home / ".mediamill")
    (files / "steps.json").write_text('[{"operation": "thumbnail"}]')
    (files / "small.json").write_text(json.dumps(TEMPLATE))
    for name in ("dataset.zip", "photos.zip"):
        shutil.copy(files / "a.zip", files / name)
    shutil.copy(files / "clip.mp4", files / "clips/a.mp4")
    ids = {
        "file": pictures, "proj": project, "clip": clip, "archive": archive, "job": jobs,
        "capt": captions, "result": results, "hook": hooks, "tmpl": templates, "user": users,
    }  # fmt: skip
    return Prepared(terminal, files, ids, token, origin)


ASKED = {
    "name": "Reviews",
    "steps": [{"operation": "prompt", "parameters": {"prompt": "In ${words} words?"}}],
    "variables": {"words": {"type": "integer", "default": 9}},
}
"""One that asks, as the page on prompts uses it."""
TEMPLATE = {
    "name": "Small",
    "steps": [{"operation": "thumbnail", "parameters": {"size": "${size}", "format": "${format}"}}],
    "variables": {
        "size": {"type": "integer", "default": 128},
        "format": {"type": "string", "default": "jpeg"},
    },
}
"""That of the page on submitting."""
