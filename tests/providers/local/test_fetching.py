"""`mediamill models fetch` brings what is needed, pinned and compared, whole or not at all."""

import json
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner, Result

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.local.kept import manifest_of
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Deadline
from mediamill.cli.root import root
from mediamill.cli.terminal.failures import UNREACHABLE
from tests.providers.local.building import classifier, write_captioner, write_classifier
from tests.providers.local.hub import COMMIT, Hub, serving
from tests.support.providers.questions import labels


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder, made = tmp_path_factory.mktemp("hub"), Hub()
    made.add("team/colours", write_classifier(folder / "colours"), "onnx/")
    made.models["team/colours"] |= {
        "onnx/model_quantized.onnx": classifier(4).SerializeToString(),
        "README.md": b"# Colours",
        "pytorch_model.bin": b"w" * 100,
    }
    made.add("team/words", write_captioner(folder / "words", past=True))
    made.add("team/bad", write_classifier(folder / "bad"))
    bad = classifier()
    bad.graph.node.append(onnx.helper.make_node("Steal", ["logits"], ["more"], domain="evil"))
    made.models["team/bad"]["model.onnx"] = bad.SerializeToString()
    made.models["team/torch"] = {"config.json": b"{}", "pytorch_model.bin": b"w"}
    with serving(made):
        yield made


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    return tmp_path


def run(*given: str) -> Result:
    return CliRunner().invoke(root, ["models", *given])


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_a_model_is_fetched_listed_and_asked(hub: Hub, home: Path) -> None:
    hub.asked.clear()
    done = run("fetch", "team/colours", "--endpoint", hub.url, "--revision", "v1", "--json")
    assert done.exit_code == 0, done.output
    folder = home / "models" / "team" / "colours"
    assert names(folder) == {
        "config.json", "preprocessor_config.json", "onnx/model.onnx", "mediamill-model.json",
    }  # fmt: skip
    assert not list((home / "models").glob(".*"))
    manifest = manifest_of(folder)
    assert manifest is not None
    assert manifest.revision == COMMIT
    said = json.loads(done.stdout)
    assert (said["revision"], said["digest"]) == (COMMIT, manifest.digest)
    assert "onnx/model.onnx" in done.stderr
    files = [path for path in hub.asked if "/resolve/" in path]
    assert files
    assert all(f"/resolve/{COMMIT}/" in path for path in files)  # not by the tag, which may move

    listed = run("list", "--json", "--verify")
    assert listed.exit_code == 0
    assert json.loads(listed.stdout)["digest"] == manifest.digest
    provider = open_provider(Configured("x", "local:team/colours", models=home / "models"))
    assert (await provider.ask(labels(min_confidence=0.0), Deadline(30))).labels
    await provider.close()

    (folder / "config.json").write_text("{}")
    listed = run("list", "--verify")
    assert listed.exit_code == 1
    assert "changed: config.json" in listed.stdout


async def test_a_variant_is_fetched_and_used_without_being_named(hub: Hub, home: Path) -> None:
    first = run("fetch", "team/colours", "--endpoint", hub.url)
    again = run("fetch", "team/colours", "--endpoint", hub.url, "--variant", "quantized")
    assert (first.exit_code, again.exit_code) == (0, 0), again.output
    folder = home / "models" / "team" / "colours"
    assert {name for name in names(folder) if name.endswith(".onnx")} == {
        "onnx/model_quantized.onnx"
    }
    provider = open_provider(Configured("x", "local:team/colours", models=home / "models"))
    assert (await provider.ask(labels(min_confidence=0.0), Deadline(30))).labels
    await provider.close()
    assert "quantized" in run("list").stdout


def test_a_captioner_is_fetched_by_its_digest(hub: Hub, home: Path) -> None:
    wrong = run("fetch", "team/words", "--endpoint", hub.url, "--digest", "00")
    assert wrong.exit_code != 0
    assert "The digest of team/words is" in str(wrong.exception)
    assert not (home / "models" / "team").exists()
    digest = str(wrong.exception).split(" is ")[1].split(",")[0]
    assert run("fetch", "team/words", "--endpoint", hub.url, "--digest", digest).exit_code == 0
    assert "captions" in run("list").stdout


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        ("team/absent", [], "no team/absent"),
        ("team/words", ["--revision", "v9"], "at that revision"),
        ("team/torch", [], "has no model.onnx nor encoder_model.onnx.*only: none"),
        ("team/words", ["--variant", "int8"], "decoder_model_merged.onnx, encoder_model.onnx"),
        ("team/bad", [], r"evil\.Steal"),
        ("../etc", [], "no name of a model"),
    ],
)
def test_what_cannot_be_fetched_leaves_nothing(
    hub: Hub, home: Path, name: str, more: list[str], why: str
) -> None:
    done = run("fetch", name, "--endpoint", hub.url, *more)
    assert done.exit_code != 0
    with pytest.raises(Exception, match=why):
        raise done.exception or AssertionError
    assert not names(home)


def test_bytes_that_are_not_those_announced_are_refused(hub: Hub, home: Path) -> None:
    data = hub.models["team/words"]["encoder_model.onnx"]
    hub.lies["encoder_model.onnx"] = bytes([data[0], data[1] ^ 1]) + data[2:]
    try:
        done = run("fetch", "team/words", "--endpoint", hub.url)
    finally:
        hub.lies.clear()
    assert "not what the hub says" in str(done.exception)
    assert not names(home)


def test_a_hub_that_is_away_is_told(home: Path) -> None:
    done = run("fetch", "team/words", "--endpoint", "http://127.0.0.1:9")
    assert done.exit_code == UNREACHABLE
    assert "cannot be fetched" in done.output
    assert not names(home)


def test_a_folder_that_was_put_there_by_hand_is_left(hub: Hub, home: Path) -> None:
    folder = write_classifier(home / "models" / "team" / "words")
    done = run("fetch", "team/words", "--endpoint", hub.url)
    assert "left as it is" in str(done.exception)
    assert "model.onnx" in names(folder)
    line = run("list").stdout
    assert "local:team/words" in line
    assert "put by hand" in line
