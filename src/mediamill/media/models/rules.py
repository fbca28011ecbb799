"""What may not be said next: scores of tokens are changed before one is chosen.

Each rule does what the processor of the same name in Transformers does
(generation/logits_process.py), in the order in which they are applied there.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mediamill.media.models.plan import Plan

Tokens = npt.NDArray[np.int64]
"""(rows, length): what was said so far, the first token included."""
Scores = npt.NDArray[np.float32]
"""(rows, vocabulary): the higher, the likelier."""
Rule = Callable[[Tokens, Scores, Tokens], None]
"""Changes scores in place; the last are the most tokens of each row, (rows,)."""
NEVER = np.float32(-np.inf)


class Rules:
    """The rules of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        wanted: list[tuple[object, Rule]] = [
            (plan.repetition_penalty != 1.0, self._repetition),
            (plan.no_repeat_ngram > 0, self._ngrams),
            (plan.ends and (plan.shortest or plan.shortest_new), self._shortest),
            (plan.forced_first is not None, self._first),
            (plan.forced_last, self._last),
            (plan.suppressed, self._suppressed),
            (plan.suppressed_first, self._suppressed_first),
        ]
        self._rules = [rule for is_wanted, rule in wanted if is_wanted]

    def apply(self, tokens: Tokens, scores: Scores, longest: Tokens) -> Scores:
        """Return the scores with every rule applied to each row; they are changed in place."""
        for rule in self._rules:
            rule(tokens, scores, longest)
        return scores

    def _repetition(self, tokens: Tokens, scores: Scores, _longest: Tokens) -> None:
        penalty = np.float32(self._plan.repetition_penalty)
        found = np.take_along_axis(scores, tokens, axis=1)
        found = np.where(found < 0, found * penalty, found / penalty)
        np.put_along_axis(scores, tokens, found, axis=1)

    def _ngrams(self, tokens: Tokens, scores: Scores, _longest: Tokens) -> None:
        before = self._plan.no_repeat_ngram - 1
        for row, said in enumerate(tokens.tolist()):
            last = said[len(said) - before :] if before else []
            for at in range(len(said) - before):
                if said[at : at + before] == last:
                    scores[row, said[at + before]] = NEVER

    def _shortest(self, tokens: Tokens, scores: Scores, _longest: Tokens) -> None:
        length = tokens.shape[1]
        if length < self._plan.shortest or length - 1 < self._plan.shortest_new:
            scores[:, self._plan.ends] = NEVER

    def _first(self, tokens: Tokens, scores: Scores, _longest: Tokens) -> None:
        if tokens.shape[1] == 1:
            scores[:] = NEVER
            scores[:, self._plan.forced_first] = 0

    def _last(self, tokens: Tokens, scores: Scores, longest: Tokens) -> None:
        rows = np.flatnonzero(longest - 1 == tokens.shape[1])
        scores[rows] = NEVER
        scores[rows[:, None], np.array(self._plan.forced_last)] = 0

    def _suppressed(self, _tokens: Tokens, scores: Scores, _longest: Tokens) -> None:
        scores[:, self._plan.suppressed] = NEVER

    def _suppressed_first(self, tokens: Tokens, scores: Scores, _longest: Tokens) -> None:
        if tokens.shape[1] == (1 if self._plan.forced_first is None else 2):
            scores[:, self._plan.suppressed_first] = NEVER
