"""Models exported by Optimum say here what Transformers says with them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mediamill.media.models.folder import ModelFolder
from mediamill.media.models.models import Captioner, Classifier, Options
from mediamill.media.models.pictures import processor_of
from mediamill.media.models.plan import plan_of
from mediamill.media.models.sessions import Halt
from tests.providers.local.conftest import Exported

FORMS = {
    "merged": ("decoder_model", "decoder_with_past_model"),
    "pair": ("decoder_model_merged",),
    "plain": ("decoder_model_merged", "decoder_with_past_model"),
}
"""Which files are taken away for a form of the decoder."""


def captioner(exported: Exported, tmp_path: Path, name: str, form: str) -> Captioner:
    folder = tmp_path / "model"
    shutil.copytree(exported.folder / name, folder)
    for stem in FORMS[form]:
        (folder / f"{stem}.onnx").unlink(missing_ok=True)
    return Captioner(ModelFolder(folder), Options())


def shown(exported: Exported, model: Captioner | Classifier) -> list[np.ndarray]:
    return [model.processor(data, "image/png") for data in exported.pictures]


def words(tokens: list[int], ends: list[int]) -> tuple[tuple[int, ...], bool]:
    """Return a caption of Transformers without its first and last token; whether it has a last."""
    said = tokens[1:]
    at = next((at for at, token in enumerate(said) if token in ends), None)
    return tuple(said[:at]), at is not None


@pytest.mark.parametrize(
    ("name", "form"), [("gpt2", "merged"), ("gpt2", "pair"), ("gpt2", "plain"), ("trocr", "merged")]
)
def test_words_are_those_of_transformers(
    exported: Exported, tmp_path: Path, name: str, form: str
) -> None:
    """Greedy and by beams, under each setting; alone and in a batch."""
    model = captioner(exported, tmp_path, name, form)
    pictures, usual, different = shown(exported, model), model.plan, set()
    for case in exported.answers[name]["cases"]:
        settings = case["settings"]
        model.plan = plan_of({"decoder_start_token_id": 47, "eos_token_id": 47} | settings, {})
        model.plan = model.plan.with_options(longest=settings.get("max_length"))
        longest = [model.plan.longest] * len(pictures)
        together = model.captions(pictures, longest, lambda _: True, Halt())
        for at, found in enumerate(together):
            expected = words(case["tokens"][at], list(model.plan.ends))
            assert found is not None
            assert (found.tokens, found.complete) == expected, (settings, at)
            if len(model.plan.ends) == 1:  # a tokenizer leaves out its own end alone
                assert found.text == case["texts"][at]
            different.add(expected[0])
        at = len(different) % len(pictures)
        alone = model.captions(pictures[at : at + 1], longest[:1], lambda _: True, Halt())
        assert alone == together[at : at + 1]
    assert len(different) > 20  # captions that are all alike would show nothing
    model.plan = usual
    found = model.captions(pictures, [512] * len(pictures), lambda _: True, Halt())
    assert [(one.tokens, one.complete) for one in found if one] == [
        words(tokens, [47]) for tokens in exported.answers[name]["usual"]
    ]


def test_pixels_are_those_of_transformers(exported: Exported, tmp_path: Path) -> None:
    model = captioner(exported, tmp_path, "gpt2", "merged")
    found = np.stack([pixels.ravel()[::97] for pixels in shown(exported, model)])
    np.testing.assert_allclose(found, exported.answers["gpt2"]["pixels"], atol=1e-6)


def test_each_family_prepares_pictures_as_transformers_does(exported: Exported) -> None:
    known = exported.answers["processors"]
    assert len(known) > 10
    for one in known:
        processor = processor_of(one["config"])
        for data, some in zip(exported.pictures, one["some"], strict=True):
            found = processor(data, "image/png")
            assert list(found.shape) == one["shape"]
            taken = found.ravel()[:: found.size // 40]
            np.testing.assert_allclose(taken, some, atol=2e-6, err_msg=str(one["config"]))


def test_confidences_are_those_of_transformers(exported: Exported) -> None:
    model = Classifier(ModelFolder(exported.folder / "classes"), Options())
    expected = exported.answers["classes"]["confidences"]
    for labels, known in zip(model.labels(shown(exported, model), Halt()), expected, strict=True):
        by_name = dict(labels)
        assert [by_name[f"kind {n}"] for n in range(5)] == pytest.approx(known, abs=1e-5)
        assert [confidence for _, confidence in labels] == sorted(by_name.values(), reverse=True)


def test_a_picture_has_its_caption_wherever_it_is_in_a_batch(
    exported: Exported, tmp_path: Path
) -> None:
    """In each order, with limits of their own, and when some are not wanted any more."""
    model = captioner(exported, tmp_path, "gpt2", "merged")
    pictures, draws = shown(exported, model), np.random.default_rng(7)
    for beams in (1, 3):
        model.plan = replace(model.plan, beams=beams, longest=16)
        limits = [4, 16, 9, 16, 2, 12]
        alone = [
            model.captions([picture], [limit], lambda _: True, Halt())[0]
            for picture, limit in zip(pictures, limits, strict=True)
        ]
        for _ in range(3):
            order = draws.permutation(len(pictures)).tolist()
            unwanted = set(order[:2])
            found = model.captions(
                [pictures[at] for at in order], [limits[at] for at in order],
                lambda place, order=order, unwanted=unwanted: order[place] not in unwanted, Halt(),
            )  # fmt: skip
            for place, at in enumerate(order):
                assert found[place] == alone[at] or (at in unwanted and found[place] is None)


def test_config_alone_says_the_same_as_generation_config(
    exported: Exported, tmp_path: Path
) -> None:
    config = json.loads((exported.folder / "gpt2" / "config.json").read_text())
    said = json.loads((exported.folder / "gpt2" / "generation_config.json").read_text())
    assert plan_of({}, config) == plan_of(said, config)
