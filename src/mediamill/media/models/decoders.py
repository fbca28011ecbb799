"""Decoders as exporters write them: with or without what they remember of earlier tokens.

Names of inputs and outputs are those of Optimum (optimum/exporters/onnx): `past_key_values.X` is
what `present.X` was a step before. A merged decoder is told by `use_cache_branch` whether there is
anything to remember. What it remembers of the picture (`.encoder.`) never changes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mediamill.core.errors import ProviderRefused
from mediamill.media.models.folder import DECODER, MERGED, WITH_PAST, ModelFolder
from mediamill.media.models.rules import Scores, Tokens
from mediamill.media.models.sessions import Array, Halt, Session

PAST, PRESENT, BRANCH = "past_key_values.", "present.", "use_cache_branch"
TOKENS = ("input_ids", "decoder_input_ids")
ENCODED = ("encoder_hidden_states", "encoder_outputs", "last_hidden_state")
ENCODED_MASK = ("encoder_attention_mask",)
MASK = ("attention_mask", "decoder_attention_mask")
POSITIONS = ("position_ids", "cache_position")
KNOWN = (*TOKENS, *ENCODED, *ENCODED_MASK, *MASK, *POSITIONS, BRANCH)


class OnnxDecoder:
    """The sessions of a decoder: `first` for the first token, `rest` for those that follow.

    Without `rest` nothing is remembered, and `first` is shown all tokens each time.
    """

    def __init__(self, folder: ModelFolder, threads: int) -> None:
        """Load a decoder, the merged one where there is one; raises `ProviderRefused`."""
        merged, rest = folder.find(MERGED), folder.find(WITH_PAST)
        self.first = Session(merged or folder.need(DECODER), folder.path, threads)
        self.rest: Session | None = None
        if any(name.startswith(PAST) for name in self.first.inputs):
            self.rest = self.first
        elif rest is not None:
            self.rest = Session(rest, folder.path, threads)
        for session in {self.first, self.rest} - {None}:
            _check(session)

    @property
    def remembers(self) -> bool:
        return self.rest is not None

    @property
    def mixes(self) -> bool:
        """Whether captions depend on what else is in a batch."""
        return self.first.mixes or (self.rest is not None and self.rest.mixes)

    @property
    def vocabulary(self) -> int:
        """Tokens that there are; 0 where the file does not say."""
        size = self.first.outputs["logits"].shape[-1]
        return size if isinstance(size, int) else 0

    def begin(self, encoded: Array, halt: Halt) -> "Decoding":
        """Begin captions of what an encoder gave, (rows, parts, size)."""
        return Decoding(self.first, self.rest, encoded, halt)


class Decoding:
    """A decoder at work on some rows."""

    def __init__(self, first: Session, rest: Session | None, encoded: Array, halt: Halt) -> None:
        self._first, self._rest, self._encoded, self._halt = first, rest, encoded, halt
        self._past: dict[str, Array] = {}
        self._keeps = [] if rest is None else [n for n in first.outputs if n.startswith(PRESENT)]

    def logits(self, tokens: Tokens) -> Scores:
        """Return (rows, vocabulary) for the token after those given; raises as `Session.run`."""
        session = self._first if self._rest is None or not self._past else self._rest
        shown = tokens[:, -1:] if self._past else tokens
        names = ["logits", *(name for name in self._keeps if name in session.outputs)]
        found = session.run(names, self._feed(session, shown, tokens.shape[1]), self._halt)
        if self._rest is not None:
            self._remember(dict(zip(names[1:], found[1:], strict=True)))
        return np.array(found[0][:, -1], np.float32)

    def keep(self, rows: Tokens) -> None:
        """Go on with these rows; nothing is copied when all stay as they are."""
        if np.array_equal(rows, np.arange(len(self._encoded))):
            return
        self._encoded = self._encoded[rows]
        self._past = {name: value[rows] for name, value in self._past.items()}

    def _remember(self, present: Mapping[str, Array]) -> None:
        for name, value in present.items():
            past = PAST + name.removeprefix(PRESENT)
            if past not in self._past or ".encoder." not in past:
                self._past[past] = value

    def _feed(self, session: Session, shown: Tokens, length: int) -> dict[str, Array]:
        rows, parts = self._encoded.shape[:2]
        values: dict[str, Array] = {
            **dict.fromkeys(TOKENS, shown),
            **dict.fromkeys(ENCODED, self._encoded),
            **dict.fromkeys(ENCODED_MASK, np.ones((rows, parts), np.int64)),
            **dict.fromkeys(MASK, np.ones((rows, length), np.int64)),
            "position_ids": np.tile(np.arange(length - shown.shape[1], length), (rows, 1)),
            "cache_position": np.arange(length - shown.shape[1], length),
            BRANCH: np.array([bool(self._past)]),
        }
        feed = {name: values[name] for name in session.inputs if name in values}
        for name, node in session.inputs.items():
            if name.startswith(PAST):
                feed[name] = self._past[name] if self._past else _nothing(node, rows)
        return feed


def _check(session: Session | None) -> None:
    """Refuse a decoder whose inputs are not understood, or that has no scores."""
    if session is None:
        return
    strange = [n for n in session.inputs if n not in KNOWN and not n.startswith(PAST)]
    if strange:
        raise ProviderRefused(f"{session.name} takes “{strange[0]}”, which is not known.")
    if "logits" not in session.outputs or not set(TOKENS) & set(session.inputs):
        raise ProviderRefused(f"{session.name} is no decoder: it takes no tokens or has no logits.")


def _nothing(node: Any, rows: int) -> Array:
    """Return what an empty memory is: no token in any of the rows."""
    sizes = [size if isinstance(size, int) else 0 for size in node.shape]
    return np.zeros([rows, *sizes[1:]], np.float32)
