"""Providers, chains and trials as administrators see them; keys are never among this."""

from typing import Any

from pydantic import Field

from mediamill.adapters.providers.prices import Price
from mediamill.core.clock import rfc3339
from mediamill.services.models.states import ChainState, ProviderState
from mediamill.services.models.trying import Trial
from mediamill.web.views.common import Count, Dollars, Time, View, dollars, moment

RATES = ("input", "output", "image", "call", "second", "batch")


class PriceView(View):
    """Dollars per million tokens, per picture, call and second; `batch` is a factor."""

    input: float
    output: float
    image: float
    call: float
    second: float
    batch: float


class TraitsView(View):
    """What it can be asked."""

    kinds: list[str] = Field(examples=[["caption", "text"]])
    images: Count = Field(description="The most pictures in one question.")
    long_side: Count = Field(description="Pixels of a picture’s longer side.")
    input_bytes: Count = Field(description="Of text.")
    output_tokens: Count
    schema_: bool = Field(
        serialization_alias="schema", description="Whether it can be held to a JSON Schema."
    )
    multilingual: bool
    instructed: bool = Field(description="Whether it follows an instruction.")


class StateView(View):
    """How it does, as all workers share it."""

    state: str = Field(
        description="`ready`, `resting` after it kept failing, `paused` as it asked to be, or "
        "`broken`: not to be opened."
    )
    problem: str = Field(
        description="Why it cannot be opened, or asked as it is; empty where it can."
    )
    rests_until: Time | None = Field(description="Until when it is left alone.")
    rests: Count = Field(description="How often in a row it went to rest.")
    error: str = Field(description="What went wrong before its rest.")
    permits: Count = Field(description="Calls that workers may have under way now.")


class ProviderView(View):
    name: str = Field(examples=["fast"])
    address: str = Field(examples=["bedrock:amazon.nova-lite-v1:0"])
    base_url: str
    has_key: bool = Field(description="Whether a key is kept; it is never shown.")
    region: str
    concurrency: Count
    per_minute: Count | None
    timeout: float = Field(description="Seconds that a call may take.")
    price: PriceView | None = Field(description="Null where nobody knows it.")
    priced: str = Field(description="Where the price is from: `own`, `file`, or empty.")
    options: dict[str, str]
    source: str = Field(
        description="`page`: set up here; `settings`: in the file; `address`: stands in a chain."
    )
    chains: list[str] = Field(description="Operations whose chains name it.")
    traits: TraitsView | None
    health: StateView
    revision: Count | None
    created_at: Time | None


def provider_view(one: ProviderState) -> ProviderView:
    configured, traits, row = one.configured, one.traits, one.row
    return ProviderView(
        name=one.name,
        address=configured.address,
        base_url=configured.base_url,
        has_key=one.has_key,
        region=configured.region,
        concurrency=configured.concurrency,
        per_minute=configured.per_minute,
        timeout=configured.timeout,
        price=price_view(one.price),
        priced=one.priced,
        options=dict(configured.options),
        source=one.source,
        chains=[*one.chains],
        traits=traits and TraitsView(
            kinds=sorted(traits.kinds),
            images=traits.images,
            long_side=traits.long_side,
            input_bytes=traits.input_bytes,
            output_tokens=traits.output_tokens,
            schema_=traits.schema,
            multilingual=traits.multilingual,
            instructed=traits.instructed,
        ),
        health=state_view(one),
        revision=row.revision if row else None,
        created_at=rfc3339(row.created) if row else None,
    )  # fmt: skip


def state_view(one: ProviderState) -> StateView:
    circuit = one.circuit
    alone = {"resting": one.resting, "paused": one.paused}
    state = next((name for name, so in alone.items() if so), "ready")
    until = max(circuit.rests_until, circuit.paused_until)
    return StateView(
        state="broken" if one.problem else state,
        problem=one.problem,
        rests_until=moment(until if any(alone.values()) else None),
        rests=circuit.rests,
        error=circuit.error,
        permits=max(0, circuit.granted),
    )


def price_view(price: Price | None) -> PriceView | None:
    if price is None:
        return None
    return PriceView(**{name: float(getattr(price, name)) for name in RATES})


class ChainView(View):
    operation: str = Field(examples=["caption"])
    providers: list[str] = Field(description="In the order in which they are asked.")
    source: str = Field(description="`page`, `settings`, or empty where nobody is asked.")
    settings: list[str] = Field(description="What holds again when the page’s chain is removed.")


def chain_view(one: ChainState) -> ChainView:
    return ChainView(
        operation=one.operation,
        providers=[*one.providers],
        source=one.source,
        settings=[*one.settings],
    )


class TrialLabelView(View):
    name: str
    confidence: float


class TrialView(View):
    """What came of asking a provider about one picture."""

    ok: bool
    kind: str = Field(examples=["caption", "labels"], description="What it was asked for.")
    text: str
    labels: list[TrialLabelView]
    model: str = Field(description="What it says that its model is.")
    milliseconds: Count
    input_tokens: Count
    output_tokens: Count
    cost: Dollars | None = Field(description="Null where nobody knows its price.")
    code: str
    error: str = Field(description="What it said, or what went wrong; without the key.")


def trial_view(trial: Trial) -> TrialView:
    answer, error = trial.answer, trial.error
    facts: dict[str, Any] = {"text": "", "labels": [], "model": ""}
    if answer is not None:
        labels = [TrialLabelView(name=one.name, confidence=one.confidence) for one in answer.labels]
        facts = {"text": answer.text, "labels": labels, "model": answer.model}
    return TrialView(
        ok=answer is not None,
        kind=trial.kind,
        milliseconds=trial.milliseconds,
        input_tokens=answer.used.input_tokens if answer else 0,
        output_tokens=answer.used.output_tokens if answer else 0,
        cost=dollars(trial.cost),
        code=error.code if error else "",
        error=error.message if error else "",
        **facts,
    )
