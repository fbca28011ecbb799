"""Ask models about local files: the chain that the settings name, or the providers of the step.

    async with asked(step, settings) as chain:
        working = Asking(working, step, chain)

What is sent of an input is made in a slot, as a server does it; each question is then asked by this
process. There is no ledger, so nothing is asked where there is a budget: a server keeps that.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from mediamill.adapters.providers.alone import Alone, Limits, Notes
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.fallback import Fallback
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Answer, Deadline, Needing, Provider, Question, Traits
from mediamill.cli.local.targets import Made
from mediamill.cli.local.working import Working
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.inputs import Input
from mediamill.core.errors import MediamillError
from mediamill.core.settings import Settings
from mediamill.engine.asking.chains import Static
from mediamill.operations.asking import ModelOperation, Prepared, PreparedFile
from mediamill.operations.work import Context, SourceFacts

SERVER = "Start one with `mediamill up`, then use `jobs`."


@dataclass(frozen=True)
class Chain:
    """Who is asked, and until when a question must be answered."""

    fallback: Fallback
    seconds: float


@dataclass
class OneAsk:
    """Asks for one input (`operations/asking.py`)."""

    chain: Chain
    answered: list[dict[str, str]] = field(default_factory=list)
    """Which question was answered by whom."""

    @property
    def traits(self) -> Traits:
        """What the chain can be asked."""
        return self.chain.fallback.traits

    async def __call__(self, name: str, question: Question) -> Answer:
        """Return the first good answer."""
        answer = await self.chain.fallback.ask(question, Deadline(self.chain.seconds))
        self.answered.append({"question": name, "provider": answer.provider, "model": answer.model})
        return answer


class Asking(Working):
    """Runs an operation that asks models on one input at a time."""

    def __init__(self, working: Working, step: ModelOperation, chain: Chain) -> None:
        """Take the place of what would run the step in a slot."""
        takes = chain.fallback.traits
        agreed = {
            "long_side": takes.long_side, "image_bytes": takes.image_bytes,
            "images": takes.images, "input_bytes": takes.input_bytes,
        }  # fmt: skip
        sending = replace(working.plan, kind="prepare", agreed={0: agreed})
        super().__init__(sending, working.reporter, working.pool, working.scratch, working.expect)
        self._step, self._chain = step, chain
        self._context = Context(working.scratch, seed=sending.seed)

    async def _made(self, index: int, item: Input) -> Made:
        """Make what is sent of an input, ask about it, and return what came of that."""
        sent = await super()._made(index, item)
        ask = OneAsk(self._chain)
        try:
            outcome = await self._step.answer(_prepared(index, item, sent), ask, self._context)
        finally:
            for output in sent.files:
                await asyncio.to_thread(output.path.unlink, missing_ok=True)
        report = {**outcome.report, "answered": ask.answered}
        return Made(outcome.files, outcome.data, report, sent.source)


def _prepared(index: int, item: Input, sent: Made) -> Prepared:
    """Return what is sent of an input as its operation sees it."""
    seen = sent.report.get("input", {})
    facts = SourceFacts(
        seen.get("media_type", sent.source["media_type"]), sent.source["size"],
        seen.get("width", 0), seen.get("height", 0),
    )  # fmt: skip
    files = tuple(PreparedFile(one.path, one.name, one.media_type, one.info) for one in sent.files)
    return Prepared(item.name, facts, files, dict(sent.data or {}), index)


@asynccontextmanager
async def asked(step: ModelOperation, settings: Settings) -> AsyncIterator[Chain]:
    """Open whom a step asks, and close them; raises `Failure` where nobody can be asked."""
    if step.grouped:
        raise Failure("A question about all files at once needs a server.", SERVER)
    if settings.budget is not None or settings.user_budget is not None:
        raise Failure("There is a budget, which only a server keeps.", SERVER)
    chain = _chain(step, settings)
    providers = list[Provider]()
    try:
        for one in chain:
            providers.append(open_provider(one, models=settings.home / "models"))
        lacking = [one.lacks() if isinstance(one, Needing) else "" for one in providers]
        if all(lacking):
            raise Failure(" ".join(lacking), "Or have another asked: --providers.")
        limits = {one.name: Limits(one.concurrency, one.per_minute) for one in chain}
        fallback = Fallback(providers, gate=Alone(limits), ledger=Notes())
        yield Chain(fallback, settings.answer_seconds)
    finally:
        for provider in providers:
            await provider.close()


def _chain(step: ModelOperation, settings: Settings) -> Sequence[Configured]:
    """Return whom a step names, else whom the settings do; raises `Failure`.

    Who types an address may say any: this machine is theirs.
    """
    said = {
        "caption": settings.caption_chain,
        "label": settings.label_chain,
        "prompt": settings.prompt_chain,
    }
    try:
        static = Static.read(settings.providers, said)
        names = step.asked or static.chains.get(step.chain, ())
        found = [replace(static.find(name), from_settings=True) for name in names]
    except (MediamillError, ValueError) as error:
        text = error.message if isinstance(error, MediamillError) else str(error)
        raise Failure(text, "`mediamill doctor` looks at all of them.") from None
    if not found:
        message = f"No model is set up for {step.chain}s."
        remedy = f"Set MEDIAMILL_{step.chain.upper()}_CHAIN, or start a server: `mediamill up`."
        raise Failure(message, remedy)
    return found
