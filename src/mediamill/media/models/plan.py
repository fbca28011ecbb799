"""How a captioner's words are chosen: what `generation_config.json` and `config.json` say.

Names and defaults are those of `GenerationConfig` of Transformers. What says how to draw at random
(`do_sample`, `temperature`, `top_k` …) counts for nothing here: the likeliest words are taken, so
that a picture has one caption. What would give other words and is not done is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from mediamill.core.errors import ProviderRefused

MOST_TOKENS = 512
MOST_BEAMS = 16
USUAL_LENGTH = 20
"""Tokens without the first where nothing is said, or this, which Transformers takes for that."""
REFUSED: Mapping[str, tuple[Any, ...]] = {
    "num_beam_groups": (1,),
    "diversity_penalty": (0.0,),
    "penalty_alpha": (0.0,),
    "guidance_scale": (1.0,),
    "encoder_repetition_penalty": (1.0,),
    "encoder_no_repeat_ngram_size": (0,),
    "bad_words_ids": ([],),
    "force_words_ids": ([],),
    "constraints": ([],),
    "sequence_bias": ({}, []),
    "exponential_decay_length_penalty": (),
    "forced_decoder_ids": ([],),
    "dola_layers": (),
}
"""What is not done, with the values that ask for nothing; None does so too."""

Early = bool | Literal["never"]


@dataclass(frozen=True)
class Plan:
    """How words are chosen. Lengths are in tokens and count the first, `start`."""

    start: int
    ends: tuple[int, ...]
    """Tokens that end a caption."""
    longest: int = USUAL_LENGTH + 1
    shortest: int = 0
    shortest_new: int = 0
    """As `shortest`, but without `start`."""
    beams: int = 1
    length_penalty: float = 1.0
    early_stopping: Early = False
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0
    forced_first: int | None = None
    forced_last: tuple[int, ...] = ()
    suppressed: tuple[int, ...] = ()
    suppressed_first: tuple[int, ...] = ()

    def with_options(self, *, beams: int | None = None, longest: int | None = None) -> "Plan":
        """Return it with what somebody set; raises `ProviderRefused` beyond the limits."""
        changed = replace(self, beams=beams or self.beams, longest=longest or self.longest)
        return _checked(changed)


def plan_of(generation: Mapping[str, Any], config: Mapping[str, Any]) -> Plan:
    """Read the plan of a model; raises `ProviderRefused` for what cannot be done.

    Without `generation_config.json` its values are those of `config.json`, and of the decoder in
    it where that has none, as Transformers does.
    """
    said = _said(generation, config)
    for name, harmless in REFUSED.items():
        if said.get(name) is not None and said[name] not in harmless:
            raise ProviderRefused(f"The model’s configuration asks for {name}, which is not done.")
    start = next(
        (said[name] for name in ("decoder_start_token_id", "bos_token_id") if name in said), None
    )
    try:
        if start is None:
            raise ProviderRefused("The model’s configuration has no decoder_start_token_id.")
        forced = said.get("forced_bos_token_id")
        return _checked(
            Plan(
                start=int(start),
                ends=_tokens(said.get("eos_token_id")),
                longest=_longest(said),
                shortest=int(said.get("min_length", 0)),
                shortest_new=int(said.get("min_new_tokens", 0)),
                beams=int(said.get("num_beams", 1)),
                length_penalty=float(said.get("length_penalty", 1.0)),
                early_stopping=_early(said.get("early_stopping", False)),
                repetition_penalty=float(said.get("repetition_penalty", 1.0)),
                no_repeat_ngram=int(said.get("no_repeat_ngram_size", 0)),
                forced_first=None if forced is None else int(forced),
                forced_last=_tokens(said.get("forced_eos_token_id")),
                suppressed=_tokens(said.get("suppress_tokens")),
                suppressed_first=_tokens(said.get("begin_suppress_tokens")),
            )
        )
    except (TypeError, ValueError) as error:
        raise ProviderRefused(f"The model’s configuration is wrong: {error}") from None


def _said(generation: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said, without what is null; the first that says something counts."""
    decoder = config.get("decoder")
    places = [generation] if generation else [config, decoder or {}]
    said: dict[str, Any] = {}
    for place in places:
        if not isinstance(place, Mapping):
            raise ProviderRefused("The model’s configuration is wrong: its decoder is no object.")
        said = {name: value for name, value in place.items() if value is not None} | said
    return said


def _longest(said: Mapping[str, Any]) -> int:
    """Return the most tokens with the first (`_prepare_generated_length` of Transformers)."""
    if said.get("max_new_tokens"):
        return int(said["max_new_tokens"]) + 1
    length = int(said.get("max_length", USUAL_LENGTH))
    return length + 1 if length == USUAL_LENGTH else length


def _tokens(said: Any) -> tuple[int, ...]:
    """Return one token or a list of them."""
    if said is None:
        return ()
    return tuple(int(token) for token in said) if isinstance(said, list) else (int(said),)


def _early(said: Any) -> Early:
    if said is True or said is False:
        return bool(said)
    if said != "never":
        raise ValueError(f"early_stopping is {said!r}")
    return "never"


def _checked(plan: Plan) -> Plan:
    if not 2 <= plan.longest <= MOST_TOKENS:
        raise ProviderRefused(
            f"A caption has 2 to {MOST_TOKENS} tokens at most, not {plan.longest:,}."
        )
    if not 1 <= plan.beams <= MOST_BEAMS:
        raise ProviderRefused(f"There are 1 to {MOST_BEAMS} beams, not {plan.beams:,}.")
    if plan.repetition_penalty <= 0:
        raise ProviderRefused("The model’s repetition_penalty is not more than 0.")
    return plan
