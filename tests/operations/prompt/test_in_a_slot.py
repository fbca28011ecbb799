"""What is sent of documents is made in a slot, where little may be read and memory is bounded."""

import os
from pathlib import Path

import pytest
from tests.support import documents as make
from tests.support.slots import LIMITS, open_slots

from mediamill.engine.slots import Call, CallItem, Failed, Succeeded

DOCUMENTS = {
    "a.pdf": make.pdf("a page with more than enough text on it"),
    "scan.pdf": make.pdf_of([make.BOX]),
    "a.docx": make.docx_of("Dear Sir"),
    "a.xlsx": make.xlsx_of(["a", 1]),
    "a.pptx": make.pptx_of(("title", "text")),
    "old.txt": "Привет, как дела? Это обычный русский текст.\n".encode("koi8_r") * 2,
    "bomb.pdf": make.pdf_of([b"0 0 m " * (1 << 22)]),
    "a.bin": bytes(range(256)),
}


@pytest.mark.timeout(60)
async def test_documents_are_prepared_in_a_slot(tmp_path: Path):
    items = []
    for index, (name, data) in enumerate(DOCUMENTS.items()):
        (tmp_path / name).write_bytes(data)
        descriptor = os.open(tmp_path / name, os.O_RDONLY)
        items.append(CallItem(index, descriptor, name, size=len(data)))
    call = Call(
        (("prompt", {"prompt": "Sum up.", "output_schema": {"type": "object"}}),), tuple(items),
        kind="prepare", agreed={0: {"images": 5, "input_bytes": 9_000, "long_side": 300}},
    )  # fmt: skip
    done: dict[str, list[tuple[str, bytes]] | str] = {}
    names = [*DOCUMENTS]
    builder = "mediamill.operations:build"
    async with (
        open_slots(tmp_path / "slots", limits=LIMITS, catalogue=builder) as slots,
        slots.pool.acquire() as slot,
    ):
        async for event in slot.run(call):
            if isinstance(event, Succeeded):
                files = [(one.name, one.path.read_bytes()) for one in event.outcome.files]
                done[names[event.index]] = files
            elif isinstance(event, Failed):
                done[names[event.index]] = event.code
    for item in items:
        os.close(item.descriptor)
    shown = done.pop("scan.pdf")
    assert [name for name, _ in shown] == ["scan.pdf", "scan-page-1.jpg"]
    assert shown[1][1].startswith(b"\xff\xd8\xff")
    assert done == {
        "a.pdf": [("a.pdf", b"[page 1]\na page with more than enough text on it\n")],
        "a.docx": [("a.docx", b"Dear Sir")],
        "a.xlsx": [("a.xlsx", b"[sheet Sheet]\na\t1\n")],
        "a.pptx": [("a.pptx", b"[slide 1]\ntitle\ntext\n")],
        "old.txt": [("old.txt", DOCUMENTS["old.txt"].decode("koi8_r").encode())],
        "bomb.pdf": done["bomb.pdf"],
        "a.bin": "unsupported_media",
    }
