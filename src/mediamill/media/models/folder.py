"""A folder with a model, as exporters leave it: configuration beside ONNX files.

`encoder_model.onnx` with `decoder_model_merged.onnx`, or `decoder_model.onnx` with or without
`decoder_with_past_model.onnx`, is a captioner; `model.onnx` is a classifier. They lie in the folder
or in `onnx/` of it, where the hub keeps them. A variant is in the name:
`decoder_model_quantized.onnx`. This is what Optimum and Transformers.js write and read.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mediamill.core.errors import ProviderRefused

ENCODER, MERGED, DECODER, WITH_PAST, MODEL = (
    "encoder_model", "decoder_model_merged", "decoder_model", "decoder_with_past_model", "model",
)  # fmt: skip
PLACES = ("", "onnx/")
MOST_CONFIG_BYTES = 16 << 20
MOST_TOKENIZER_BYTES = 128 << 20
SAMPLE_BYTES = 1 << 20
"""Of a file's beginning and of its end, by which it is told from another of its size."""
CONFIGS = ("config.json", "generation_config.json", "preprocessor_config.json",
           "tokenizer.json", "tokenizer_config.json")  # fmt: skip
_VARIANT = re.compile(r"[a-z0-9_]{0,24}")


class ModelFolder:
    """The files of one model; none outside the folder is ever read.

    `variant` is the end of the names of its ONNX files, empty for those without. Raises
    `ProviderRefused`, as all its methods do.
    """

    def __init__(self, path: Path, variant: str = "") -> None:
        if not path.is_dir():
            raise ProviderRefused(f"There is no folder “{path}” with a model in it.")
        if _VARIANT.fullmatch(variant) is None:
            raise ProviderRefused(f"“{variant}” is no variant of a model’s files.")
        self.path, self.variant = path.resolve(), variant

    def find(self, stem: str) -> Path | None:
        """Return an ONNX file by its name without variant and ending, None where there is none."""
        name = f"{stem}_{self.variant}.onnx" if self.variant else f"{stem}.onnx"
        return next((found for place in PLACES if (found := self._file(place + name))), None)

    def need(self, stem: str) -> Path:
        """Return an ONNX file; say what there is where it is missing."""
        found = self.find(stem)
        if found is None:
            there = ", ".join(path.name for path in self.models()) or "none"
            wanted = f"{stem}_{self.variant}.onnx" if self.variant else f"{stem}.onnx"
            raise ProviderRefused(f"The model has no {wanted}; ONNX files in it: {there}.")
        return found

    def models(self) -> list[Path]:
        """List the ONNX files, whatever their variant."""
        return sorted(found for place in PLACES for found in (self.path / place).glob("*.onnx"))

    def captions(self) -> bool:
        """Whether it is a captioner; a classifier otherwise."""
        if self.find(ENCODER) is not None:
            return True
        self.need(MODEL)
        return False

    def config(self, name: str) -> Mapping[str, Any]:
        """Read a JSON object; empty where there is no such file."""
        path = self._file(name)
        if path is None:
            return {}
        try:
            return msgspec.json.decode(self.read(path, MOST_CONFIG_BYTES), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ProviderRefused(f"{name} of the model cannot be read: {error}") from None

    def tokenizer(self) -> str:
        """Read `tokenizer.json`."""
        path = self._file("tokenizer.json")
        if path is None:
            raise ProviderRefused("The model has no tokenizer.json: export it with its tokenizer.")
        return self.read(path, MOST_TOKENIZER_BYTES).decode(errors="replace")

    def fingerprint(self) -> str:
        """Return twelve hex digits that change with the model.

        Configuration counts whole, ONNX files by their size, beginning and end, which training
        and quantising change alike: reading gigabytes would take too long at every start.
        """
        digest = hashlib.sha256(self.variant.encode())
        for name in CONFIGS:
            if path := self._file(name):
                digest.update(hashlib.sha256(self.read(path, MOST_TOKENIZER_BYTES)).digest())
        for stem in (ENCODER, MERGED, DECODER, WITH_PAST, MODEL):
            for path in self._with_weights(stem):
                digest.update(f"{path.name} {path.stat().st_size}".encode())
                with path.open("rb") as stream:
                    digest.update(stream.read(SAMPLE_BYTES))
                    stream.seek(max(0, path.stat().st_size - SAMPLE_BYTES))
                    digest.update(stream.read(SAMPLE_BYTES))
        return digest.hexdigest()[:12]

    def _with_weights(self, stem: str) -> list[Path]:
        """Return an ONNX file with the files beside it that are called after it."""
        found = self.find(stem)
        if found is None:
            return []
        return sorted(path for path in found.parent.glob(f"{found.name}*") if path.is_file())

    def _file(self, name: str) -> Path | None:
        path = self.path / name
        if not path.is_file():
            return None
        if not path.resolve().is_relative_to(self.path):
            raise ProviderRefused(
                f"{name} of the model is a link out of its folder: put the file itself there."
            )
        return path

    @staticmethod
    def read(path: Path, most: int) -> bytes:
        """Read a whole file of at most so many bytes."""
        if path.stat().st_size > most:
            raise ProviderRefused(f"{path.name} of the model has more than {most:,} bytes.")
        return path.read_bytes()
