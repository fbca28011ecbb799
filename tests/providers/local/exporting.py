"""Make `exported.zip`: small models as Optimum exports them, and what Transformers says with them.

Not part of the tests: it needs two gigabytes of PyTorch. It was run with torch 2.15, transformers
4.57.6, optimum-onnx 0.1.0 and onnx 1.23.2, in an environment of its own:

    python tests/providers/local/exporting.py tests/providers/local/exported.zip

`gpt2/` is a captioner of ViT and GPT-2 in all forms that a decoder is exported in, `trocr/` one
whose decoder remembers the picture as well, `classes/` a classifier. Their weights are random.
`answers.json` has what `generate` gives for the pictures, each by itself, under several settings,
and what image processors make of them.
"""

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
import transformers
from optimum.exporters.onnx import main_export
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    PreTrainedTokenizerFast,
    TrOCRConfig,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

SEED, VOCABULARY, END = 6, 48, 47
SIZES = [(40, 30), (32, 32), (90, 61), (20, 50), (64, 64), (33, 47)]
VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
       "intermediate_size": 24, "image_size": 32, "patch_size": 8}  # fmt: skip
CASES = [
    {"max_length": 12},
    {"max_length": 30},
    {"num_beams": 4, "max_length": 16},
    {"num_beams": 3, "max_length": 22, "early_stopping": True},
    {"num_beams": 4, "max_length": 18, "length_penalty": 2.0},
    {"num_beams": 4, "max_length": 18, "length_penalty": 0.2, "early_stopping": "never"},
    {"num_beams": 4, "max_length": 18, "length_penalty": -1.0},
    {"num_beams": 2, "max_length": 24, "no_repeat_ngram_size": 2},
    {"max_length": 30, "no_repeat_ngram_size": 3},
    {"max_length": 22, "repetition_penalty": 1.7},
    {"num_beams": 3, "max_length": 22, "repetition_penalty": 1.7},
    {"max_length": 22, "min_length": 10},
    {"num_beams": 4, "max_length": 22, "min_new_tokens": 9},
    {"num_beams": 2, "max_length": 14, "forced_bos_token_id": 3},
    {"num_beams": 3, "max_length": 9, "forced_eos_token_id": END},
    {"num_beams": 2, "suppress_tokens": [1, 2, 3], "begin_suppress_tokens": [END, 5]},
    {"num_beams": 4, "max_length": 20, "eos_token_id": [END, 4, 9]},
    {"eos_token_id": [END, 4, 9]},
    {"num_beams": 4, "max_new_tokens": 7, "early_stopping": True, "no_repeat_ngram_size": 1},
]

PROCESSORS = [
    *((name, {}) for name in ("ViT", "DeiT", "Beit", "CLIP", "ConvNext", "Bit", "MobileNetV1",
                              "MobileNetV2", "MobileViT", "Blip", "Siglip")),
    ("ViT", {"size": 96, "resample": 3, "image_mean": [0.1, 0.2, 0.3]}),
    ("Beit", {"do_center_crop": True, "size": {"height": 256, "width": 256}}),
    ("Bit", {"resample": 1}),
    ("CLIP", {"size": {"shortest_edge": 50}, "crop_size": {"height": 64, "width": 64}}),
    ("ConvNext", {"size": {"shortest_edge": 384}}),
]  # fmt: skip
"""Families of image processors, as they are and otherwise set."""


def main(target: Path) -> None:
    torch.manual_seed(SEED)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pictures = _pictures(folder / "pictures")
        answers = {
            "gpt2": _captioner(folder, "gpt2", _gpt2(), pictures),
            "trocr": _captioner(folder, "trocr", _trocr(), pictures),
            "classes": _classifier(folder, pictures),
            "processors": [_processed(name, said, pictures) for name, said in PROCESSORS],
        }
        (folder / "answers.json").write_text(json.dumps(answers))
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "source" not in path.parts:
                    archive.write(path, path.relative_to(folder))


def _pictures(folder: Path) -> list[Image.Image]:
    folder.mkdir()
    draws = np.random.default_rng(3)
    made = []
    for number, size in enumerate(SIZES):
        small = Image.fromarray(draws.integers(0, 255, (4, 4, 3)).astype(np.uint8))
        made.append(small.resize(size, Image.Resampling.BICUBIC))
        made[-1].save(folder / f"{number}.png")
    return made


def _gpt2():
    return GPT2Config(vocab_size=VOCABULARY, n_positions=40, n_embd=16, n_layer=2, n_head=2,
                      n_inner=24, add_cross_attention=True, is_decoder=True)  # fmt: skip


def _trocr():
    return TrOCRConfig(vocab_size=VOCABULARY, d_model=16, decoder_layers=1, decoder_ffn_dim=24,
                       decoder_attention_heads=2, max_position_embeddings=40)  # fmt: skip


def _captioner(folder, name, decoder, pictures):
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(**VIT), decoder)
    model = VisionEncoderDecoderModel(config).eval()
    _shuffle(model)
    for part in (model.config, model.generation_config):
        part.decoder_start_token_id = part.bos_token_id = END
        part.eos_token_id = part.pad_token_id = END
    source = folder / "source" / name
    model.save_pretrained(source)
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(source)
    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    processor.save_pretrained(source)
    main_export(str(source), output=str(folder / name), task="image-to-text-with-past")
    if name == "trocr":
        for form in ("decoder_model", "decoder_with_past_model"):
            (folder / name / f"{form}.onnx").unlink()
    (folder / name / "special_tokens_map.json").unlink(missing_ok=True)
    shown = processor(images=pictures, return_tensors="pt").pixel_values
    cases = []
    for case in CASES:
        alone = [_said(model, one, case) for one in shown]
        texts = [text.strip() for text in tokenizer.batch_decode(alone, skip_special_tokens=True)]
        cases.append({"settings": case, "tokens": alone, "texts": texts})
    usual = [_said(model, one, {}) for one in shown]
    return {"cases": cases, "usual": usual, "pixels": shown.flatten(1)[:, ::97].tolist()}


def _said(model, picture, case):
    with torch.no_grad():
        return model.generate(picture[None], do_sample=False, **case)[0].tolist()


def _processed(name, said, pictures):
    """Return a processor's configuration, and some of the numbers that it makes of each picture."""
    processor = getattr(transformers, f"{name}ImageProcessor")(**said)
    made = [processor(images=one, return_tensors="np").pixel_values[0] for one in pictures]
    some = [[round(float(value), 6) for value in one.ravel()[:: one.size // 40]] for one in made]
    return {"config": json.loads(processor.to_json_string()), "shape": made[0].shape, "some": some}


def _classifier(folder, pictures):
    names = {number: f"kind {number}" for number in range(5)}
    model = ViTForImageClassification(ViTConfig(**VIT, id2label=names)).eval()
    _shuffle(model)
    source = folder / "source" / "classes"
    model.save_pretrained(source)
    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    processor.save_pretrained(source)
    main_export(str(source), output=str(folder / "classes"), task="image-classification")
    with torch.no_grad():
        given = model(processor(images=pictures, return_tensors="pt").pixel_values).logits
    return {"confidences": torch.softmax(given, -1).tolist()}


def _shuffle(model) -> None:
    """Draw weights that are large enough for captions that differ."""
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.normal_(0, 0.35)


def _tokenizer():
    words = [("Ġ" if n % 3 else "") + "".join(chr(97 + (n * 7 + at * 5) % 26)
             for at in range(1 + n % 4)) for n in range(END)]  # fmt: skip
    vocabulary = {}
    for number, word in enumerate(words):
        vocabulary[word if word not in vocabulary else f"x{number}"] = number
    vocabulary["<|endoftext|>"] = END
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=end, bos_token=end, unk_token=end
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
