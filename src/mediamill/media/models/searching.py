"""Search for the likeliest words: greedy, and by beams.

Both give what `generate` of Transformers 4.57 does (generation/utils.py, `_sample` without
`do_sample`, and `_beam_search`), for each caption of a batch what it would be alone. A caption that
nobody waits for any more is left out of the next step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mediamill.media.models.plan import Plan
from mediamill.media.models.rules import Rules, Scores, Tokens

Flags = npt.NDArray[np.bool_]
_LOW = np.float32(-1e9)
"""Of beams that are not there yet: all but the first at the start say the same."""


class Decoder(Protocol):
    """Says how likely each next token is."""

    def logits(self, tokens: Tokens) -> Scores:
        """Return (rows, vocabulary) for tokens (rows, length), one token longer at each call."""
        ...

    def keep(self, rows: Tokens) -> None:
        """Go on with these rows in this order; one may be left out, or be there several times."""


@dataclass(frozen=True)
class Said:
    """Tokens of a caption without the first and the last; `complete` when it came to its end."""

    tokens: tuple[int, ...]
    complete: bool


Wanted = Callable[[int], bool]
"""Whether anybody waits for the caption of that number."""


def search(
    decoder: Decoder, plan: Plan, longest: Sequence[int], wanted: Wanted = lambda _: True
) -> list[Said | None]:
    """Return a caption for each row of the decoder, none of more than `longest` tokens.

    A search by beams wants `plan.beams` rows of the decoder for each. None stands for what was not
    wanted any more.
    """
    if plan.beams == 1:
        return _greedy(decoder, plan, longest, wanted)
    return _by_beams(decoder, plan, longest, wanted)


def _greedy(
    decoder: Decoder, plan: Plan, longest: Sequence[int], wanted: Wanted
) -> list[Said | None]:
    rules = Rules(plan)
    said: list[Said | None] = [None] * len(longest)
    rows, most = np.arange(len(longest)), np.array(longest, np.int64)
    tokens = np.full((len(longest), 1), plan.start, np.int64)
    while rows.size:
        chosen = rules.apply(tokens, decoder.logits(tokens), most[rows]).argmax(axis=1)
        tokens = np.concatenate([tokens, chosen[:, None]], axis=1)
        going = []
        for at, row in enumerate(rows.tolist()):
            words = tuple(tokens[at, 1:].tolist())
            if words[-1] in plan.ends:
                said[row] = Said(words[:-1], complete=True)
            elif tokens.shape[1] >= most[row]:
                said[row] = Said(words, complete=False)
            elif wanted(row):
                going.append(at)
        if len(going) < rows.size:
            kept = np.array(going, np.int64)
            decoder.keep(kept)
            rows, tokens = rows[kept], tokens[kept]
    return said


def _by_beams(
    decoder: Decoder, plan: Plan, longest: Sequence[int], wanted: Wanted
) -> list[Said | None]:
    rules = Rules(plan)
    beams = [Beams(plan, most) for most in longest]
    going = list(range(len(beams)))
    while going:
        tokens = np.concatenate([beams[one].tokens for one in going])
        most = np.repeat([longest[one] for one in going], plan.beams)
        scores = rules.apply(tokens, _log_softmax(decoder.logits(tokens)), most)
        kept, still = [], []
        for at, one in enumerate(going):
            start = at * plan.beams
            rows = beams[one].step(scores[start : start + plan.beams])
            if not beams[one].done and wanted(one):
                kept.append(rows + start)
                still.append(one)
        decoder.keep(np.concatenate(kept) if kept else np.zeros(0, np.int64))
        going = still
    return [one.best() if one.done else None for one in beams]


class Beams:
    """The likeliest beginnings of one caption, and the likeliest captions that have ended."""

    def __init__(self, plan: Plan, longest: int) -> None:
        self._plan, self._longest = plan, longest
        self.tokens = np.full((plan.beams, 1), plan.start, np.int64)
        self._scores = np.full(plan.beams, _LOW, np.float32)
        self._scores[0] = 0
        self._ended: list[tuple[float, Said]] = []
        self._closed = False
        """No caption may join those that have ended."""
        self.done = False

    def step(self, scores: Scores) -> Tokens:
        """Lengthen each beginning by a token, for log probabilities (beams, vocabulary).

        Returns which row each new beginning comes from.
        """
        plan, length = self._plan, self.tokens.shape[1]
        summed = (self._scores[:, None] + scores).ravel()
        tried = max(2, 1 + len(plan.ends)) * plan.beams
        best = _top(summed, tried)
        rows, chosen = best // scores.shape[1], best % scores.shape[1]
        at_end = np.isin(chosen, plan.ends)
        stopped = at_end | (length + 1 >= self._longest)
        if not self._closed:
            self._join(rows, chosen, summed[best], at_end, stopped)
        running = np.where(stopped, summed[best] + _LOW, summed[best])
        going = np.argsort(-running, kind="stable")[: plan.beams]
        self.tokens = np.concatenate([self.tokens[rows[going]], chosen[going][:, None]], axis=1)
        self._scores = running[going]
        full = len(self._ended) == plan.beams
        self._closed = self._closed or (full and (plan.early_stopping is True or not self._hope()))
        self.done = self._closed or bool(stopped.all())
        found: Tokens = rows[going]
        return found

    def best(self) -> Said | None:
        """Return the likeliest caption."""
        return self._ended[0][1] if self._ended else None

    def _join(
        self, rows: Tokens, chosen: Tokens, sums: Scores, at_end: Flags, stopped: Flags
    ) -> None:
        """Take up what ended among the likeliest, and keep as many as there are beams."""
        weight = np.float32(self.tokens.shape[1] ** self._plan.length_penalty)
        for rank in np.flatnonzero(stopped[: self._plan.beams]):
            words = tuple(self.tokens[rows[rank], 1:].tolist())
            if at_end[rank]:
                said = Said(words, complete=True)
            else:
                said = Said((*words, int(chosen[rank])), complete=False)
            self._ended.append((float(sums[rank] / weight), said))
        self._ended.sort(key=lambda one: -one[0])
        del self._ended[self._plan.beams :]

    def _hope(self) -> bool:
        """Whether what is going on might still become better than the worst that ended."""
        plan, length = self._plan, self.tokens.shape[1] - 1
        if plan.early_stopping == "never" and plan.length_penalty > 0:
            length = self._longest - 1
        return bool(self._scores[0] / np.float32(length**plan.length_penalty) > self._ended[-1][0])


def _top(values: Scores, count: int) -> Tokens:
    """Return where the highest values are, highest first; of equal ones the first."""
    count = min(count, values.size)
    some: Tokens = np.argpartition(-values, count - 1)[:count]
    some.sort()
    found: Tokens = some[np.argsort(-values[some], kind="stable")]
    return found


def _log_softmax(logits: Scores) -> Scores:
    shifted = logits - logits.max(axis=1, keepdims=True)
    made: Scores = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return made
