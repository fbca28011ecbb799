"""`mediamill run` of what asks models: whom the settings name, without a server."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mediamill.cli.local.asking import asked
from mediamill.cli.root import root
from mediamill.cli.terminal.failures import Failure
from mediamill.core.settings import Settings
from mediamill.media.image.codecs.encode import encode
from mediamill.operations.caption.operation import Caption
from mediamill.operations.prompt.operation import Prompt
from tests.cli.conftest import Commands


def test_captions_without_a_server(mediamill: Commands):
    """The second of the chain answers where the first will not; other inputs go on."""
    mediamill.extra["MEDIAMILL_CAPTION_CHAIN"] = "echo:bad?fault=declined*,echo:good"
    folder = mediamill.folder
    (folder / "photo.png").write_bytes(encode(np.zeros((8, 8, 3), np.uint8), "png"))
    (folder / "notes.txt").write_text("no picture")
    run = mediamill("run", "caption", "notes.txt", "photo.png", "-o", "out", "--json")
    assert run.returncode == 1, run.stderr
    failed, told = map(json.loads, run.stdout.splitlines())
    assert (failed["code"], told["state"]) == ("unsupported_media", "succeeded")
    assert {one["provider"] for one in told["data"]["captions"]} == {"echo:good"}
    (answered,) = told["report"]["answered"]
    assert answered["question"] == "captions-en"
    assert json.loads((folder / "out" / "photo.result.json").read_text()) == told["data"]
    line = json.loads((folder / "out" / "manifest.jsonl").read_text())
    assert line["steps"][0].keys() == {"operation", "parameters"}


@pytest.mark.parametrize(
    ("given", "step", "says"),
    [
        ({}, Caption(), "Set MEDIAMILL_CAPTION_CHAIN"),
        ({"caption_chain": "local:a/b"}, Caption(), "mediamill models fetch a/b"),
        ({"caption_chain": "echo:", "budget": 5.0}, Caption(), "There is a budget"),
        ({"caption_chain": "echo:", "user_budget": 5.0}, Caption(), "There is a budget"),
        ({"caption_chain": "echo:"}, Caption(providers=("mine",)), "no provider called"),
        ({"prompt_chain": "echo:"}, Prompt(prompt="?", group=True), "needs a server"),
    ],
)
async def test_nobody_who_can_be_asked_is_told_at_once(
    tmp_path: Path, given: dict[str, Any], step: Caption | Prompt, says: str
):
    with pytest.raises(Failure, match=says):
        async with asked(step, Settings(home=tmp_path, **given)):
            pass


def test_what_is_refused_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path / "home"))
    (tmp_path / "photo.png").write_bytes(encode(np.zeros((8, 8, 3), np.uint8), "png"))
    (tmp_path / "there").mkdir()
    for folder in ("new/deep", "there/new"):
        told = ("run", "caption", tmp_path / "photo.png", "-o", tmp_path / folder)
        done = CliRunner().invoke(root, [*map(str, told)])
        assert (done.exit_code, "Set MEDIAMILL_CAPTION_CHAIN" in done.output) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "there"}
    assert [*(tmp_path / "there").iterdir()] == []


async def test_who_types_an_address_may_name_any(tmp_path: Path):
    step = Caption(providers=("echo:typed", "echo:next"))
    async with asked(step, Settings(home=tmp_path, caption_chain="echo:set-up")) as chain:
        assert [one.name for one in chain.fallback.providers] == ["echo:typed", "echo:next"]
