"""prompt: ask a model about each file, or once about all of them.

What files hold is sent as parts of the question, in frames (`framing`), and never as a system
prompt or an instruction; these two are the user's. What is kept is `{name}.result.md`, or
`{name}.result.json` where the answer was to fit a schema.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from mediamill.adapters.providers.port import Finish, Image, Kind, Question, Text, Traits, Used
from mediamill.adapters.providers.prices import Pictures
from mediamill.core.errors import LimitExceeded
from mediamill.media.archive.names import MAX_BYTES as LONGEST_NAME
from mediamill.media.archive.names import safe_name
from mediamill.media.documents.types import DOCX, PPTX, XLSX
from mediamill.media.sniff import PDF
from mediamill.operations import sending
from mediamill.operations.asking import Ask, ModelOperation, Prepared
from mediamill.operations.base import Context, Expected, Outcome, Source, SourceFacts
from mediamill.operations.prompt import answers, asking, framing, placeholders, schemas
from mediamill.operations.prompt.asking import MAX_CONTINUATIONS, Said
from mediamill.operations.prompt.framing import Contents
from mediamill.operations.prompt.preparing import MOST_TEXT, Pages, Room, prepared

GROUP = "all"
"""What the answer about all files is named after."""
MARKDOWN, JSON = "text/markdown", "application/json"
INLINE = 1_500
"""Characters of an answer that stand in the item's own data; the file has all."""
_WORDS = 1_000
"""Bytes of what is said of frames and asked for beside the user's words, at most."""
_REPAIRED = 2 * _WORDS + 4 * asking.SHOWN
_WIDEST = 3
"""Bytes of UTF-8 that one byte of another encoding may take."""
_BYTES_A_TOKEN, _PICTURE_TOKENS, _ANSWER_TOKENS = 3, 1_500, 500
"""As they usually are: in most languages, of most models, of most answers."""
_PAGE, _MARKUP = 50_000, 4
"""Bytes of a PDF's page, and how much larger a document usually is than the text in it."""

Words = Annotated[str, StringConstraints(max_length=100_000)]
Provider = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Prompt(ModelOperation):
    """Ask a model about files: text, source code, PDF, docx, xlsx, pptx and images."""

    version: ClassVar[int] = 1
    accepts: ClassVar[tuple[str, ...]] = (
        "text/*", PDF, DOCX, XLSX, PPTX, "image/*", JSON, "application/x-ndjson",
    )  # fmt: skip
    chain: ClassVar[str] = "prompt"

    prompt: Words = Field(
        "",
        description="What is asked about each file, or about all of them. {name} and {index} stand "
        "for a file's name and number; {{name}} is {name} itself.",
        json_schema_extra={"one_of": ["prompt", "system"]},
    )
    system: Words = Field(
        "", description="System prompt: who the model is to be, and what holds for every file."
    )
    group: bool = Field(False, description="Ask once about all files together, not about each.")
    model: Provider | None = Field(
        None, description="Name of the provider to ask; if left out the configured chain is asked."
    )
    providers: tuple[Provider, ...] = Field(
        (), max_length=10, description="Names of providers to ask, in order, each if those before "
        "it gave no answer; instead of model.",
    )  # fmt: skip
    temperature: float | None = Field(
        None, ge=0, le=1, description="How freely the model chooses its words; its own if left out."
    )
    max_tokens: int = Field(
        4096, ge=1, le=128_000, description="Tokens of one answer, before it is continued."
    )
    continuations: int = Field(
        MAX_CONTINUATIONS,
        ge=0,
        le=MAX_CONTINUATIONS,
        description="How often an answer that was cut off is continued; then it is truncated.",
    )
    output_schema: Annotated[dict[str, Any], AfterValidator(schemas.checked)] | None = Field(
        None,
        description="JSON Schema that the answer is to fit; one that does not is sent back once.",
    )
    pages: Pages = Field(
        "auto",
        description="What is sent of a PDF: the text of its pages, pictures of them, or (auto) "
        "text, and pictures of pages that have none or are forms.",
    )
    max_pages: int = Field(
        100, ge=1, le=1000, description="Most pages of a PDF; one with more is refused."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not (self.prompt.strip() or self.system.strip()):
            raise ValueError("prompt or system must say what is asked")
        if self.model and self.providers:
            raise ValueError("model and providers exclude each other")
        if placeholders.used(self.system):
            raise ValueError("system takes no placeholders: files' names are not its business")
        if self.group and placeholders.used(self.prompt):
            raise ValueError("prompt takes no placeholders with group: it is about all files")
        return self

    @property
    def grouped(self) -> bool:
        """Whether all files are one question."""
        return self.group

    @property
    def asked(self) -> tuple[str, ...]:
        """Return the providers that are named."""
        return (self.model,) if self.model else self.providers

    @property
    def reads_name(self) -> bool:
        """Whether a file's name is sent: it always is, on its frame."""
        return True

    @property
    def reads_place(self) -> bool:
        """Whether a file's number is sent."""
        return "index" in placeholders.used(self.prompt)

    def cost(self, source: SourceFacts) -> float:
        """Estimate seconds of one core: pages are read and drawn, pictures decoded."""
        if source.media_type.startswith("image/"):
            return sending.cost(source)
        return 0.02 + source.size / (2e6 if source.media_type == PDF else 2e7)

    def prepare(self, source: Source, context: Context) -> Outcome:
        """Write the text of a file, pictures of its pages, or the picture that it is."""
        own = framing.OVERHEAD + _WORDS + self._words_size(source.name)
        return prepared(source, context, Room.of(context, own), self.pages, self.max_pages)

    async def answer(self, prepared: Prepared, ask: Ask, context: Context) -> Outcome:
        """Ask about one file."""
        words = placeholders.filled(self.prompt, prepared.name, prepared.index)
        contents = await asyncio.to_thread(_contents, [prepared])
        said = await self._ask(contents, words, ask)
        return self._kept(said, prepared.name, context)

    async def answer_all(self, prepared: Sequence[Prepared], ask: Ask, context: Context) -> Outcome:
        """Ask once about all files; raises `LimitExceeded` for more than can be sent at once."""
        contents = await asyncio.to_thread(_contents, prepared)
        _refuse_excess(contents, self._words_size(""), ask.traits)
        said = await self._ask(contents, placeholders.filled(self.prompt, "", 0), ask)
        return self._kept(said, GROUP, context)

    def estimate(self, facts: SourceFacts) -> Used:
        """Return what a file may use: each byte a token, all continuations and the repair."""
        return self._used(self._input(facts), self._pictures(facts))

    def estimate_all(self, inputs: Iterable[Expected]) -> Used:
        """Return what all files may use; a group is one question."""
        if not self.group:
            return super().estimate_all(inputs)
        files = [
            (self._input(one.facts) * one.count, self._pictures(one.facts) * one.count)
            for one in inputs
        ]
        text = min(MOST_TEXT, sum(size for size, _ in files))
        return self._used(text, sum(pictures for _, pictures in files))

    def usual(self, facts: SourceFacts) -> Used:
        """Return what a file uses where it is answered at once, in some hundred words."""
        return self._once(_usual_text(facts), self._usual_pictures(facts))

    def usual_all(self, inputs: Iterable[Expected]) -> Used:
        """Return what all files use so; a group is one question."""
        if not self.group:
            return super().usual_all(inputs)
        files = [
            (_usual_text(one.facts) * one.count, self._usual_pictures(one.facts) * one.count)
            for one in inputs
        ]
        text = min(MOST_TEXT, sum(size for size, _ in files))
        return self._once(text, sum(pictures for _, pictures in files))

    async def _ask(self, contents: Contents, words: str, ask: Ask) -> Said:
        framed = await asyncio.to_thread(framing.framed, contents)
        schema = self.output_schema
        question = Question(
            kind=Kind.TEXT,
            parts=framed.parts,
            instruction="\n\n".join(filter(str.strip, (framed.note, words))),
            system=self.system,
            schema=schema,
            max_tokens=min(self.max_tokens, ask.traits.output_tokens),
            temperature=self.temperature,
        )
        if schema is None:
            return await asking.whole(ask, question, self.continuations)
        return await asking.fitting(ask, question, contents, schema, self.continuations)

    def _kept(self, said: Said, name: str, context: Context) -> Outcome:
        """Write the answer, and return it with what is known of it."""
        is_json = self.output_schema is not None
        content = answers.written(said.value) if is_json else _markdown(said.text)
        kind = JSON if is_json else MARKDOWN
        with context.output(_result_name(name, "json" if is_json else "md"), kind) as writer:
            writer.write(content)
        text = content.decode()
        data = {
            "provider": said.answers[-1].provider,
            "model": said.answers[-1].model,
            "providers": [*dict.fromkeys(answer.provider for answer in said.answers)],
            "format": "json" if is_json else "markdown",
            "text": text[:INLINE],
            "shortened": len(text) > INLINE,
            "truncated": said.truncated,
            "continuations": sum(answer.finish is Finish.LENGTH for answer in said.answers[:-1]),
            "repaired": said.repaired,
            "input_tokens": said.used.input_tokens,
            "output_tokens": said.used.output_tokens,
        }
        return Outcome((writer.output,), data)

    def _words_size(self, name: str) -> int:
        """Return the bytes of what is the user's own in a question."""
        words = placeholders.filled(self.prompt, name, 999_999)
        texts = len(words.encode(errors="replace")) + len(self.system.encode(errors="replace"))
        return texts + schemas.size(self.output_schema)

    def _input(self, facts: SourceFacts) -> int:
        """Return the bytes of a file's text, at most."""
        if facts.media_type.startswith("image/"):
            return framing.OVERHEAD
        known = facts.media_type.startswith("text/") or facts.media_type == JSON
        text = facts.size * _WIDEST if known else MOST_TEXT  # documents are compressed
        return framing.OVERHEAD + min(text, MOST_TEXT)

    def _pictures(self, facts: SourceFacts) -> int:
        if facts.media_type.startswith("image/"):
            return 1
        return self.max_pages if facts.media_type == PDF and self.pages != "text" else 0

    def _usual_pictures(self, facts: SourceFacts) -> int:
        if facts.media_type.startswith("image/"):
            return 1
        if facts.media_type != PDF or self.pages != "images":
            return 0
        return min(self.max_pages, 1 + facts.size // _PAGE)

    def _once(self, text: int, pictures: int) -> Used:
        """Return what one call uses that sends so many bytes of text, and so many pictures."""
        own = self._words_size("") + schemas.size(self.output_schema)
        tokens = (text + own) // _BYTES_A_TOKEN + pictures * _PICTURE_TOKENS
        return Used(tokens, min(self.max_tokens, _ANSWER_TOKENS), pictures)

    def _used(self, text: int, pictures: int) -> Used:
        own = _WORDS + self._words_size("x" * LONGEST_NAME)
        own += schemas.size(self.output_schema)  # as a tool and in words
        own += pictures * Pictures().tokens(sending.LONG_SIDE, sending.LONG_SIDE)
        calls = 1 + self.continuations
        begun = self.max_tokens * self.continuations * calls // 2
        once = Used((text + own) * calls + begun, self.max_tokens * calls, pictures * calls, calls)
        if self.output_schema is None:
            return once
        more = (self.max_tokens * calls + _REPAIRED) * calls
        return once + once + Used(input_tokens=more, calls=0)


def _usual_text(facts: SourceFacts) -> int:
    """Return how many bytes of text a file usually has."""
    if facts.media_type.startswith("image/"):
        return 0
    known = facts.media_type.startswith("text/") or facts.media_type == JSON
    return min(MOST_TEXT, facts.size if known else facts.size // _MARKUP)


def _contents(prepared: Sequence[Prepared]) -> Contents:
    """Read what is sent of inputs; some megabytes."""
    return [(one.name, one.parts()) for one in prepared]


def _refuse_excess(contents: Contents, own: int, traits: Traits) -> None:
    """Raise `LimitExceeded` for more text or pictures than can be sent at once."""
    parts = [part for _, each in contents for part in each]
    texts = (part.text for part in parts if isinstance(part, Text))
    size = _WORDS + own + framing.OVERHEAD * len(contents) + sum(len(t.encode()) for t in texts)
    pictures = sum(isinstance(part, Image) for part in parts)
    most = min(MOST_TEXT, traits.input_bytes)
    if size <= most and pictures <= traits.images:
        return
    message = (
        f"{len(contents):,} files together have {size:,} bytes of text and {pictures:,} pictures; "
        f"{most:,} bytes and {traits.images:,} pictures can be sent at once."
    )
    raise LimitExceeded(message, limit=most, size=size, images=pictures)


def _markdown(text: str) -> bytes:
    return (text.strip("\n") + "\n").encode(errors="replace")


def _result_name(name: str, ending: str) -> str:
    """Return `{name}.result.{ending}`; names with the whole of the input's stay apart."""
    suffix = f".result.{ending}"
    kept = safe_name(name).encode()[: LONGEST_NAME - len(suffix)].decode(errors="ignore")
    return kept.rstrip(". ") + suffix
