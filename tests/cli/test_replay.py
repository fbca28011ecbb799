"""`mediamill run` over sets, the manifest that it writes, and `mediamill replay`."""

import json
import os
import shutil
import zipfile
from itertools import chain
from pathlib import Path

import httpx
import numpy as np
import pytest
from click.testing import CliRunner, Result

from mediamill.cli.local.replaying import lines_of, names_of
from mediamill.cli.local.working import Working
from mediamill.cli.remote.home import Credentials
from mediamill.cli.root import root
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.spelling import meant, spelled
from mediamill.engine.partnering import Ring
from mediamill.media.image.codecs.encode import encode
from mediamill.operations.catalogue import OPERATIONS
from tests.cli.conftest import Commands
from tests.media_factory import clip
from tests.operations.preprocess.test_corrections import pictured
from tests.support.outputs import DATA, KINDS, MODELS, NEEDED

ONE = ("--processes", "1")


def called(*arguments: object, env: dict[str, str] | None = None) -> Result:
    """Run a command in this process, which has imported what it needs."""
    return CliRunner().invoke(root, [*map(str, arguments)], env=env)


@pytest.fixture
def images(mediamill: Commands) -> Path:
    """Four pictures, one of them dark, and a text."""
    folder = mediamill.folder / "in"
    folder.mkdir()
    for n in range(1, 4):
        (folder / f"{n}.png").write_bytes(encode(pictured("rgb", n, 0.3, 0.6), "png"))
    (folder / "dark.png").write_bytes(encode(pictured("rgb", 9, 0.02, 0.12), "png"))
    (folder / "note.txt").write_text("text")
    return folder


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_set_is_measured_first_and_made_again_by_its_manifest(mediamill: Commands, images: Path):
    done = called("run", "preprocess", images, "-o", mediamill.folder / "out", *ONE)
    assert done.exit_code == 0, done.output
    assert "4 succeeded, 1 skipped" in done.output
    told = {line["input"]["name"]: line for line in lines(mediamill.folder / "out/manifest.jsonl")}
    dark = told["dark.png"]
    said = dark["report"]["preprocess"]["methods"]["normalize-brightness"]
    agreed = dark["steps"][0]["agreed"]
    there = agreed["reference"]["numbers"]["brightness"]
    assert said["applied"]
    assert said["after"] == pytest.approx(there, rel=0.05)
    assert agreed["images"] == 4
    assert {"numpy", "opencv-python-headless"} <= dark["libraries"].keys()
    again = mediamill("replay", "out")  # as a process of its own
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("the same bytes") == 4


def test_names_that_are_no_utf8_are_spelled_and_found_again(mediamill: Commands):
    """In lines, names of outputs, manifests and measures; of folders too, and of what failed."""
    folder = mediamill.folder / "in" / os.fsdecode(b"d\xfe")
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"p\xff.png")).write_bytes(encode(pictured("rgb", 1, 0.3, 0.6), "png"))
    (folder / os.fsdecode(b"w\xff.png")).write_bytes(b"\x89PNG\r\n\x1a\n")
    place, many = "in/d\ufffdFE/p\ufffdFF.png", mediamill.folder
    for name, made in (("thumbnail", "d\ufffdFE/p\ufffdFF-thumbnail.jpg"), ("health-check", None)):
        done = called("run", name, many / "in", "-o", many / name, "--json", *ONE)
        assert done.exit_code == 1, done.output
        told = {line["state"]: line for line in map(json.loads, done.stdout.splitlines())}
        assert told["failed"]["input"] == f"{many}/in/d\ufffdFE/w\ufffdFF.png"
        if made:
            assert told["succeeded"]["input"] == f"{many}/{place}"
            assert told["succeeded"]["outputs"] == [f"{many}/{name}/{made}"]
            assert (many / name / made).is_file()
        again = called("replay", many / name)
        assert again.exit_code == 0, again.output
        assert "the same bytes" in again.output
    report = (many / "health-check" / "health.json").read_text()
    assert json.loads(report)["broken"][0]["name"] == "w\ufffdFF.png"
    done = called("run", "thumbnail", many / "in", "-o", many / "all.zip", *ONE)
    assert f"{many}/{place} → d\ufffdFE/p\ufffdFF-thumbnail.jpg" in done.stdout
    genuine = many / "g\ufffdFF.png"
    genuine.touch()
    assert meant(spelled(genuine)) == genuine, "what is there is meant"


def test_every_output_of_every_operation_is_made_again(
    mediamill: Commands, images: Path, monkeypatch
):
    """Or refused, with the reason; also from another folder than that of the run."""
    for kind in ("caption", "label", "prompt"):
        monkeypatch.setenv(f"MEDIAMILL_{kind.upper()}_CHAIN", "echo:told")
    monkeypatch.setenv("MEDIAMILL_HOME", str(mediamill.home))
    monkeypatch.chdir(mediamill.folder)
    (images / "wreck.png").write_bytes((images / "1.png").read_bytes()[:300])
    for name in OPERATIONS.names():
        if name == "health-check":
            chosen: list[object] = ["in"]
        elif OPERATIONS.get(name).takes("image/png"):
            chosen = [shutil.copy(images / "1.png", f"{name}.png")]
        else:
            chosen = [clip(Path(f"{name}.mp4"), seconds=1)]
        told = [option(*one) for one in NEEDED.get(name, {}).items()]
        done = called("run", name, *chosen, "-o", "out", *chain.from_iterable(told), *ONE)
        assert ("1 succeeded" in done.output, "Traceback" in done.output) == (True, False), name
    made = {line["steps"][0]["operation"]: line for line in lines(Path("out/manifest.jsonl"))}
    assert made.keys() == KINDS.keys()
    assert {DATA for line in made.values() if "data" in line} == {DATA}
    (mediamill.folder / "other").mkdir()
    monkeypatch.chdir(mediamill.folder / "other")
    again = called("replay", "../out", "--json")
    verdicts = {one["name"]: one for one in map(json.loads, again.stdout.splitlines())}
    assert verdicts.keys() == {name for line in made.values() for name in names_of(line)}
    for name, line in made.items():
        for file in names_of(line):
            said = verdicts.pop(file)
            assert said["same"] is (name not in MODELS), said
            assert ("answers otherwise each time" in said.get("error", "")) is (name in MODELS)
    (images / "wreck.png").unlink()
    gone = called("replay", "../out", "health.json")
    assert (gone.exit_code, "wreck.png cannot be read any more" in gone.output) == (1, True)


def option(name: str, value: object) -> tuple[str, ...]:
    """Write a parameter as it is typed."""
    typed = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return (typed,)
    return typed, ",".join(value) if isinstance(value, list) else str(value)


def test_what_differs_is_named(mediamill: Commands, images: Path):
    out = mediamill.folder / "out"
    arguments = ("augment", images, "-o", out, "--methods", "mixup,brightness", "--seed", "3")
    assert called("run", *arguments, *ONE).exit_code == 0
    manifest = out / "manifest.jsonl"
    folder, (line,) = lines_of(manifest, "3-augmented.png")
    assert (folder, len(line["partners"])) == (manifest.parent, 1)
    line["libraries"]["numpy"] = "1.0"
    line["seed"] = 4
    with manifest.open("a") as file:
        file.write(json.dumps(line) + "\n")
    (images / "2.png").write_bytes(encode(np.zeros((9, 9, 3), np.uint8), "png"))
    again = called("replay", out, "--json")
    assert again.exit_code == 1
    told = {one["name"]: one for one in map(json.loads, again.stdout.splitlines())}
    assert (told["3-augmented.png"]["same"], told["3-augmented.png"]["psnr"] > 0) == (False, True)
    assert told["3-augmented.png"]["libraries"]["numpy"]["then"] == "1.0"
    assert "has changed since" in told["2-augmented.png"]["error"]
    for one in lines(manifest):
        name, beside = one["files"][0]["path"], {other["path"] for other in one["partners"]}
        mixed = str(images / "2.png") in beside
        assert mixed <= ("has changed since" in told[name].get("error", ""))
        assert told[name]["same"] is (not mixed and name[0] not in "23"), name
    with pytest.raises(Failure, match="names no output"):
        lines_of(manifest.parent, "other.png")


def test_a_partner_that_cannot_be_opened_is_named(mediamill: Commands, images: Path, monkeypatch):
    out, digested = mediamill.folder / "out", Working._digested

    def gone(self: Working) -> Ring:
        ring = digested(self)
        (images / "2.png").unlink()
        return ring

    monkeypatch.setattr(Working, "_digested", gone)
    called("run", "augment", images, "-o", out, "--methods", "mixup", "--seed", "3", *ONE)
    said = {"path": str(images / "2.png"), "why": "It cannot be read: No such file or directory."}
    without = [line for line in lines(out / "manifest.jsonl") if "partners" not in line]
    assert without
    assert all(line["report"]["partners_left_out"] == [said] for line in without)


def test_a_reference_of_ones_own_and_an_archive(mediamill: Commands, images: Path):
    archive_ = mediamill.folder / "out.zip"
    called("run", "preprocess", images, "-o", archive_, "--reference", images / "dark.png",
           "--methods", "normalize-brightness", *ONE)  # fmt: skip
    with zipfile.ZipFile(archive_) as archive:
        told = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
    assert len(told) == 4
    assert {line["steps"][0]["agreed"]["reference"]["name"] for line in told} == {"dark.png"}
    place = str(mediamill.folder / "o")
    missing = called("run", "preprocess", str(images), "-o", place, "--reference", "none.png")
    assert (missing.exit_code, "There is no file none.png" in missing.output) == (2, True)


def test_a_manifest_of_somebody_else_is_left_alone(mediamill: Commands, images: Path):
    out = mediamill.folder / "out"
    out.mkdir()
    (out / "manifest.jsonl").write_text("mine\n")
    done = called("run", "thumbnail", str(images), "-o", str(out))
    assert (done.exit_code, "is not of a run" in done.output) == (2, True)
    assert (out / "manifest.jsonl").read_text() == "mine\n"


@pytest.mark.parametrize(
    "line",
    [
        {"name": "images/a.png", "version": "v1", "file": "file_1", "lineage": {}},  # an export's
        {"item": 0, "input": {"file": "file_1"}, "steps": [], "files": [{"path": "a"}]},
    ],
)
def test_a_manifest_of_a_server_says_what_to_do(mediamill: Commands, line: dict):
    path = mediamill.folder / "manifest.jsonl"
    path.write_text(json.dumps(line) + "\n")
    refused = called("replay", path)
    assert refused.exit_code != 0
    assert isinstance(refused.exception, SystemExit)
    assert "is of a server" in refused.output
    assert "Name the id of a result" in refused.output


def test_a_job_over_a_project_and_its_replay_on_a_server(
    signed_in: Commands, service: Credentials, images: Path, tmp_path: Path
):
    with httpx.Client(
        base_url=service.server, headers={"Authorization": f"Bearer {service.token}"}
    ) as client:
        ids = [
            client.post("/v1/files", params={"name": f.name}, content=f.read_bytes()).json()["id"]
            for f in sorted(images.glob("*.png"))
        ]
        both = [client.post("/v1/projects", json={"name": name}) for name in ("set", "even")]
        project, target = (made.json()["id"] for made in both)
        added = client.post(f"/v1/projects/{project}/files", json={"files": ids})
        assert added.json()["added"] == 4
    steps = tmp_path / "steps.json"
    steps.write_text('[{"operation": "preprocess", "parameters": {"threshold": 0.2}}]')
    submit = ("jobs", "submit", "--project", project, "--subset", "original", "--steps", str(steps),
              "--output-project", target, "--json")  # fmt: skip
    plan = json.loads(called(*submit, "--dry-run", env=signed_in.environment).output)
    assert (plan["items"], plan["kinds"]) == (4, ["measure", "reduce", "run"])
    job = json.loads(called(*submit, "--wait", env=signed_in.environment).stdout)
    assert (job["state"], job["joined"], job["output_project"]) == ("succeeded", 4, target)
    assert job["steps"][0]["agreed"]["images"] == 4
    assert (job["stage"], job["stages"]) == (2, 3)
    result = f"file_{job['id'].removeprefix('job_')}-2-0-0"
    again = called("replay", result, env=signed_in.environment)
    assert (again.exit_code, "the same bytes" in again.stdout) == (0, True), again.output
    other = called("replay", ids[0], env=signed_in.environment)
    assert "came in as it is" in other.output
    with httpx.Client(
        base_url=service.server, headers={"Authorization": f"Bearer {service.token}"}, timeout=60
    ) as client:
        wreck = next(images.glob("*.png")).read_bytes()[:300]
        ids.append(client.post("/v1/files?name=wreck.png", content=wreck).json()["id"])
        body = {"files": ids, "steps": [{"operation": "health-check"}]}
        job = client.post("/v1/jobs", json=body).json()
        while job["finished_at"] is None:
            job = client.get(f"/v1/jobs/{job['id']}?wait=30").json()
    assert job["state"] == "partial", "there is a wreck in the set"
    report = f"file_{job['id'].removeprefix('job_')}-1-0-1"
    again = called("replay", report, env=signed_in.environment)
    assert (again.exit_code, again.stdout) == (0, "health.parquet: the same bytes\n"), again.output


def test_a_frame_in_a_project_is_made_again_with_its_archive(
    signed_in: Commands, service: Credentials, tmp_path: Path
):
    env, video = signed_in.environment, clip(tmp_path / "a b.mp4", seconds=1)
    with httpx.Client(
        base_url=service.server, headers={"Authorization": f"Bearer {service.token}"}, timeout=60
    ) as client:
        file = client.post("/v1/files", params={"name": video.name}, content=video.read_bytes())
        body = {"operation": "extract-frames", "parameters": {"fps": 3}}
        body = {"files": [file.json()["id"]], "steps": [body]}
        job = client.post("/v1/jobs", json=body).json()["id"]
        while client.get(f"/v1/jobs/{job}", params={"wait": 30}).json()["finished_at"] is None:
            continue
        project = client.post("/v1/projects", json={"name": "frames"}).json()["id"]
        task = client.post(f"/v1/projects/{project}/import", json={"job": job}).json()
        while task["finished_at"] is None:
            task = client.get(task["links"]["self"], params={"wait": 30}).json()
        assert task["outcome"]["taken"] == 3
        members = client.get(f"/v1/projects/{project}/files").json()["data"]
    frame = members[1]["id"]
    again = called("replay", frame, env=env)
    assert (again.exit_code, "the same bytes" in again.stdout) == (0, True), again.output
    assert members[1]["name"] in again.stdout
