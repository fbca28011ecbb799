"""`mediamill run` on real files, in a process of its own."""

import json
import signal
import time
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Commands


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_folders_are_kept_one_bad_file_is_reported_and_the_others_go_on(
    mediamill: Commands, clip: Path
):
    inputs = mediamill.folder / "in"
    (inputs / "sub").mkdir(parents=True)
    (inputs / "sub" / "good.mp4").write_bytes(clip.read_bytes())
    (inputs / "bad.mp4").write_bytes(clip.read_bytes()[:64] + bytes(1000))
    (inputs / "notes.txt").write_text("not a video")
    (inputs / ".hidden.mp4").write_bytes(clip.read_bytes())
    done = mediamill("run", "extract-frames", "in", "-o", "out", "--every", "1")
    assert done.returncode == 1
    assert "in/sub/good.mp4 → out/sub/good" in done.stdout
    assert "in/bad.mp4: " in done.stderr
    assert "1 succeeded, 1 failed, 1 skipped" in done.stderr
    frames = [name for name in everything(mediamill.folder / "out") if name.endswith(".jpg")]
    assert len(frames) == 2
    assert all(name.startswith("sub/good/frame-") for name in frames)
    assert (mediamill.folder / "out/sub/good/frames.jsonl").exists()


def test_one_stored_zip(mediamill: Commands, clip: Path):
    done = mediamill("run", "extract-frames", clip, clip, "-o", "all.zip", "--count", "2")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(mediamill.folder / "all.zip") as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
    assert all(info.compress_type == zipfile.ZIP_STORED for info in infos)
    folders = {info.filename.split("/")[0] for info in infos}
    assert folders == {"clip", "clip (2)", "manifest.jsonl"}
    assert everything(mediamill.folder) == ["all.zip"]


def test_a_json_line_per_input_in_their_order(mediamill: Commands, clip: Path):
    (mediamill.folder / "text.txt").write_text("text")
    arguments = ("run", "extract-frames", clip, "text.txt", clip, "-o", "out.zip", "--json")
    done = mediamill(*arguments)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["state"] for line in lines] == ["succeeded", "failed", "succeeded"]
    assert lines[0]["outputs"] == ["clip/"]
    assert lines[1]["code"] == "unsupported_media"
    assert lines[1]["error"] == "is text; extract-frames takes videos"


def test_nothing_is_overwritten_unless_asked(mediamill: Commands, clip: Path):
    run = ("run", "thumbnail", clip, "-o")
    assert mediamill(*run, "out").returncode == 0
    (made,) = (mediamill.folder / "out").glob("*.jpg")
    made.write_text("mine")
    refused = mediamill(*run, "out")
    assert refused.returncode == 1
    assert "--overwrite" in refused.stderr
    assert made.read_text() == "mine"
    assert mediamill(*run, "out", "--overwrite").returncode == 0
    assert made.read_bytes().startswith(b"\xff\xd8")
    (mediamill.folder / "o.zip").write_text("mine")
    assert mediamill(*run, "o.zip").returncode == 2
    assert (mediamill.folder / "o.zip").read_text() == "mine"
    assert everything(mediamill.folder / "out") == [made.name, "manifest.jsonl"]


@pytest.mark.parametrize("output", ["out", "out.zip"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_half_written(
    mediamill: Commands, clip: Path, long_clip: Path, output: str, how: signal.Signals
):
    clips = (clip, *[long_clip] * 20)  # far more than is done before the signal comes
    arguments = ("run", "extract-frames", *clips, "--mode", "all", "--format", "png")
    process = mediamill.start(*arguments, "--processes", "1", "-o", output)
    while not [name for name in everything(mediamill.folder) if "/output-" in name]:
        assert process.poll() is None, "it ended before the interrupt"
        time.sleep(0.01)
    if output == "out":
        assert "clip" in process.stdout.readline()
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.strip().endswith("Interrupted.")
    left = {name.split("/")[0] for name in everything(mediamill.folder)}
    assert left <= {"out"}
    if output == "out":
        whole = {path for path in (mediamill.folder / "out").iterdir() if path.is_dir()}
        assert "clip" in {folder.name for folder in whole}
        assert len(whole) < len(clips)
        for folder in whole:
            frames = (folder / "frames.jsonl").read_text().splitlines()
            assert len(list(folder.glob("*.png"))) == len(frames) > 0


def test_a_wrong_parameter_is_named(mediamill: Commands, clip: Path):
    wrong = mediamill("run", "extract-frames", clip, "-o", "out", "--quality", "101")
    assert wrong.returncode == 2
    assert "--quality" in wrong.stderr
    together = mediamill("run", "extract-frames", clip, "-o", "out", "--fps", "1", "--count", "2")
    assert together.returncode == 2
    assert "Error: extract-frames" in together.stderr
    unknown = mediamill("run", "no-such", clip, "-o", "out")
    assert unknown.returncode == 2
    assert "extract-frames" in unknown.stderr
    assert everything(mediamill.folder) == []


def test_a_folder_without_files_is_said(mediamill: Commands):
    (mediamill.folder / "empty").mkdir()
    done = mediamill("run", "thumbnail", "empty", "-o", "out")
    assert done.returncode == 2
    assert "no file" in done.stderr
