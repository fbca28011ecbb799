"""What `mediamill doctor` says of who answers model calls, without asking anybody."""

import pytest

from mediamill.cli.service.checks import Level
from mediamill.cli.service.providing import models
from mediamill.core.settings import Settings


@pytest.mark.parametrize(
    ("given", "level", "says"),
    [
        ({}, Level.NOTE, "caption: the settings name nobody"),
        ({"caption_chain": "echo:a, echo:b"}, Level.OK, "caption: echo:a → echo:b"),
        ({"caption_chain": "echo:a, unheard:of"}, Level.PROBLEM, "unheard"),
        ({"caption_chain": "echo:a?fault=never"}, Level.PROBLEM, "fault"),
        ({"caption_chain": "mine"}, Level.NOTE, "mine is not in the file"),
        ({"caption_chain": "openai:x?base_url=http://127.0.0.1:1/v1", "budget": 5.0},
         Level.PROBLEM, "nobody knows what"),
        ({"providers": "/nowhere.toml"}, Level.PROBLEM, "/nowhere.toml"),
    ],
)  # fmt: skip
def test_doctor_tells_of_each_chain(tmp_path, given, level, says):
    first, *rest = models(Settings(home=tmp_path, **given))
    assert (first.name, first.level) == ("models", level), first.text
    assert says in first.text
    assert len(rest) in (0, 2)


def test_doctor_knows_the_models_that_were_fetched(tmp_path):
    settings = Settings(home=tmp_path, caption_chain="local:owner/name")
    missing, *_ = models(settings)
    assert missing.level is Level.PROBLEM
    assert "mediamill models fetch owner/name" in missing.text
    folder = tmp_path / "models" / "owner" / "name"
    folder.mkdir(parents=True)
    (folder / "encoder_model.onnx").touch()
    found, *_ = models(settings)
    assert (found.level, found.text) == (Level.OK, "caption: local:owner/name")
