"""A provider for trials and tests: it asks nobody, and says, waits and fails as it is told.

    echo:
    echo:first?delay=0.5&say=A picture of {width} by {height} pixels.
    echo:flaky?fault=429:2*2,timeout,500&share=0.1
    echo:long?length=20000                    an answer of so many characters, continued when asked

What it answers depends on the question alone. `{name}`, `{width}`, `{height}` (of the first
picture), `{images}`, `{kind}` and `{digest}` are filled in. Asked for a schema, it answers what
fits, unless told what to say. Labels are `labels=Dog:0.98,Grass:0.8`.

`fault` lists what happens to a question before it is answered, one each time it is asked: `429`
(`429:2` with Retry-After), `500`, `timeout` (hangs), `reset`, `empty`, `invalid`, `declined`,
`refused` (as with a wrong key), `refusal` (of the model); `*3` three times, `*` for ever. With
`share=0.1` that happens to a tenth of all questions.

Its traits are said as those of others: `images=1&schema=false&instructed=false&kinds=caption`.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import msgspec

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.faults import (
    away,
    declined,
    invalid,
    limited,
    misconfigured,
    within,
)
from mediamill.adapters.providers.port import (
    Answer,
    Box,
    Deadline,
    Finish,
    Kind,
    Label,
    Question,
    Text,
    Traits,
    Used,
)
from mediamill.adapters.providers.samples import sample
from mediamill.core.errors import MediamillError

CHARACTERS = 4
"""Of a token."""
REMEMBERED = 10_000
"""Questions whose faults are counted."""
FOR_EVER = 1 << 30
FAULT = re.compile(
    r"(429|5\d\d|timeout|reset|empty|invalid|declined|refused|refusal)(?::(\d+(?:\.\d+)?))?(\*\d*)?"
)
THINGS = ("Animal", "Building", "Flower", "Food", "Grass", "Person", "Sky", "Tree", "Vehicle")
TRAITS = Traits(kinds=frozenset(Kind), images=20, schema=True, continues=True)


@dataclass(frozen=True)
class Fault:
    """What happens instead of an answer, and how often; `after` is its Retry-After in seconds."""

    name: str
    times: int = 1
    after: float | None = None

    @classmethod
    def listed(cls, text: str) -> "tuple[Fault, ...]":
        """Read `429:2*2,timeout`; raises `ValueError`."""
        found = []
        for part in text.split(",") if text else ():
            match = FAULT.fullmatch(part.strip())
            if match is None:
                raise ValueError(f"fault is a list like 429:2*2,timeout,500 and knows no “{part}”")
            times = (match[3] or "*1")[1:]
            after = float(match[2]) if match[2] else None
            found.append(cls(match[1], int(times) if times else FOR_EVER, after))
        return tuple(found)


class Echo:
    """Answers as its address says."""

    options: ClassVar[frozenset[str]] = frozenset({
        "say", "delay", "fault", "share", "labels", "length",
    })  # fmt: skip

    def __init__(self, configured: Configured, address: Address) -> None:
        said = address.options
        self.name, self.model = configured.name, address.model or "echo"
        self.traits = address.traits(TRAITS)
        self._timeout = configured.timeout
        self._say, self._delay = said.get("say", ""), address.seconds("delay")
        self._length = address.number("length", 0, least=0)
        self._faults = Fault.listed(said.get("fault", ""))
        self._share = address.seconds("share", 1.0)
        self._labels = _listed_labels(said.get("labels", ""))
        self._asked: OrderedDict[str, int] = OrderedDict()

    @classmethod
    def open(cls, configured: Configured, address: Address) -> "Echo":
        """Make it; raises `ValueError`."""
        return cls(configured, address)

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        """Answer, or fail as it is told."""
        digest = digest_of(question)
        async with within(self.name, deadline, self._timeout):
            await asyncio.sleep(self._delay)
            fault = self._fault(digest)
            if fault is not None and fault.name == "timeout":
                await asyncio.get_running_loop().create_future()
        if fault is not None and (error := self._error(fault)) is not None:
            raise error
        finish = Finish.REFUSED if fault is not None and fault.name == "refusal" else Finish.END
        return self._answer(question, finish, empty=fault is not None)

    async def close(self) -> None:
        """Do nothing."""

    def _fault(self, digest: str) -> Fault | None:
        """Return what happens this time that the question is asked."""
        if not self._faults or int(digest[:8], 16) >= self._share * (1 << 32):
            return None
        turn = self._asked.pop(digest, 0)
        self._asked[digest] = turn + 1
        if len(self._asked) > REMEMBERED:
            self._asked.popitem(last=False)
        for fault in self._faults:
            if turn < fault.times:
                return fault
            turn -= fault.times
        return None

    def _error(self, fault: Fault) -> MediamillError | None:
        if fault.name == "429":
            return limited(self.name, fault.after)
        errors = {
            "reset": away(self.name, "broke off the connection", lost=True),
            "invalid": invalid(self.name, "answers what is no JSON"),
            "declined": declined(self.name, "will not answer this"),
            "refused": misconfigured(self.name, "knows no such key"),
            "empty": None,
            "refusal": None,
        }
        return errors.get(fault.name, away(self.name, f"answers {fault.name}"))

    def _answer(self, question: Question, finish: Finish, *, empty: bool) -> Answer:
        digest = digest_of(replace(question, begun=""))  # what is gone on with stays the same
        labels = () if empty else self._found(question, digest)
        text = "" if empty or question.kind is Kind.LABELS else self._text(question, digest)
        most = question.max_tokens * CHARACTERS
        if len(text) > most:
            text, finish = text[:most], Finish.LENGTH
        return Answer(
            self.name, self.model, text, labels, used(question, text), finish, f"echo-{digest[:16]}"
        )

    def _text(self, question: Question, digest: str) -> str:
        """Return what is still to be said."""
        if self._length:
            words = " ".join(f"{digest[:8]}-{n}" for n in range(self._length // 10 + 1))
            return words[len(question.begun) : self._length]
        if question.schema is not None and not self._say:
            document = sample(question.schema, f"Echo {digest[:8]}")
            text = msgspec.json.encode(document).decode()
        else:
            text = _filled(self._say or _default(question), question, digest)
        return text.removeprefix(question.begun)

    def _found(self, question: Question, digest: str) -> tuple[Label, ...]:
        if question.kind is not Kind.LABELS:
            return ()
        labels = self._labels or _some_labels(digest)
        good = [label for label in labels if label.confidence >= question.min_confidence]
        return tuple(good[: question.max_labels])


def digest_of(question: Question) -> str:
    """Return the SHA-256 of what a question asks, in hexadecimal."""
    told = hashlib.sha256()
    said = (question.kind, question.instruction, question.system, question.begun)
    schema = msgspec.json.encode(question.schema, order="deterministic")
    for part in question.parts:
        data = part.text.encode() if isinstance(part, Text) else part.data
        told.update(hashlib.sha256(data).digest())
    told.update(msgspec.json.encode([*said, question.max_labels]) + schema)
    return told.hexdigest()


def used(question: Question, text: str) -> Used:
    """Return made-up but plausible figures, the same for the same question."""
    sent = sum(len(part.text) for part in question.parts if isinstance(part, Text))
    sent += len(question.instruction) + len(question.system) + len(question.begun)
    pictures = len(question.images)
    spent = (len(text) + CHARACTERS - 1) // CHARACTERS
    return Used(sent // CHARACTERS + 100 * pictures, spent, pictures)


def _default(question: Question) -> str:
    if question.kind is Kind.CAPTION and question.images:
        return "A picture of {width} by {height} pixels."
    return "Echo {digest} of {name}." if question.parts else "Echo {digest}."


def _filled(text: str, question: Question, digest: str) -> str:
    images = question.images
    facts = {
        "name": next((part.name for part in question.parts if part.name), "nothing"),
        "width": str(images[0].width if images else 0),
        "height": str(images[0].height if images else 0),
        "images": str(len(images)),
        "kind": str(question.kind),
        "digest": digest[:8],
    }
    return re.sub(r"\{(\w+)\}", lambda match: facts.get(match[1], match[0]), text)


def _listed_labels(text: str) -> tuple[Label, ...]:
    """Read `Dog:0.98,Grass:0.8`; raises `ValueError`."""
    found = []
    for part in text.split(",") if text else ():
        name, _, confidence = part.strip().rpartition(":")
        try:
            value = float(confidence)
        except ValueError:
            value = -1.0
        if not name or not 0 <= value <= 1:
            raise ValueError("labels are a list like Dog:0.98,Grass:0.8")
        found.append(Label(name, value, (Box(0.25, 0.25, 0.5, 0.5),)))
    return tuple(found)


def _some_labels(digest: str) -> Sequence[Label]:
    draws = bytes.fromhex(digest)[:3]
    names = dict.fromkeys(THINGS[draw % len(THINGS)] for draw in draws)
    return [Label(name, round(0.99 - 0.1 * n, 2)) for n, name in enumerate(names)]


plugin = Echo
