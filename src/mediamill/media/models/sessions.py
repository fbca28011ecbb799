"""ONNX Runtime sessions: opened after a look at the file, held to some threads, ended from outside.

`pip install "mediamill[local-models]"` brings the runtime; it is imported when a model is opened.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mediamill.core.errors import ProviderRefused, ProviderUnavailable
from mediamill.media.models.onnxfile import check_model

Array = npt.NDArray[Any]
EXTRA = "mediamill[local-models]"
_TYPES: dict[str, npt.DTypeLike] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


class Halted(Exception):
    """A run was ended because nobody waits for what it gives."""


class Halt:
    """Ends what runs under it, from any thread."""

    def __init__(self) -> None:
        self.options: Any = runtime().RunOptions()
        self.halted = False

    def halt(self) -> None:
        """End the run that is on now, and every later one, at the next operator."""
        self.halted = True
        self.options.terminate = True


def runtime() -> Any:
    """Import ONNX Runtime; raises `ProviderRefused` that says what to install."""
    try:
        import onnxruntime  # type: ignore[import-untyped]  # it has no types
    except ModuleNotFoundError:
        raise ProviderRefused(
            f"Local models need onnxruntime, which is not installed. Install {EXTRA}, or run "
            "`make backends` in a clone."
        ) from None
    return onnxruntime


class Session:
    """An ONNX model that is loaded; calls may come from any thread, one at a time.

    `inputs` and `outputs` give name, type and shape, in the order of the file. With `mixes` what it
    gives for a row depends on the others.
    """

    def __init__(self, path: Path, folder: Path, threads: int) -> None:
        """Load a model of a folder; raises `ProviderRefused`."""
        self.name = path.name
        self.mixes = check_model(path, folder).mixes
        ort = runtime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what it has to say comes as an error
        options.add_session_config_entry("session.load_model_format", "ONNX")
        # Threads that wait for the next operator would keep cores from everything else.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's errors have no base of their own
            raise ProviderRefused(f"{path.name} cannot be loaded: {_said(error)}") from None
        self.inputs: dict[str, Any] = {node.name: node for node in self._session.get_inputs()}
        self.outputs: dict[str, Any] = {node.name: node for node in self._session.get_outputs()}
        self.types = {name: _type(self.name, node) for name, node in self.inputs.items()}

    def run(self, wanted: Sequence[str], feed: Mapping[str, Array], halt: Halt) -> list[Array]:
        """Return the outputs of those names, each input cast to the type that the model takes.

        Raises `Halted`, `ProviderRefused` for what the model does not bear and
        `ProviderUnavailable` when memory does not last.
        """
        cast = {
            name: np.ascontiguousarray(value, dtype=self.types[name])
            for name, value in feed.items()
        }
        try:
            given: list[Array] = self._session.run(list(wanted), cast, halt.options)
        except Exception as error:  # see above
            if halt.halted:
                raise Halted from None
            said = _said(error)
            if "alloc" in said.lower():
                raise ProviderUnavailable(f"{self.name} has not enough memory") from None
            raise ProviderRefused(f"{self.name} fails: {said}") from None
        return given


def _type(model: str, node: Any) -> npt.DTypeLike:
    found = _TYPES.get(node.type)
    if found is None:
        raise ProviderRefused(f"{model} takes “{node.name}” as {node.type}, which is not known")
    return found


def _said(error: Exception) -> str:
    """Return what the runtime says, on one line; it names operators and shapes, never contents."""
    return " ".join(str(error).split())[:300]
