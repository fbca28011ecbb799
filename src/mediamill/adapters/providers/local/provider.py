"""Models that run in this process: a captioner or a classifier in ONNX.

    local:Xenova/vit-gpt2-image-captioning        fetched by `mediamill models fetch`
    local:/srv/models/vit-gpt2?variant=quantized&beams=4&max_length=16
    local:vit-base-patch16-224?threads=2&batch=16&wait=0.01

A model is loaded when it is first asked, once, and runs on one thread of its own; questions that
wait at the same time are answered as a batch. Nothing is ever fetched for a question.
docs/how-to/local-models.md says what lies in the folder.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.faults import declined, misconfigured, within
from mediamill.adapters.providers.local.batching import Batch, Batcher
from mediamill.adapters.providers.local.kept import folder_of, is_path, manifest_of
from mediamill.adapters.providers.port import (
    Answer,
    Deadline,
    Finish,
    Kind,
    Label,
    Question,
    Traits,
    Used,
)
from mediamill.core.errors import MediamillError, ProviderUnavailable
from mediamill.core.load import allowed_cpus
from mediamill.media.models.folder import ModelFolder
from mediamill.media.models.models import Caption, Captioner, Classifier, Options, planned
from mediamill.media.models.pictures import Pixels
from mediamill.media.models.plan import MOST_TOKENS

T = TypeVar("T")
Loaded = Captioner | Classifier
MOST_BATCH, MOST_THREADS = 64, 64
IMAGE_BYTES = 20_000_000
RETRY_SECONDS = 10.0
"""After which a model that cannot be loaded is tried again."""
TRAITS = Traits(
    kinds=frozenset({Kind.CAPTION, Kind.LABELS}),
    image_bytes=IMAGE_BYTES,
    output_tokens=MOST_TOKENS,
    multilingual=False,
    instructed=False,
)


@dataclass(frozen=True)
class Asked:
    """A picture as the model wants it, and what is asked of it."""

    pixels: Pixels
    question: Question


class Local:
    """Answers with the model of a folder."""

    options: ClassVar[frozenset[str]] = frozenset({
        "variant", "beams", "max_length", "threads", "batch", "wait",
    })  # fmt: skip

    def __init__(
        self, configured: Configured, address: Address, folder: Path, options: Options
    ) -> None:
        self.name = configured.name
        self._address, self._folder, self._options = address, folder, options
        self._timeout = configured.timeout
        self._thread = ThreadPoolExecutor(1, "local-model")
        self._loading: asyncio.Task[Loaded] | None = None
        self._failed: tuple[float, MediamillError] | None = None
        self._model: Loaded | None = None
        self._closed = False
        self._batcher: Batcher[Asked, Answer] = Batcher(
            self._work, self._run, _up_to(address, "batch", 8, MOST_BATCH),
            address.seconds("wait", 0.005),
        )  # fmt: skip
        self.model, self.traits = address.model, address.traits(TRAITS)
        with contextlib.suppress(MediamillError):  # told when it is asked: it may be there by then
            self._look()

    @classmethod
    def open(cls, configured: Configured, address: Address) -> "Local":
        """Make it; raises `ValueError`. Without a model in the folder it says so when asked."""
        address.need_model("owner/name")
        folder = folder_of(address.model, configured.models, paths=configured.from_settings)
        said = address.options
        options = Options(
            threads=_up_to(address, "threads", usual_threads(), MOST_THREADS),
            beams=address.number("beams", 1) if "beams" in said else None,
            longest=address.number("max_length", 2, least=2) if "max_length" in said else None,
        )
        return cls(configured, address, folder, options)

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        """Answer with a caption or labels."""
        try:
            async with within(self.name, deadline, self._timeout):
                model = await self._loaded()
                if why := self.traits.objection(question):
                    raise declined(self.name, f"is not asked: {why}")
                if not question.images:
                    raise declined(self.name, "is asked about a picture only")
                image = question.images[0]
                pixels = await asyncio.to_thread(model.processor, image.data, image.media_type)
                return await self._batcher.ask(Asked(pixels, question))
        except MediamillError as error:
            error.details.setdefault("provider", self.name)
            raise

    async def close(self) -> None:
        """End what runs and give back the memory of the model."""
        self._closed = True
        await self._batcher.close()
        if self._loading is not None:
            await asyncio.gather(self._loading, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._model is not None:
            self._model.close()
        self._model = None

    def lacks(self) -> str:
        """Say how to get the model where there is none."""
        try:
            self._found().captions()
        except MediamillError as error:
            return error.message
        return ""

    def _found(self) -> ModelFolder:
        """Return the folder with the model's files; raises `ProviderRefused` where it is none."""
        if not self._folder.is_dir():
            raise misconfigured(self.name, f"has no model: {_remedy(self._address.model)}")
        manifest = manifest_of(self._folder)
        usual = manifest.variant if manifest else ""
        return ModelFolder(self._folder, self._address.options.get("variant", usual))

    def _look(self) -> ModelFolder:
        """Learn what lies in the folder without loading it; raises `ProviderRefused`."""
        folder = self._found()
        captions = folder.captions()
        known = replace(TRAITS, kinds=frozenset({Kind.CAPTION if captions else Kind.LABELS}))
        if captions:
            known = replace(known, output_tokens=planned(folder, self._options).longest)
        self.traits = self._address.traits(known)
        self.model = f"{self._address.model}@{folder.fingerprint()}"
        return folder

    async def _loaded(self) -> Loaded:
        """Return the model; whoever stops waiting for it does not stop others."""
        if self._model is not None:
            return self._model
        if self._closed:
            raise ProviderUnavailable(f"{self.name} is being closed.")
        if self._failed is not None and time.monotonic() < self._failed[0] + RETRY_SECONDS:
            error = self._failed[1]
            raise type(error)(error.message, **error.details)
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(_seen)
        return await asyncio.shield(self._loading)

    async def _load(self) -> Loaded:
        self._found()
        try:
            self._model = await self._run(self._open)
        except MediamillError as error:
            self._failed = time.monotonic(), error
            raise
        if self._model.mixes and "batch" not in self._address.options:
            self._batcher.most = 1  # the same picture has the same answer, whoever else asks
        return self._model

    def _open(self) -> Loaded:
        folder = self._look()
        kind = Captioner if folder.captions() else Classifier
        return kind(folder, self._options)

    def _run(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Run something on the thread of the model."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _work(self, batch: Batch[Asked, Answer]) -> list[Answer | None]:
        """Answer questions, those together whose pictures have the same size."""
        answers: list[Answer | None] = [None] * len(batch.waiting)
        shapes: dict[tuple[int, ...], list[int]] = {}
        for at, waiting in enumerate(batch.waiting):
            shapes.setdefault(waiting.question.pixels.shape, []).append(at)
        for places in shapes.values():
            for at, answer in zip(places, self._answers(batch, places), strict=True):
                answers[at] = answer
        return answers

    def _answers(
        self, batch: Batch[Asked, Answer], places: Sequence[int]
    ) -> Sequence[Answer | None]:
        model, began = self._model, time.perf_counter()
        waiting = [batch.waiting[at] for at in places]
        asked = [one.question for one in waiting]
        pictures = [one.pixels for one in asked]
        made: list[Answer | None]
        if isinstance(model, Captioner):
            longest = [max(2, one.question.max_tokens + 1) for one in asked]
            said = model.captions(pictures, longest, lambda at: waiting[at].wanted, batch.halt)
            made = [None if one is None else self._caption(one) for one in said]
        elif model is not None:
            found = model.labels(pictures, batch.halt)
            made = [self._answer(labels=_labels(all_of, one.question), used=Used(images=1))
                    for all_of, one in zip(found, asked, strict=True)]  # fmt: skip
        else:
            raise ProviderUnavailable(f"{self.name} is being closed.")
        seconds = (time.perf_counter() - began) / len(places)
        return [one if one is None else replace(one, used=replace(one.used, seconds=seconds))
                for one in made]  # fmt: skip

    def _caption(self, said: Caption) -> Answer:
        finish = Finish.END if said.complete else Finish.LENGTH
        used = Used(images=1, output_tokens=len(said.tokens))
        return self._answer(text=said.text, finish=finish, used=used)

    def _answer(
        self, *, text: str = "", labels: tuple[Label, ...] = (), finish: Finish = Finish.END,
        used: Used,
    ) -> Answer:  # fmt: skip
        return Answer(self.name, self.model, text, labels, used, finish)


def _seen(loading: "asyncio.Task[Loaded]") -> None:
    """Take note of how it ended: those who waited for it may have gone."""
    if not loading.cancelled():
        loading.exception()


def usual_threads() -> int:
    """Return half the cores that this process may use, up to four: slots want theirs too."""
    return min(4, max(1, allowed_cpus() // 2))


def _labels(found: Sequence[tuple[str, float]], question: Question) -> tuple[Label, ...]:
    """Return those that are likely enough, the likeliest first."""
    least = np.float32(question.min_confidence)
    good = [Label(name, confidence) for name, confidence in found if confidence >= least]
    return tuple(good[: question.max_labels])


def _up_to(address: Address, key: str, usual: int, most: int) -> int:
    number = address.number(key, usual)
    if number > most:
        raise ValueError(f"{key} is a whole number up to {most}")
    return number


def _remedy(model: str) -> str:
    if is_path(model):
        return f"there is no folder {model}; docs/how-to/local-models.md says what lies in one"
    return f"fetch it with `mediamill models fetch {model}`"
