"""S13: what says where and by whom a picture was taken is in no output of any operation."""

import base64
import io
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

from mediamill.datasets.exporting import EXPORTS
from mediamill.services.captions.exporting import Form
from tests.media_factory import clip, ffmpeg, sample
from tests.security.conftest import Mill
from tests.web.test_datasets import exported, frozen

MARK = b"PLANTED"
"""Stands in every field that takes text."""
KINDS = (
    b"Exif\0\0",
    b"http://ns.adobe",
    b"Photoshop 3.0",
    b"GPSLat",
    b"x:xmpmeta",
    b"eXIf",
    b"tEXt",
)
XMP = b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/">PLANTED</x:xmpmeta><?xpacket end?>'
SEI = "086f3693-b7b3-4f2c-9653-21492feee5b8+PLANTED"


def exif() -> Image.Exif:
    """Make EXIF with a position, a maker note, and words wherever they go."""
    made = Image.Exif()
    for tag in (0x010E, 0x010F, 0x0110, 0x0131, 0x013B, 0x8298):
        made[tag] = "PLANTED"
    made.get_ifd(0x8769).update({0x927C: b"PLANTED-MAKER", 0x9286: b"ASCII\0\0\0PLANTED",
                                 0xA434: "PLANTED-LENS"})  # fmt: skip
    made.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 1.0), 3: "E", 4: (11.0, 34.0, 1.0),
                                 0x12: "PLANTED-DATUM", 0x1B: b"ASCII\0\0\0PLANTED"})  # fmt: skip
    return made


def with_preview(said: Image.Exif) -> bytes:
    """Return EXIF with a second directory, as cameras write it: a preview with a comment in it.

    It is made by hand (EXIF 2.32, section 4.5.8): Pillow writes none.
    """
    small = io.BytesIO()
    Image.new("RGB", (16, 12), "teal").save(small, "JPEG", comment=MARK)
    data = bytearray(said.tobytes().removeprefix(b"Exif\0\0"))
    order = "<" if data.startswith(b"II") else ">"
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, first)
    at = len(data)
    struct.pack_into(f"{order}I", data, first + 2 + 12 * count, at)
    rows = ((0x0103, 6), (0x0201, at + 42), (0x0202, small.tell()))
    data += struct.pack(f"{order}H", len(rows))
    for tag, value in rows:
        data += struct.pack(f"{order}HHII", tag, 4, 1, value)
    return b"Exif\0\0" + bytes(data) + struct.pack(f"{order}I", 0) + small.getvalue()


def profile() -> bytes:
    """Return sRGB's profile with a word of ours as its copyright."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    wide = "No copyright".encode("utf-16-be")
    assert wide in data
    return data.replace(wide, "PLANTED-ICC.".encode("utf-16-be"), 1)


def pictures(folder: Path) -> Iterator[Path]:
    """Make a picture in each format, with all the metadata that it takes, and bytes behind it."""
    x, y = np.meshgrid(np.arange(160), np.arange(120))
    image = Image.fromarray(np.stack([x + 60, y * 2, (x * y) % 255], axis=2).astype(np.uint8))
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "PLANTED")
    text.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=False)
    pillow_heif.register_heif_opener()
    told: dict[str, Any] = {"exif": with_preview(exif()), "icc_profile": profile()}
    for form, more in {
        "JPEG": {**told, "comment": MARK, "xmp": XMP},
        "PNG": {**told, "pnginfo": text},
        "WEBP": {**told, "xmp": XMP},
        "TIFF": {**told, "description": "PLANTED", "compression": "raw"},
        "GIF": {"comment": MARK},
        "AVIF": {**told, "xmp": XMP},
        "HEIF": {**told, "xmp": XMP},
        "BMP": {},
    }.items():
        path = folder / f"picture.{form.lower()}"
        image.save(path, format=form, **more)
        if form == "GIF":  # as an application's block (XMP specification, part 3, 1.1.2)
            data = path.read_bytes()
            block = b"\x21\xff\x0bXMP DataXMP" + XMP + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
            path.write_bytes(data[:-1] + block + data[-1:])
        with path.open("ab") as end:
            end.write(MARK * 3)
        yield path


def videos(folder: Path) -> Iterator[Path]:
    """Make clips with tags, places, an attachment, and words within the coded stream."""
    plain = clip(folder / "plain.mp4", "-g", "5", seconds=0.4, size="160x120")
    note = folder / "note.txt"
    note.write_bytes(MARK)
    tags = [("title", "PLANTED"), ("comment", "PLANTED"), ("location", "+48.1+011.5/PLANTED/")]
    said = [part for name, value in tags for part in ("-metadata", f"{name}={value}")]
    said += [
        "-metadata:s:v:0",
        "handler_name=PLANTED",
        "-bsf:v",
        f"h264_metadata=sei_user_data={SEI}",
    ]
    for name, more in (
        ("tagged.mp4", ["-movflags", "use_metadata_tags"]),
        ("tagged.mov", []),
        ("tagged.mkv", ["-attach", str(note), "-metadata:s:t", "mimetype=text/plain"]),
    ):
        path = folder / name
        command = [
            ffmpeg(),
            "-v",
            "error",
            "-nostdin",
            "-i",
            plain,
            "-c",
            "copy",
            *said,
            *more,
            path,
        ]
        subprocess.run(command, check=True)
        yield path


WORDS = ("health-check", "caption", "label", "prompt")
"""Operations that give no pictures; what models are sent: `tests/operations/sending`."""


def pieces(data: bytes) -> Iterator[bytes]:
    """Yield an output, and what is in it where it is a zip."""
    yield data
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield from pieces(archive.read(name))


def silent(piece: bytes, what: object) -> None:
    """Fail when bytes hold anything of what was planted."""
    for mark in (MARK, MARK.decode().encode("utf-16-be"), *KINDS):
        assert mark not in piece, (what, mark)


def check(data: bytes, what: object) -> int:
    """Fail when an output holds anything of what was planted; return how many pictures it is."""
    found = 0
    for piece in pieces(data):
        silent(piece, what)
        if piece.startswith((b"PK", b"{", b"[", b"PAR1")):
            continue
        with Image.open(io.BytesIO(piece)) as image:
            image.load()
            told = {"exif", "xmp", "XML:com.adobe.xmp", "comment", "Comment", "photoshop"}
            assert not [name for name in told if image.info.get(name)], (what, image.info)
            assert not image.getexif(), what
        found += 1
    return found


def formats(operation: dict[str, Any]) -> list[str | None]:
    """Return every output format of an operation, and None for its own choice."""
    field = operation["schema"]["properties"].get("format", {})
    options = [field, *field.get("anyOf", ())]
    return [None, *(form for one in options for form in one.get("enum", ()))]


async def output(mill: Mill, files: list[str], *steps: dict[str, Any]) -> bytes:
    """Run a job whose items must all succeed; return its download."""
    body = {"files": files, "steps": steps, "reuse": False}
    sent = await mill.client.post("/v1/jobs", json=body)
    assert sent.status_code == 202, sent.text
    job = sent.json()["id"]
    told = (await mill.client.get(f"/v1/jobs/{job}", params={"wait": 60})).json()
    items = (await mill.client.get(f"/v1/jobs/{job}/items?limit=100")).text
    assert told["state"] == "succeeded", items
    assert MARK.decode() not in items + (await mill.client.get(f"/v1/jobs/{job}/results")).text
    return (await mill.client.get(f"/v1/jobs/{job}/download")).content


async def test_nothing_planted_is_in_any_output_of_any_operation(mill, tmp_path: Path):
    sources = {
        "image": [*pictures(tmp_path), sample("gps-nikon.jpg")],
        "video": [*videos(tmp_path)],
    }
    async with mill() as service:
        ids: dict[str, list[str]] = {}
        for kind, paths in sources.items():
            for path in paths:
                data = path.read_bytes()
                assert MARK in data or path.parent != tmp_path
                answer = await service.upload(path.name, data)
                assert answer.status_code == 201, (path.name, answer.text)
                ids.setdefault(kind, []).append(answer.json()["id"])
                back = await service.client.get(f"/v1/files/{ids[kind][-1]}/content")
                assert back.content == data, "the original is its owner's, byte by byte"
        operations = (await service.client.get("/v1/operations")).json()["data"]
        tried = 0
        for operation in operations:
            kinds = [
                kind for kind in ids if any(one.startswith(kind) for one in operation["accepts"])
            ]
            files = [file for kind in kinds for file in ids[kind]]
            assert files, f"{operation['name']} takes nothing that is tried here"
            known = operation["schema"]["properties"]
            few = {name: n for name, n in (("count", 1), ("width", 120)) if name in known}
            if "methods" in operation["schema"].get("required", ()):
                few["methods"] = ["brightness"]
            if operation["name"] == "prompt":
                few["prompt"] = "What is it?"
            for form in formats(operation):
                step = {"operation": operation["name"],
                        "parameters": {**few, **({"format": form} if form else {})}}  # fmt: skip
                made = check(await output(service, files, step), (operation["name"], form))
                shown = len(files) if operation["name"] not in WORDS else 0
                assert made >= shown, (operation["name"], form)
                tried += made
        chain = (
            {"operation": "extract-frames", "parameters": {"count": 1}},
            {"operation": "convert"},
        )
        tried += check(await output(service, ids["video"], *chain), "chain")
        for file in ids["image"] + ids["video"]:
            answer = await service.client.get(f"/v1/files/{file}/thumbnail")
            assert answer.status_code == 200, answer.text
            tried += check(answer.content, "thumbnail")
        for file in ids["image"]:
            body = {"file": file, "parameters": {"format": "jpeg"}}
            answer = await service.client.post("/v1/operations/convert/preview", json=body)
            assert answer.status_code == 200, answer.text
            for one in answer.json()["data"]:
                picture = base64.b64decode(one["image"].partition(",")[2])
                tried += check(picture, "preview")
        assert tried >= 90 + 2 * len(ids["image"])
        service.alive()


async def test_nothing_planted_is_in_exports_of_what_was_made(mill, tmp_path: Path):
    """Of a version in every form, and of captions in every form; what was made of one photo."""
    image, *_ = pictures(tmp_path)
    async with mill() as service:
        client = service.client
        sent = await service.upload(image.name, image.read_bytes())
        file = sent.json()["id"]
        project = (await client.post("/v1/projects", json={"name": "made"})).json()["id"]
        await client.post(f"/v1/projects/{project}/files", json={"files": [file]})
        steps = [{"operation": "convert", "parameters": {"format": "jpeg"}}]
        version = await frozen(client, project, steps=steps)
        silent((await client.get(version["links"]["document"])).content, "document")
        for form in EXPORTS:
            answer = await exported(client, f"{version['links']['export']}?format={form}&wait=20")
            names = {}
            if form == "webdataset":
                with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
                    names = {one.name: tar.extractfile(one).read() for one in tar.getmembers()}
            else:
                with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
                    names = {name: archive.read(name) for name in archive.namelist()}
            shown = [data for name, data in names.items() if name.endswith(".jpg")]
            assert len(shown) == 1, (form, [*names])
            assert check(shown[0], form) == 1
            for name, data in names.items():
                silent(data, (form, name))
        await output(service, [file], {"operation": "caption", "parameters": {}})
        for form in get_args(Form):
            told = await client.get("/v1/captions/export", params={"format": form})
            assert told.status_code == 200, told.text
            assert image.name.encode() in told.content
            silent(told.content, form)
        service.alive()


def test_what_is_planted_is_found(tmp_path: Path):
    """So that the test above can fail: every source but the one without metadata is caught."""
    for path in (*pictures(tmp_path), sample("gps-nikon.jpg")):
        try:
            check(path.read_bytes().removesuffix(MARK * 3), path.name)
        except AssertionError:
            continue
        assert path.suffix == ".bmp"
