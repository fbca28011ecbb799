"""`mediamill prompt` against a running service whose models echo."""

import json

from tests.cli.conftest import Commands
from tests.cli.test_submission import done

ASKED = {"prompt": "In ${words} words.", "group": True}
TEMPLATE = {
    "name": "CLI prompt",
    "steps": [{"operation": "prompt", "parameters": ASKED}],
    "variables": {"words": {"type": "integer", "default": 5}},
}


def test_ask(signed_in: Commands):
    folder = signed_in.folder / "texts"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(f"This is {name}.")
    (signed_in.folder / "question.txt").write_text("What is {name}?")
    one = done(signed_in("prompt", folder / "a.txt", "--prompt", "@question.txt"))
    assert one.startswith("Echo ")
    assert one.endswith(" of a.txt.\n")
    both = done(signed_in("prompt", folder, "--prompt", "Which?", "--temperature", 0))
    assert [line for line in both.splitlines() if line.startswith("==>")] == [
        "==> a.txt <==", "==> b.txt <==",
    ]  # fmt: skip

    saved = signed_in("prompt", folder, "--prompt", "Which?", "--group", "-o", "answers")
    assert done(saved).strip() == "answers/all.result.md"
    assert (signed_in.folder / "answers" / "all.result.md").read_text().startswith("Echo ")

    schema = signed_in.folder / "schema.json"
    schema.write_text('{"type": "object", "properties": {"title": {"type": "string"}}}')
    file_id = done(signed_in("files", "put", folder / "a.txt")).split("\t")[0]
    told = done(signed_in("prompt", file_id, "--prompt", "?", "--schema", schema, "--json"))
    line = json.loads(told)
    assert (line["name"], line["file"], list(line["answer"])) == ("a.txt", file_id, ["title"])

    template = signed_in.folder / "template.json"
    template.write_text(json.dumps(TEMPLATE))
    done(signed_in("templates", "save", template))
    words = ("prompt", file_id, "--template", "CLI prompt", "--set", "words=7")
    plan = json.loads(done(signed_in(*words, "--dry-run", "--json")))
    assert plan["steps"][0]["parameters"]["prompt"] == "In 7 words."
    assert done(signed_in(*words)).startswith("Echo ")
    shared = ("templates", "share", "CLI prompt", "everybody", "--role", "editor")
    assert "everybody" in done(signed_in(*shared))
    assert "CLI prompt" in done(signed_in("templates", "list", "--of", "everybody"))
    assert "editor" in done(signed_in("templates", "shares", "CLI prompt"))
    done(signed_in("templates", "unshare", "CLI prompt", "everybody"))
    assert done(signed_in("templates", "shares", "CLI prompt")) == ""


def test_what_has_no_answer_is_told(signed_in: Commands):
    (signed_in.folder / "a.txt").write_text("Words.")
    (signed_in.folder / "a.bin").write_bytes(bytes(range(256)) * 8)
    result = signed_in("prompt", "a.txt", "a.bin", "--prompt", "What?")
    assert (result.returncode, result.stdout.count("==>")) == (1, 1), result
    assert "a.bin: " in result.stderr


def test_what_is_wrong_is_said(signed_in: Commands):
    (signed_in.folder / "a.txt").write_text("Words.")
    for words, told in (
        (("a.txt",), "--prompt"),
        (("--prompt", "x"), "Give FILES"),
        (("none.txt", "--prompt", "x"), "There is no file none.txt"),
        (("a.txt", "--prompt", "@none.txt"), "none.txt cannot be read"),
        (("a.txt", "--template", "t", "--prompt", "x"), "leave --prompt out"),
        (("a.txt", "--prompt", "x", "--set", "a=1"), "--set is for"),
        (("a.txt", "--prompt", "x", "--model", "nobody"), "no provider called"),
    ):
        result = signed_in("prompt", *words)
        assert result.returncode in (2, 3), (words, result)
        assert told in result.stderr, (words, result.stderr)
