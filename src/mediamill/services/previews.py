"""Previews: small pictures of what an operation's parameters do to a caller's own image."""

import asyncio
import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog

from mediamill.blobs.port import Blobs
from mediamill.core.access import Principal
from mediamill.core.errors import InvalidInput, MediamillError, Unavailable, by_code
from mediamill.engine.inputs import call_item, home_of, opened
from mediamill.engine.slots import Call, CallItem, Failed, Kind, SlotPool, Succeeded
from mediamill.operations.base import Operation, Outcome
from mediamill.operations.catalogue import Catalogue
from mediamill.services.access import Access
from mediamill.store.repositories.files import File

log = structlog.get_logger(__name__)

KEPT_BYTES = 16 << 20
"""How much of previews is kept in memory."""
MOST_BYTES = 8 << 20
"""How large one may be."""
MISSING = "ModuleNotFoundError"
MODULES = (
    "numpy", "PIL.JpegImagePlugin", "cv2", "simplejpeg", "mediamill.operations.image",
    "mediamill.operations.augment", "mediamill.operations.previews",
    "mediamill.media.image.codecs.decode", "mediamill.media.image.canvas",
)  # fmt: skip
"""What a preview of a photo needs: importing it takes longer than the preview."""


@dataclass(frozen=True)
class Shown:
    """One picture of a preview, a JPEG; `value` is that of the parameter."""

    parameter: str
    place: str
    value: float | None
    width: int
    height: int
    image: bytes

    @property
    def url(self) -> str:
        """The picture as a data URL."""
        return "data:image/jpeg;base64," + base64.b64encode(self.image).decode()


@dataclass
class Previews:
    """Makes previews in slots, and keeps the latest: the same question is answered at once."""

    access: Access
    blobs: Blobs
    results: Blobs
    slots: SlotPool
    operations: Catalogue
    scratch: Path
    _kept: "OrderedDict[str, tuple[Shown, ...]]" = field(default_factory=OrderedDict)
    _size: int = 0

    async def warm(self) -> None:
        """Begin a slot that imports what previews need while nobody asks, as all after it do.

        What the parameters of operations are is learned here too, which takes as long.
        """
        self.slots.warming = MODULES
        await asyncio.to_thread(lambda: [*map(self.operations.get, self.operations.names())])
        try:
            await self.slots.warm(1)
        except MediamillError as error:  # the first preview will say so
            log.warning("no slot was begun", action="slot_not_begun", exc_info=error)

    async def show(
        self,
        principal: Principal,
        operation: str,
        file_id: str,
        parameters: Mapping[str, Any],
        seed: int = 0,
        *,
        whole: bool = False,
    ) -> tuple[Shown, ...]:
        """Return the image as it is, and then as the operation makes it.

        That is one picture of the `whole`, else whatever the operation shows of its parameters.

        Raises `NotFound` for a file or operation, `InvalidInput` for parameters and for a file that
        it does not take, what is wrong with the file, and `Unavailable` where no slot can do it.
        """
        step = self.operations.build(operation, dict(parameters), "parameters")
        file = await self._image(principal, step, file_id, "file")
        references = [
            await self._image(principal, step, one, "parameters") for one in step.references
        ]
        kind: Kind = "compare" if whole else "preview"
        key = _key(kind, operation, step, file, references, seed)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        return self._keep(key, await self._made(kind, operation, step, file, references, seed))

    async def _image(self, principal: Principal, step: Operation, file_id: str, where: str) -> File:
        file = await self.access.load(principal, File, file_id)
        if not (file.media_type.startswith("image/") and step.takes(file.media_type)):
            told = file.media_type or "not known yet"
            raise InvalidInput.at(where, f"A preview needs an image; {file.name} is {told}.")
        return file

    async def _made(
        self,
        kind: Kind,
        operation: str,
        step: Operation,
        file: File,
        references: list[File],
        seed: int,
    ) -> tuple[Shown, ...]:
        async with AsyncExitStack() as stack:
            items = [await self._opened(stack, one) for one in (file, *references)]
            item = replace(items[0], partners=tuple(items[1:]))
            steps = ((operation, step.model_dump(mode="json")),)
            slot = await stack.enter_async_context(self.slots.acquire())
            async for event in slot.run(Call(steps, (item,), seed=seed, kind=kind)):
                if isinstance(event, Failed):
                    raise _public(event)
                if isinstance(event, Succeeded):
                    return _read(event.outcome)
        raise Unavailable("The slot ended without an answer; try again.")

    async def _opened(self, stack: AsyncExitStack, file: File) -> CallItem:
        home = home_of(file, self.blobs, self.results)
        opening = opened(home, file.blob, self.scratch)
        return call_item(0, file, await stack.enter_async_context(opening))

    def _keep(self, key: str, shown: tuple[Shown, ...]) -> tuple[Shown, ...]:
        """Keep an answer; two who ask at the same time both bring one."""
        self._size += _weight(shown) - _weight(self._kept.pop(key, ()))
        self._kept[key] = shown
        while self._size > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._size -= _weight(oldest)
        return shown


def _weight(shown: tuple[Shown, ...]) -> int:
    return sum(len(one.image) for one in shown)


def _key(
    kind: Kind, operation: str, step: Operation, file: File, references: list[File], seed: int
) -> str:
    digests = [one.sha256 for one in (file, *references)]
    told = [kind, operation, type(step).version, step.model_dump(mode="json"), digests, seed]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _read(outcome: Outcome) -> tuple[Shown, ...]:
    """Read the pictures before their folder goes; raises `Unavailable` for too much."""
    if sum(file.size for file in outcome.files) > MOST_BYTES:
        raise InvalidInput("This preview is too large; ask for fewer methods at a time.")
    return tuple(
        Shown(
            str(file.info.get("parameter", "")),
            str(file.info.get("place", "")),
            file.info.get("value"),
            int(file.info["width"]),
            int(file.info["height"]),
            file.path.read_bytes(),
        )
        for file in outcome.files
    )


def _public(event: Failed) -> MediamillError:
    """Return a failure as it may be told; what nobody foresaw is for the log."""
    if MISSING in str(event.details.get("error", "")):
        return Unavailable(
            "This server has no room for the codecs that previews need: ask one that runs "
            "`mediamill api` or `mediamill up`."
        )
    if event.code != MediamillError.code:
        return by_code(event.code)(event.message, **event.details)
    log.error("a preview failed", action="preview_failed", **event.details)
    return MediamillError("The preview could not be made; the log has it.")
