"""`mediamill projects`, `templates` and `jobs submit` against a running service."""

import json
import re
import zipfile

from tests.cli.conftest import Commands

TEMPLATE = {
    "name": "CLI thumbs",
    "steps": [{"operation": "thumbnail", "parameters": {"size": "${size}", "format": "${format}"}}],
    "variables": {"size": {"type": "integer", "default": 64}, "format": {"type": "string"}},
}


def done(result) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_template_over_a_project_and_an_archive(signed_in: Commands, clip):
    file_id = done(signed_in("files", "put", clip)).split("\t")[0]
    project = done(signed_in("projects", "create", "clips")).strip()
    assert "1 of 1" in done(signed_in("projects", "add", project, file_id))
    assert f"{project}\t1 files\tclips" in done(signed_in("projects", "list"))
    assert file_id in done(signed_in("projects", "files", project))

    path = signed_in.folder / "template.json"
    path.write_text(json.dumps(TEMPLATE))
    assert "version 1" in done(signed_in("templates", "save", path))
    path.write_text(json.dumps({**TEMPLATE, "description": "again"}))
    assert "version 2" in done(signed_in("templates", "save", path))
    assert done(signed_in("templates", "show", "CLI thumbs", "--versions")).count("\n") == 2
    assert "CLI thumbs" in done(signed_in("templates", "list"))

    run = ("jobs", "submit", "--template", "CLI thumbs", "--set", "format=png")
    plan = json.loads(done(signed_in(*run, "--project", project, "--dry-run", "--json")))
    assert (plan["items"], plan["steps"][0]["parameters"]["format"]) == (1, "png")
    assert (plan["outputs"], plan["outputs_are"]) == (1, "exact")
    steps = signed_in.folder / "steps.json"
    steps.write_text('[{"operation": "extract-frames", "parameters": {"mode": "keyframes"}}]')
    tried = done(signed_in("jobs", "submit", file_id, "--steps", steps, "--dry-run"))
    assert re.search("^outputs +at most [1-9]", tried, re.MULTILINE), tried
    more = ("--set", "size=32", "--no-notify", "--wait", "--json")
    made = signed_in(*run, "--project", project, *more)
    job = json.loads(done(made))
    assert (job["state"], job["items"], job["template"]["version"]) == ("succeeded", 1, 2)
    assert job["notify"] == {"email": False}
    assert job["steps"][0]["parameters"] == {"size": 32, "format": "png", "quality": 80}

    packed = signed_in.folder / "set.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(clip, "a/clip.mp4")
        archive.writestr("a/notes.txt", "no input")
    archive_id = done(signed_in("files", "put", packed)).split("\t")[0]
    steps = signed_in.folder / "steps.json"
    steps.write_text('[{"operation": "thumbnail"}]')
    packed_run = ("jobs", "submit", "--archive", archive_id, "--steps", steps, "--wait")
    assert "succeeded" in done(signed_in(*packed_run, "--members", "a/*.mp4"))
    assert "1 of 1" in done(signed_in("projects", "remove", project, file_id))
    assert "its files stay" in done(signed_in("projects", "delete", project))
    assert "is back" in done(signed_in("projects", "restore", project))
    done(signed_in("templates", "delete", "CLI thumbs"))


def test_what_is_wrong_is_said(signed_in: Commands):
    for words, said in (
        (("jobs", "submit", "--template", "x"), "Give FILE_IDS"),
        (("jobs", "submit", "file_x"), "--template or --steps"),
        (("jobs", "submit", "file_x", "--template", "none"), "There is no template none"),
        (("templates", "save", signed_in.folder), "is a directory"),
    ):
        result = signed_in(*words)
        assert result.returncode in (2, 3), result
        assert said in result.stderr
