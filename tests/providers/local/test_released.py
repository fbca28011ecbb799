"""A released captioner says what Transformers says, where `MEDIAMILL_CAPTIONER` names its folder.

The folder has what Optimum exports from it; with weights of PyTorch or the id of the model beside
it (`_name_or_path` of config.json), `transformers` and `torch` must be installed to judge.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from mediamill.media.models.folder import ModelFolder
from mediamill.media.models.models import Captioner, Options
from mediamill.media.models.sessions import Halt

CAPTIONER = os.environ.get("MEDIAMILL_CAPTIONER", "")


@pytest.mark.skipif(not CAPTIONER, reason="MEDIAMILL_CAPTIONER names no released captioner")
def test_a_released_captioner_says_what_transformers_says() -> None:
    samples = sorted(Path(os.environ.get("MEDIAMILL_SAMPLES", ".")).rglob("*.jpg"))[:8]
    assert samples, "MEDIAMILL_SAMPLES has no JPEG files to caption"
    folder = ModelFolder(Path(CAPTIONER), os.environ.get("MEDIAMILL_CAPTIONER_VARIANT", ""))
    model = Captioner(folder, Options(threads=2, beams=1))
    shown = [model.processor(path.read_bytes(), "image/jpeg") for path in samples]
    longest = [model.plan.longest] * len(shown)
    found = model.captions(shown, longest, lambda _: True, Halt())
    alone = [model.captions([one], longest[:1], lambda _: True, Halt())[0] for one in shown]
    assert any(one.text for one in found if one is not None)
    agreeing = sum(a == b for a, b in zip(found, alone, strict=True))
    assert agreeing >= len(shown) - 1  # sums of a batch may differ in the last digit
    judge = pytest.importorskip("transformers", reason="transformers is not installed to judge")
    torch = pytest.importorskip("torch", reason="torch is not installed to judge")
    config = folder.config("config.json")
    source = CAPTIONER if any(folder.path.glob("*.safetensors")) else config["_name_or_path"]
    known = judge.VisionEncoderDecoderModel.from_pretrained(source).eval()
    with torch.no_grad():
        for pixels, one in zip(shown, alone, strict=True):
            said = known.generate(torch.from_numpy(pixels[None]), do_sample=False, num_beams=1)
            tokens = said[0].tolist()[1:]
            ends = [at for at, token in enumerate(tokens) if token in model.plan.ends]
            assert one is not None
            np.testing.assert_array_equal(one.tokens, tokens[: ends[0] if ends else None])
