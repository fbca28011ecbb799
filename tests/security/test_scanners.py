"""The scanners of `make check`: each finds what is planted, and nothing in what we have.

Secrets in the tree and in what the tree once was, advisories against locked libraries, and what the
static rules are there for.
"""

import json
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import check_advisories  # noqa: E402
import check_history  # noqa: E402
import check_tree  # noqa: E402

LETTERS = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3Ab4Cd5Ef6Gh7Ij8Kl9Mn0"
PLANTED = {
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "an AWS key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "an AWS secret": "aws_secret_access_key = " + LETTERS[:40],
    "a token of a code host": "ghp_" + LETTERS[:36],
    "a token of a package registry": "npm_" + LETTERS[:36],
    "a token of a model provider": "hf_" + LETTERS[:34],
    "a key of Google's": "AIza" + LETTERS[:35],
    "a token of a chat or payment service": "xoxb-" + LETTERS[:30],
    "a signed token": f"eyJ{LETTERS[:20]}.eyJ{LETTERS[:20]}.{LETTERS[:30]}",
    "a webhook secret": "whsec_" + LETTERS[:32],
    "a token of Mediamill": "mms_" + LETTERS[:43],
    "a password in an address": "postgresql://mill:" + "hunter22@db.mediamill.dev/mill",
}  # fmt: skip
"""One of each kind, put together here so that this file has none."""


def test_there_is_one_of_each_kind():
    assert PLANTED.keys() == check_tree.SECRETS.keys()


@pytest.mark.parametrize("kind", PLANTED)
def test_a_secret_in_the_tree_is_found(kind):
    (found,) = check_tree._matches("docs/some.md", f"before\nit is {PLANTED[kind]} here\n")
    assert f":2: {kind}: " in found
    assert PLANTED[kind] not in found


@pytest.mark.parametrize(
    "text", ["postgresql://mill:secret@db.example.org/mill", "mms_…", "AKIA", "sk-…", "hf_token"]
)
def test_what_only_looks_like_one_is_left_alone(text):
    assert list(check_tree._matches("docs/some.md", text)) == []


@pytest.mark.parametrize("kind", ["a private key", "a token of Mediamill"])
def test_a_secret_that_was_taken_out_again_is_found(tmp_path, capsys, kind):
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    kept = tmp_path / "kept.txt"
    git("init", "-q")
    for text in ("first", PLANTED[kind], "last"):
        kept.write_text(text)
        git("add", "kept.txt")
        git("commit", "-qm", text[:4])
    assert check_history.main(tmp_path) == 1
    told = capsys.readouterr().out
    assert f": {kind}" in told
    assert PLANTED[kind] not in told
    assert [*check_tree._matches("kept.txt", kept.read_text())] == []


@pytest.mark.parametrize(
    "line", ["row.innerHTML = name;", "document.write(x)", "eval(text)", 'setTimeout("go()", 5)']
)
def test_a_script_that_makes_html_or_programs_of_text_is_found(line):
    assert list(check_tree._matches("src/mediamill/web/static/some.js", line))


# -- advisories --------------------------------------------------------------------------------


@pytest.fixture
def database():
    """A database in which one version of one library has an advisory."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
            named = [(one["package"]["name"], one["version"]) for one in asked]
            known = {("pillow", "9.5.0"): {"vulns": [{"id": "PYSEC-1"}]}}
            self.tell({"results": [known.get(one, {}) for one in named]})

        def do_GET(self):
            assert self.path == "/v1/vulns/PYSEC-1"
            self.tell({"id": "PYSEC-1", "aliases": ["CVE-1"], "summary": "It takes all memory."})

        def tell(self, answer):
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def locked(tmp_path, version: str) -> str:
    path = tmp_path / "lock.txt"
    lines = [f"Pillow=={version} \\", "    --hash=sha256:00", "idna==3.11 ; os_name > 'a'", ""]
    path.write_text("\n".join(lines))
    return str(path)


def test_an_advisory_against_a_locked_library_is_told(database, tmp_path, capsys):
    assert check_advisories.main([locked(tmp_path, "9.5.0")], database) == 1
    assert "pillow 9.5.0: PYSEC-1 It takes all memory." in capsys.readouterr().out
    assert check_advisories.main([locked(tmp_path, "12.0.0")], database) == 0


@pytest.mark.parametrize(("days", "code"), [(1, 0), (-1, 1)])
def test_what_is_no_concern_of_ours_is_looked_at_again(database, tmp_path, monkeypatch, days, code):
    until = datetime.now(UTC).date() + timedelta(days=days)
    monkeypatch.setitem(check_advisories.ALLOWED, "CVE-1", ("we draw no text", until))
    assert check_advisories.main([locked(tmp_path, "9.5.0")], database) == code


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--must",), 2)])
def test_no_answer_is_told_apart_from_no_advisory(tmp_path, capsys, words, code):
    nowhere = "http://127.0.0.1:9"  # the discard port, where nobody listens
    assert check_advisories.main([*words, locked(tmp_path, "9.5.0")], nowhere) == code
    assert "NOT CHECKED" in capsys.readouterr().out


def test_every_locked_library_is_asked_about():
    for name in ("runtime", "backends", "dev"):
        text = (ROOT / f"requirements/{name}.txt").read_text()
        pins = list(check_advisories.pinned(text))
        hashed = text.count("--hash=sha256:")
        assert len(pins) == len(re.findall(r"^\S+==", text, re.MULTILINE)) <= hashed


# -- static rules ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("S307", "eval(input())"),
        ("S608", 'run(f"SELECT * FROM files WHERE name = {name}")'),
        ("S602", "subprocess.run(name, shell=True)"),
        ("S301", "pickle.loads(data)"),
        ("S324", "hashlib.md5(data)"),
        ("S311", "token = random.random()"),
        ("S314", "xml.etree.ElementTree.fromstring(data)"),
        ("S501", 'httpx.get("https://a.example", verify=False)'),
        ("S701", "jinja2.Environment()"),
    ],
)
def test_a_dangerous_line_is_told(rule, line):
    text = f"import hashlib, pickle, random, subprocess\nimport xml.etree.ElementTree\n{line}\n"
    text = f"import httpx, jinja2\n{text}"
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "--no-cache",
               "--stdin-filename", str(ROOT / "src/mediamill/core/some.py"), "-"]  # fmt: skip
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, f" {rule} " in done.stdout) == (1, True), done.stdout


def test_whoever_silences_a_security_rule_says_why():
    found = []
    for path in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            silenced = re.search(r"#\s*noqa:\s*S\d+(?:,\s*[A-Z]+\d+)*(.*)", line)
            if silenced and not re.search(r"\w{2}", silenced.group(1)):
                before = path.read_text().splitlines()[number - 2] if number > 1 else ""
                found += [] if re.search(r"#.*S\d+", before) else [f"{path.name}:{number}"]
    assert found == []
