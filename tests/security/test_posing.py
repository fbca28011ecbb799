"""S10 and S11 through the real API, with a listener and a watched file waiting."""

import base64
import ctypes
import io
import os
import socket
import struct
import subprocess
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from tests.media_factory import X264, clip, ffmpeg, run, sample
from tests.security.conftest import Mill
from tests.security.mutator import boxes
from tests.support.holding import TRIES, done_within
from tests.web.test_hostile_archives import bomb

IN_OPEN = 0x20


@dataclass
class Trap:
    """A folder whose files are watched, and a listener; what touched them so far."""

    folder: Path
    url: str
    _watch: int
    calls: list[object] = field(default_factory=list)

    def opened(self) -> int:
        """Return how often a file of the folder was opened since this was asked last."""
        found = b""
        with suppress(BlockingIOError):
            while chunk := os.read(self._watch, 1 << 16):
                found += chunk
        count = place = 0
        while place < len(found):
            mask, length = struct.unpack_from("iIII", found, place)[1::2]
            count += bool(mask & IN_OPEN) and length > 0
            place += 16 + length
        return count


@contextmanager
def trap(folder: Path) -> Iterator[Trap]:
    """Lay out files that nobody should open, and listen."""
    folder.mkdir()
    clip(folder / "secret.mp4", "-g", "5", seconds=0.3, size="96x64")
    for number in range(3):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / f"img{number:03d}.png")
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert watch >= 0
    assert libc.inotify_add_watch(watch, os.fsencode(folder), IN_OPEN) > 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Trap(folder, f"http://127.0.0.1:{server.getsockname()[1]}", watch)
        threading.Thread(target=_listen, args=(server, made.calls), daemon=True).start()
        try:
            yield made
        finally:
            os.close(watch)


def _listen(server: socket.socket, calls: list[object]) -> None:
    with suppress(OSError):
        while True:
            caller, address = server.accept()
            caller.close()
            calls.append(address)


def texts(trap: Trap) -> dict[str, bytes]:
    """Return texts that make some demuxer of FFmpeg open what they name."""
    file, there = trap.folder / "secret.mp4", f"{trap.url}/a.mp4"
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
    dash = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="1"><BaseURL>{}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>"
    )
    concat = "ffconcat version 1.0\nfile '{}'\n"
    found = {
        "concat": concat.format(file), "concat url": concat.format(there),
        "concat bare": f"file '{file}'\n", "hls": hls.format(file), "hls url": hls.format(there),
        "hls key": hls.format(there).replace(
            "#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="{trap.url}/key"\n#EXTINF', 1),
        "dash": dash.format(file), "dash url": dash.format(there),
        "smil": f"RTSPtext\nrtsp://{trap.url[7:]}/x\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
               f"m=video {trap.url.rpartition(':')[2]} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{trap.url}/a.png"/></svg>',
        "pattern": f"{trap.folder}/img%03d.png",
        "asx": f'<asx version="3.0"><entry><ref href="{there}"/></entry></asx>',
        "pls": f"[playlist]\nFile1={there}\n", "imf": '<?xml version="1.0"?><CompositionPlaylist/>',
    }  # fmt: skip
    return {name: text.encode() for name, text in found.items()}


def referring(path: Path, target: Path) -> bytes:
    """Return a real MP4 whose samples lie in another file, as QuickTime's aliases say it."""
    data = bytearray(path.read_bytes())
    name = str(target).encode()
    name += b"\0" * (len(name) % 2)
    alias = struct.pack(">10xB27s12xB63s16xHH16x", 0, b"", 6, b"secret", 0, 0)
    alias += struct.pack(">HH", 2, len(name)) + name + struct.pack(">H", 0xFFFF)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    found = [(at, size, bytes(data[at + 4 : at + 8])) for at, size in boxes(data)]
    (dref,) = [(at, size) for at, size, kind in found if kind == b"dref"]
    holders = [at for at, size, _ in found if at <= dref[0] and dref[0] + dref[1] <= at + size]
    old = dref[1] - 16
    data[dref[0] + 16 : dref[0] + dref[1]] = entry
    for at in holders:  # the index is behind the samples, so no sample moves
        size = int.from_bytes(data[at : at + 4], "big") + len(entry) - old
        data[at : at + 4] = size.to_bytes(4, "big")
    return bytes(data)


def judge(path: Path, *options: str) -> None:
    """Let FFmpeg's command line open a file with every lock off."""
    command = [ffmpeg(), "-v", "error", "-nostdin", *options, "-i", path, "-f", "null", "-"]
    subprocess.run(command, check=False, capture_output=True, timeout=10)


NAMES = ("clip.mp4", "img%03d.png", "list.m3u8", "concat:secret.mp4|x.mp4")


async def test_what_poses_as_video_opens_nothing(mill, tmp_path: Path):
    """As uploads of every kind and as members of archives; good videos pass beside them."""
    with trap(tmp_path / "trap") as watched:
        posing = texts(watched)
        plain = clip(tmp_path / "plain.mp4", "-g", "5", seconds=0.3, size="96x64")
        posing["alias"] = referring(plain, watched.folder / "secret.mp4")
        posing["mark"] = b"\xef\xbb\xbf" + posing["hls url"]
        posing["after an mp4 head"] = plain.read_bytes()[:40] + posing["concat"]
        videos = dict(good(tmp_path))
        watched.opened()
        async with mill() as service:
            for name in NAMES:
                for kind, data in posing.items():
                    await arrive(service, name, kind, data)
            members = {
                f"{n}/{name}": data for name in NAMES for n, data in enumerate(posing.values())
            }
            files = {f"good{path.suffix}": path.read_bytes() for path in videos.values()}
            ended = await of_archive(service, zipped({**members, **files}))
            passed = {name for name, state in ended.items() if state == "succeeded"}
            assert (passed, len(ended)) == ({*files}, len(members) + len(files))
            for name, path in videos.items():
                answer = await service.upload(path.name, path.read_bytes())
                assert answer.status_code == 201, (name, answer.text)
                (item,) = await service.outcomes([answer.json()["id"]], "extract-frames", count=2)
                assert item["state"] == "succeeded", (name, item)
            service.alive()
        assert watched.opened() == 0
        assert watched.calls == []


def good(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield sound videos of the three containers that matter most."""
    yield "mp4", clip(folder / "good.mp4", "-g", "5", seconds=0.4, size="96x64")
    yield "mkv", clip(folder / "good.mkv", "-g", "5", seconds=0.4, size="96x64", codec=X264)
    webm = folder / "good.webm"
    run("-i", folder / "good.mp4", "-c:v", "libvpx", "-g", "5", "-b:v", "200k", webm)
    yield "webm", webm


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


async def arrive(mill: Mill, name: str, kind: str, data: bytes) -> None:
    """Upload something that is no video, raw and once as JSON; it is refused, or a text."""
    body = {"filename": name, "content_base64": base64.b64encode(data).decode()}
    answers = [await mill.upload(name, data)]
    if name == NAMES[0]:
        answers.append(await mill.client.post("/v1/files", json=body))
    for answer in answers:
        assert answer.status_code in (201, 415, 422), (name, kind, answer.text)
        if answer.status_code == 201:
            assert answer.json()["media_type"].startswith("text/"), (name, kind, answer.text)
            steps = [{"operation": "extract-frames"}]
            job = {"files": [answer.json()["id"]], "steps": steps}
            assert (await mill.client.post("/v1/jobs", json=job)).status_code == 422, (name, kind)


async def of_archive(mill: Mill, data: bytes) -> dict[str, str]:
    """Run a job over every member of an archive; return what became of each, by its path."""
    file = (await mill.upload("set.zip", data)).json()["id"]
    steps = [{"operation": "extract-frames", "parameters": {"count": 1}}]
    body = {"archive": file, "members": ["*"], "steps": steps}
    job = (await mill.client.post("/v1/jobs", json=body)).json()["id"]
    told = (await mill.client.get(f"/v1/jobs/{job}", params={"wait": 60})).json()
    assert told["finished_at"], told
    found: dict[str, str] = {}
    query = {"limit": 100}
    while True:
        page = (await mill.client.get(f"/v1/jobs/{job}/items", params=query)).json()
        for item in page["data"]:
            assert item["code"] != "internal", item
            found[item["path"]] = item["state"]
        if not page["has_more"]:
            return found
        query["after"] = page["after"]


def test_the_trap_snaps(tmp_path: Path):
    """FFmpeg with its locks off opens the file and calls the listener, so the watch is awake."""
    with trap(tmp_path / "trap") as watched:
        texts_ = texts(watched)
        for kind, count in (("concat", 1), ("hls", 1)):
            path = tmp_path / "x.txt"
            path.write_bytes(texts_[kind])
            watched.opened()
            free = ["-safe", "0"] if kind == "concat" else ["-allowed_extensions", "ALL"]
            judge(path, "-protocol_whitelist", "file,http,tcp,crypto", *free)
            assert watched.opened() >= count, kind
        path.write_bytes(texts_["hls url"])
        options = ("-rw_timeout", "1000000", "-protocol_whitelist", "file,http,tcp")
        with suppress(subprocess.TimeoutExpired):
            judge(path, *options, "-allowed_extensions", "ALL")
        assert watched.calls
        plain = clip(tmp_path / "plain.mp4", "-g", "5", seconds=0.3, size="96x64")
        alias = tmp_path / "alias.mp4"
        alias.write_bytes(referring(plain, watched.folder / "secret.mp4"))
        watched.opened()
        judge(alias, "-enable_drefs", "1", "-use_absolute_path", "1")
        assert watched.opened() >= 1


# -- S11 ------------------------------------------------------------------------------------------


def png(width: int, height: int, rows: int = 1, frames: int = 1) -> bytes:
    """Return a PNG that says how large it is, and holds some rows of nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1 + 3 * min(width, 100_000)) * rows, 1)
    moving = chunk(b"acTL", struct.pack(">II", frames, 0)) if frames > 1 else b""
    chunks = chunk(b"IHDR", head) + moving + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def gif(frames: int) -> bytes:
    """Return a GIF of so many frames of a megapixel, each a few bytes of LZW."""
    size = struct.pack("<HH", 1000, 1000)
    frame = b"\x2c" + bytes(4) + size + b"\x00\x02\x02\x4c\x01\x00"
    return b"GIF89a" + size + b"\x80\0\0" + bytes(6) + frame * frames + b"\x3b"


def still(form: str, mode: str, height: int, **options: object) -> bytes:
    """Return a picture 8,500 pixels wide."""
    buffer = io.BytesIO()
    Image.new(mode, (8500, height)).save(buffer, form, **options)
    return buffer.getvalue()


def bombs() -> dict[str, bytes]:
    """Return what is small and wants to become large."""
    return {
        "51 MP jpeg": still("JPEG", "L", 6001, quality=5), "51 MP png": png(8500, 6001, 20),
        "51 MP tiff": still("TIFF", "1", 6001, compression="group4"), "zip": bomb(1100),
        "wide png": png(60_000, 60_000), "png of 2^31": png(2**31 - 1, 2**31 - 1),
        "gif of 51 frames": gif(51), "gif of a million frames": gif(1_000_000),
        "png of 51 frames": png(1000, 1000, 1000, frames=51),
        "png of 2^31 frames": png(100, 100, 100, frames=2**31 - 1),
    }  # fmt: skip


async def test_bombs_are_refused_within_a_second(mill):
    """49 megapixels and 49 frames of one pass: refusing everything would be a failure too."""
    async with mill() as service:
        await service.upload("warm.jpg", sample("orientation-6.jpg").read_bytes())
        for name, data in bombs().items():
            answer = await done_within(1, partial(service.upload, name, data))
            assert answer.status_code in (413, 422), (name, answer.text)
            assert answer.json()["detail"], name
        for name, data in (
            ("a.tiff", still("TIFF", "1", 5800, compression="group4")),
            ("b.gif", gif(49)),
            ("c", bomb(64)),
        ):
            assert (await service.upload(name, data)).status_code == 201, name
        members = {"zeros.png": bytes(64 << 20), "flat.png": png(60_000, 60_000),
                   "many.png": png(8500, 6001, 20), "good.png": png(30, 20, 20)}  # fmt: skip
        file = (await service.upload("set.zip", zipped(members))).json()["id"]
        body = {"archive": file, "steps": [{"operation": "thumbnail"}], "reuse": False}
        for _ in range(TRIES):  # a busy machine may be late now and then, a bomb always is
            job = (await service.client.post("/v1/jobs", json=body)).json()["id"]
            await service.client.get(f"/v1/jobs/{job}", params={"wait": 60})
            items = (await service.client.get(f"/v1/jobs/{job}/items")).json()["data"]
            if all(item["seconds"] < 1 for item in items):
                break
        told = {item["name"]: item for item in items}
        assert told.pop("good.png")["state"] == "succeeded", items
        assert len(told) == 3
        for name, item in told.items():
            assert (item["state"], item["seconds"] < 1) == ("failed", True), item
            assert item["code"] in ("limit_exceeded", "unsupported_media"), (name, item)
        service.alive()
