"""`local:` as a provider: it answers with a model, in batches, in time, or says what is missing."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import pytest
from PIL import Image as Pillow

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.local.provider import Local
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import (
    Deadline,
    Finish,
    Image,
    Kind,
    Needing,
    Provider,
    Question,
    Text,
)
from mediamill.core.errors import (
    ConfigurationError,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
)
from mediamill.engine.asking.chains import FIELDS, Chains, Static
from mediamill.media.models.models import Captioner
from mediamill.media.models.sessions import Halt, Session
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.providers import ProviderRows
from tests.providers.local.building import write_captioner, write_classifier
from tests.providers.local.conftest import Exported
from tests.support.providers.questions import caption, labels


@asynccontextmanager
async def opened(address: str, **more: Any) -> AsyncIterator[Provider]:
    """Open a provider as the settings set it up."""
    given = {"from_settings": True} | more
    provider = open_provider(Configured(address, address, **given))
    try:
        yield provider
    finally:
        await provider.close()


def shown(data: bytes, **more: Any) -> Question:
    return Question(Kind.CAPTION, (Image(data, "image/png", 40, 30),), **more)


async def test_captions_of_a_released_shape(exported: Exported) -> None:
    """As Transformers says them, with the tokens and the pictures that were used."""
    case = exported.answers["gpt2"]["cases"][0]
    async with opened(f"local:{exported.folder}/gpt2?max_length=12") as provider:
        assert isinstance(provider, Provider)
        traits = provider.traits
        assert traits.kinds == {Kind.CAPTION}
        assert (traits.instructed, traits.multilingual, traits.output_tokens) == (False, False, 12)
        answers = await asyncio.gather(
            *(provider.ask(shown(data), Deadline(30)) for data in exported.pictures)
        )
        assert [answer.text for answer in answers] == case["texts"]
        cut = [len(tokens) == 12 and tokens[-1] != 47 for tokens in case["tokens"]]
        assert [answer.finish is Finish.LENGTH for answer in answers] == cut
        one = answers[0]
        assert one.used.images == 1
        assert one.used.output_tokens == 11
        assert one.used.seconds > 0
        assert one.model == provider.model
        assert provider.model.startswith(f"{exported.folder}/gpt2@")
        short = await provider.ask(shown(exported.pictures[0], max_tokens=3), Deadline(30))
        assert (short.used.output_tokens, short.finish) == (3, Finish.LENGTH)
        with pytest.raises(QuestionRefused, match="no labels"):
            await provider.ask(labels(), Deadline(30))
        with pytest.raises(QuestionRefused, match="picture only"):
            await provider.ask(Question(Kind.CAPTION, (Text("words"),)), Deadline(30))
        with pytest.raises(QuestionRefused, match="cut off or damaged"):
            await provider.ask(shown(b"no picture"), Deadline(30))


async def test_labels_as_many_and_as_sure_as_asked_for(exported: Exported) -> None:
    known = exported.answers["classes"]["confidences"][0]
    order = sorted(range(5), key=lambda n: -known[n])
    image = Image(exported.pictures[0], "image/png", 40, 30)
    async with opened(f"local:{exported.folder}/classes") as provider:
        assert provider.traits.kinds == {Kind.LABELS}
        question = Question(Kind.LABELS, (image,), max_labels=3, min_confidence=0.0)
        answer = await provider.ask(question, Deadline(30))
        assert [label.name for label in answer.labels] == [f"kind {n}" for n in order[:3]]
        assert [label.confidence for label in answer.labels] == pytest.approx(
            [known[n] for n in order[:3]], abs=1e-5
        )
        sure = Question(Kind.LABELS, (image,), min_confidence=known[order[1]] - 1e-4)
        assert len((await provider.ask(sure, Deadline(30))).labels) == 2


async def test_pictures_of_several_sizes_are_labelled_together(tmp_path: Path) -> None:
    """With a model that takes any size, by a shorter side without a crop."""
    folder = write_classifier(tmp_path / "model", {"shortest_edge": 8})
    (folder / "preprocessor_config.json").write_text(
        '{"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 8}}'
    )
    async with opened(f"local:{folder}?wait=0.05") as provider:
        asked = [labels(min_confidence=0.0) for _ in range(3)]
        wide = Question(Kind.LABELS, (_plain(90, 20),), min_confidence=0.0)
        answers = await asyncio.gather(
            *(provider.ask(one, Deadline(30)) for one in [asked[0], wide, *asked[1:]])
        )
        assert answers[0].labels == answers[2].labels == answers[3].labels
        assert sum(one.confidence for one in answers[1].labels) == pytest.approx(1, abs=1e-5)


def _plain(width: int, height: int, colour: tuple[int, int, int] = (200, 30, 10)) -> Image:
    out = BytesIO()
    Pillow.new("RGB", (width, height), colour).save(out, "png")
    return Image(out.getvalue(), "image/png", width, height)


async def test_several_labels_at_once_where_the_model_says_so(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model", problem_type="multi_label_classification")
    async with opened(f"local:{folder}") as provider:
        found = (await provider.ask(labels(min_confidence=0.0), Deadline(30))).labels
        assert sum(label.confidence for label in found) != pytest.approx(1, abs=0.01)
        assert len(found) == 4


async def test_without_a_model_it_says_what_to_do(tmp_path: Path) -> None:
    async with opened("local:owner/name", models=tmp_path) as provider:
        assert provider.traits.kinds == {Kind.CAPTION, Kind.LABELS}
        with pytest.raises(ProviderRefused, match="`mediamill models fetch owner/name`") as told:
            await provider.ask(caption(), Deadline(5))
        assert told.value.details["provider"] == "local:owner/name"
        write_classifier(tmp_path / "owner" / "name")  # there at last, while the service runs
        assert (await provider.ask(labels(min_confidence=0.0), Deadline(30))).labels
        assert provider.traits.kinds == {Kind.LABELS}
    async with opened(f"local:{tmp_path}/absent") as provider:
        with pytest.raises(ProviderRefused, match=r"no folder .*local-models\.md"):
            await provider.ask(caption(), Deadline(5))


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "owner/../../secret",
        "owner/..",
        "a/b/c",
        "owner/.hidden",
        "a//b",
        "owner\\x",
        "~",
    ],
)
def test_a_name_does_not_leave_the_folder_of_models(tmp_path: Path, name: str) -> None:
    """Nor may a provider that was not set up by the settings name a path at all."""
    write_classifier(tmp_path / "secret")
    (tmp_path / "models").mkdir()
    configured = Configured("x", f"local:{name}", models=tmp_path / "models")
    with pytest.raises(ConfigurationError):
        open_provider(configured)
    with pytest.raises(ConfigurationError, match="only the settings"):
        open_provider(Configured("x", f"local:{tmp_path}/secret", models=tmp_path / "models"))


async def test_paths_are_of_the_settings_and_their_file(tmp_path: Path) -> None:
    """Whose chains and providers may name one; what an administrator adds may not."""
    file = tmp_path / "providers.toml"
    file.write_text(f'[providers.mine]\naddress = "local:{tmp_path}/a"\n')
    static = Static.read(str(file), {"caption": f"local:{tmp_path}/b"})
    assert static.providers["mine"].from_settings
    rows = ProviderRows(MemoryStore())
    chains = Chains(rows, sealer=cast("Any", None), static=static)
    assert (await chains.find(f"local:{tmp_path}/b")).from_settings
    assert not (await chains.find(f"local:{tmp_path}/c")).from_settings
    assert "from_settings" not in FIELDS


async def test_what_it_lacks_is_told_until_it_is_there(tmp_path: Path) -> None:
    provider = open_provider("local:owner/name", models=tmp_path)
    assert isinstance(provider, Needing)
    assert "mediamill models fetch owner/name" in provider.lacks()
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert "ONNX files in it: none" in provider.lacks()
    write_classifier(tmp_path / "owner" / "name")
    assert provider.lacks() == ""
    await provider.close()


def test_a_link_does_not_leave_the_folder_of_models(tmp_path: Path) -> None:
    write_classifier(tmp_path / "secret")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "linked").symlink_to(tmp_path / "secret")
    with pytest.raises(ProviderRefused, match="link out of"):
        open_provider(Configured("x", "local:linked", models=tmp_path / "models"))


@pytest.mark.parametrize(
    "query", ["beams=0", "threads=65", "batch=65", "batch=0", "max_length=1", "file=x", "wait=soon"]
)
def test_options_that_are_wrong_are_told(tmp_path: Path, query: str) -> None:
    with pytest.raises(ConfigurationError):
        open_provider(Configured("x", f"local:{tmp_path}?{query}", from_settings=True))


async def test_a_model_that_is_broken_is_told_to_each_who_asks(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model")
    (folder / "model.onnx").write_bytes(b"broken")
    async with opened(f"local:{folder}") as provider:
        for _ in range(2):
            with pytest.raises(ProviderRefused, match="not an ONNX model"):
                await provider.ask(labels(), Deadline(5))


class Slow:
    """Holds the model's runs until it is let go, and notes how many pictures each has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.begun, self.batches = threading.Event(), threading.Event(), list[int]()
        self.opened, self.halts = 0, list[Halt]()
        run, open_session = Session.run, Session.__init__

        def held(session: Session, names: Any, feed: dict[str, Any], halt: Halt) -> Any:
            if "pixel_values" in feed:
                self.batches.append(len(feed["pixel_values"]))
                self.halts.append(halt)
                self.begun.set()
                self.go.wait(30)
            return run(session, names, feed, halt)

        def counted(session: Session, *given: Any) -> None:
            self.opened += 1
            open_session(session, *given)

        monkeypatch.setattr(Session, "run", held)
        monkeypatch.setattr(Session, "__init__", counted)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    return Slow(monkeypatch)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.005)


async def test_what_waits_is_answered_together(tmp_path: Path, slow: Slow) -> None:
    """The first alone, what came meanwhile in batches; the model is loaded once."""
    folder = write_classifier(tmp_path / "model")
    async with opened(f"local:{folder}?batch=4&wait=0") as provider:
        first = asyncio.create_task(provider.ask(labels(min_confidence=0.0), Deadline(30)))
        await until(slow.begun.is_set)
        asked = [asyncio.create_task(provider.ask(labels(min_confidence=0.0), Deadline(30)))
                 for _ in range(6)]  # fmt: skip
        assert isinstance(provider, Local)
        await until(lambda: len(provider._batcher._queue) == 6)
        slow.go.set()
        answers = await asyncio.gather(first, *asked)
    assert slow.batches == [1, 4, 2]
    assert slow.opened == 1
    assert len({answer.labels for answer in answers}) == 1


async def test_what_rounds_by_its_batch_is_asked_alone(tmp_path: Path, slow: Slow) -> None:
    """A dynamically quantised model: else a picture's answer depended on who else asks."""
    folder = write_classifier(tmp_path / "model")
    made = onnx.load(folder / "model.onnx")
    made.graph.node[0].output[0] = "exact"
    names = ["rounded", "scale", "zero"]
    made.graph.node.insert(1, onnx.helper.make_node("DynamicQuantizeLinear", ["exact"], names))
    made.graph.node.insert(2, onnx.helper.make_node("DequantizeLinear", names, ["colour"]))
    onnx.save(made, folder / "model.onnx")
    slow.go.set()
    pictures = [_plain(8, 8, colour) for colour in ((250, 3, 3), (90, 80, 70), (3, 3, 9))]
    asked = [Question(Kind.LABELS, (one,), min_confidence=0.0) for one in pictures]
    async with opened(f"local:{folder}?wait=0.05") as provider:
        alone = [(await provider.ask(question, Deadline(30))).labels for question in asked]
        slow.batches.clear()
        found = await asyncio.gather(*(provider.ask(one, Deadline(30)) for one in asked))
        assert [answer.labels for answer in found] == alone
        assert slow.batches == [1, 1, 1]
    slow.batches.clear()
    async with opened(f"local:{folder}?wait=20&batch=3") as provider:
        found = await asyncio.gather(*(provider.ask(one, Deadline(30)) for one in asked))
        assert slow.batches == [3]
        assert [answer.labels for answer in found] != alone  # which is why


async def test_the_deadline_ends_the_wait_and_not_that_of_others(
    tmp_path: Path, slow: Slow
) -> None:
    folder = write_classifier(tmp_path / "model")
    async with opened(f"local:{folder}?wait=0") as provider:
        patient = asyncio.create_task(provider.ask(labels(min_confidence=0.0), Deadline(30)))
        await until(slow.begun.is_set)
        clock = asyncio.get_running_loop().time
        began = clock()
        with pytest.raises(ProviderUnavailable, match="does not answer"):
            await provider.ask(labels(), Deadline(0.3))
        assert clock() - began >= 0.27
        assert not slow.halts[0].halted
        slow.go.set()
        assert (await patient).labels
        assert (await provider.ask(labels(min_confidence=0.0), Deadline(30))).labels
    assert slow.batches == [1, 1]  # who had gone was not shown to the model


async def test_a_run_is_halted_when_the_last_who_waits_goes(tmp_path: Path, slow: Slow) -> None:
    folder = write_classifier(tmp_path / "model")
    async with opened(f"local:{folder}?wait=0") as provider:
        asked = asyncio.create_task(provider.ask(labels(), Deadline(30)))
        await until(slow.begun.is_set)
        assert not slow.halts[0].halted
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert [halt.halted for halt in slow.halts] == [True]
        slow.go.set()


async def test_a_caption_that_nobody_waits_for_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_captioner(tmp_path / "model", past=True, max_length=500, eos_token_id=None)
    steps, run, go = list[int](), Session.run, threading.Event()

    def counted(session: Session, *given: Any) -> Any:
        steps.append(1)
        if len(steps) > 3:
            go.wait(60)
        return run(session, *given)

    async with opened(f"local:{folder}?wait=0") as provider:
        monkeypatch.setattr(Session, "run", counted)
        asked = asyncio.create_task(provider.ask(caption(), Deadline(30)))
        await until(lambda: len(steps) > 3)
        asked.cancel()
        assert isinstance(provider, Local)
        ended = provider._thread.submit(lambda: None)  # runs when what is before it has ended
        await asyncio.gather(asked, return_exceptions=True)
        go.set()
        await asyncio.wrap_future(ended)
        assert len(steps) < 10
        monkeypatch.undo()
        assert (await provider.ask(caption(max_tokens=3), Deadline(30))).used.output_tokens == 3


def test_a_halt_ends_a_run_within_it(exported: Exported) -> None:
    """The runtime itself stops: a step that takes long is not waited for."""
    from mediamill.media.models.folder import ModelFolder
    from mediamill.media.models.models import Options
    from mediamill.media.models.sessions import Halted

    model = Captioner(ModelFolder(exported.folder / "gpt2"), Options())
    halt = Halt()
    halt.halt()
    picture = np.zeros((3, 32, 32), np.float32)
    with pytest.raises(Halted):
        model.captions([picture], [20], lambda _: True, halt)


async def test_closing_tells_those_who_wait(tmp_path: Path, slow: Slow) -> None:
    folder = write_classifier(tmp_path / "model")
    async with opened(f"local:{folder}?wait=0") as provider:
        asked = [asyncio.create_task(provider.ask(labels(), Deadline(30))) for _ in range(3)]
        await until(slow.begun.is_set)
        closing = asyncio.create_task(provider.close())
        for _ in range(20):  # until it waits for what runs
            await asyncio.sleep(0)
        slow.go.set()
        await closing
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(one, ProviderUnavailable) for one in ended)
        with pytest.raises(ProviderUnavailable):
            await provider.ask(labels(), Deadline(5))
