"""`mediamill jobs watch`, `delete` and `restore` against a real service; the stream's grammar."""

import json
from pathlib import Path

from mediamill.client.following import Parser
from tests.cli.conftest import Commands
from tests.cli.test_client import first_id


def test_watch_delete_restore(signed_in: Commands, clip: Path):
    file_id = first_id(signed_in("files", "put", clip).stdout)
    job_id = first_id(signed_in("jobs", "create", "extract-frames", file_id, "--count", "2").stdout)
    watched = signed_in("jobs", "watch", job_id)
    assert watched.returncode == 0, watched.stderr
    lines = watched.stdout.splitlines()
    assert lines[-1].split("\t")[:3] == [job_id, "succeeded", "100 %"]
    again = signed_in("jobs", "watch", job_id, "--json").stdout.splitlines()
    assert [json.loads(line)["state"] for line in again] == ["succeeded"]
    assert signed_in("jobs", "delete", job_id).returncode == 0
    gone = signed_in("jobs", "watch", job_id)
    assert (gone.returncode, gone.stdout) == (3, "")
    assert signed_in("jobs", "restore", job_id).stdout == f"{job_id}\tsucceeded\n"
    assert job_id in signed_in("jobs", "list").stdout


def test_the_grammar_of_events():
    text = 'retry: 5\n\nevent: job\nid: 7\ndata: {"id":\ndata: "x"}\n\n:\nid: 8\n\ndata:{}\n\ncut'
    parser, found = Parser(), []
    for byte in text.encode():  # however it comes
        found += [(one.kind, one.data, one.id) for one in parser.feed(bytes([byte]))]
    assert found == [
        ("message", {}, ""), ("job", {"id": "x"}, "7"), ("message", {}, "8"), ("message", {}, "8"),
    ]  # fmt: skip
