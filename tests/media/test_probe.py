"""A type is told by content, limits hold before decoding, and nothing opens anything else."""

import io
import socket
import struct
import threading
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tests import media_factory as make

from mediamill.core.errors import BrokenMedia, InvalidInput, LimitExceeded, UnsupportedMedia
from mediamill.media.facts import Facts
from mediamill.media.image.codecs.header import guarded
from mediamill.media.probe import probe
from mediamill.media.sniff import sniff
from mediamill.media.video.container import opened, translated


def facts(data: bytes, name: str = "name.mp4") -> Facts:
    return probe(lambda: io.BytesIO(data), name, len(data))


def facts_of(path: Path) -> Facts:
    return probe(lambda: path.open("rb"), path.name, path.stat().st_size)


def image(form: str, size: tuple[int, int] = (40, 20), frames: int = 1, **options: object) -> bytes:
    stream = io.BytesIO()
    pictures = [Image.new("RGB", size, (n * 5 % 256, 90, 10)) for n in range(frames)]
    more = {"save_all": True, "append_images": pictures[1:]} if frames > 1 else {}
    pictures[0].save(stream, form, **more, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("GIF", "image/gif"),
     ("TIFF", "image/tiff"), ("BMP", "image/bmp"), ("AVIF", "image/avif")],
)  # fmt: skip
def test_images_are_known_by_content(form: str, media_type: str):
    found = facts(image(form), "notes.txt")
    assert (found.media_type, found.width, found.height) == (media_type, 40, 20)


def test_real_samples_pass():
    jpegs = ("orientation-6", "orientation-8", "gps-nikon", "phone-iphone", "phone-jolla")
    expected = {
        **{f"{name}.jpg": "image/jpeg" for name in (*jpegs, "phone-nokia")},
        "iphone.heic": "image/heic",
        "scan.tiff": "image/tiff",
        "car-detection.mp4": "video/mp4",
        "bottle-detection.mp4": "video/mp4",
        "milk.mkv": "video/x-matroska",
    }
    found = {name: facts_of(make.sample(name)) for name in expected}
    assert {name: each.media_type for name, each in found.items()} == expected
    assert all(each.width and each.height for each in found.values())
    assert found["car-detection.mp4"].duration == pytest.approx(30.16)
    assert found["car-detection.mp4"].codec == "h264"


def test_size_is_that_after_orientation(tmp_path: Path):
    turned = Image.Exif()
    turned[0x0112] = 6
    assert facts(image("JPEG", exif=turned)).width == 20
    assert facts_of(make.rotated(tmp_path / "turned.mp4")).width == 180


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"PK\x05\x06" + bytes(18), "application/zip"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"just words\n", "text/plain"),
        ("Grüße, 你好".encode(), "text/plain"),
        ("wide".encode("utf-16"), "text/plain"),
        (b"BMW makes cars, GIF makes pictures, RIFF plays", "text/plain"),
        (b"<svg xmlns='x'><script>alert(1)</script></svg>", "text/xml"),
        (b"  <?xml version='1.0'?><svg/>", "text/xml"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "text/html"),
        (b"\xef\xbb\xbf<HTML>", "text/html"),
        (bytes(range(256)), "application/octet-stream"),
        (b"", "application/octet-stream"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "text/plain"),
    ],
)
def test_what_is_no_image_or_video(data: bytes, media_type: str):
    assert facts(data, "clip.mp4").media_type == media_type
    assert sniff(data) == media_type


def _png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def test_51_megapixels_are_refused_and_49_are_not():
    with pytest.raises(LimitExceeded):
        facts(_png(51_000, 1000))
    assert facts(_png(49_000, 1000)).width == 49_000


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_frames_of_an_animation_are_summed(form: str):
    assert facts(image(form, (1000, 1000), frames=8)).frames == 8
    with pytest.raises(LimitExceeded):
        facts(image(form, (2000, 2000), frames=13))


def test_an_animation_may_not_hide_its_length():
    with pytest.raises(LimitExceeded):
        facts(_png(10, 10, (b"acTL", struct.pack(">2I", 1 << 30, 0))))


def test_hostile_images_raise_invalid_input_only():
    accepted = 0
    for path in make.hostile_images():
        try:
            accepted += facts_of(path).media_type.startswith("image/")
        except InvalidInput:
            continue
    assert accepted >= 10, "refusing everything is a failure too"


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
    "hls address": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
    "dash": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'>"
            "<Period><AdaptationSet mimeType='video/mp4'><Representation id='1'>"
            "<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP\n",
    "smil": "RTSPtext\nrtsp://127.0.0.1/x\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_posing_as_video_opens_nothing(tmp_path: Path, kind: str):
    target = make.clip(tmp_path / "secret.mp4", seconds=0.3)
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_listen, args=(server, calls), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.mp4"
        path = tmp_path / "clip.mp4"
        path.write_text(PLAYLISTS[kind].format(target=target.name, url=url))
        assert not facts_of(path).media_type.startswith("video/")
        with pytest.raises(InvalidInput), opened(lambda: path.open("rb"), path.name):
            pass
    assert not calls


def _listen(server: socket.socket, calls: list[object]) -> None:
    try:
        while True:
            calls.append(server.accept())
    except OSError:
        return


def test_the_lock_is_needed(tmp_path: Path):
    """Without `format_whitelist` the same text does open another file."""
    target = make.clip(tmp_path / "secret.mp4", seconds=0.3)
    path = tmp_path / "clip.mp4"
    path.write_text(PLAYLISTS["concat"].format(target=target.name))
    with av.open(str(path), mode="r") as container:
        assert container.format.name == "concat"


@pytest.mark.parametrize(
    "name", ["a.mp4", "a.mkv", "a.webm", "a.avi", "a.ts", "a.mpg", "a.flv", "a.mov"]
)
def test_good_videos_of_allowed_containers_pass(tmp_path: Path, name: str):
    codecs = {"webm": ("-c:v", "libvpx"), "mpg": ("-c:v", "mpeg2video"), "flv": ("-c:v", "flv")}
    codec = codecs.get(name[2:], make.X264)
    found = facts_of(make.clip(tmp_path / name, seconds=0.5, codec=codec))
    assert (found.media_type[:6], found.width, found.height) == ("video/", 320, 180)


def test_other_containers_stay_shut(tmp_path: Path):
    """NUT holds H.264 and FFmpeg reads it: only the list of formats keeps it out."""
    path = make.clip(tmp_path / "a.nut", seconds=0.2)
    assert facts_of(path).media_type == "application/octet-stream"
    with pytest.raises(InvalidInput), opened(lambda: path.open("rb"), path.name):
        pass


def test_broken_and_foreign_videos(tmp_path: Path):
    data = make.clip(tmp_path / "a.mp4", seconds=0.5).read_bytes()
    with pytest.raises(BrokenMedia):
        facts(data[: len(data) // 2])
    with pytest.raises(BrokenMedia):
        facts(data[:40] + bytes(500))
    tone = tmp_path / "a.ogg"
    make.run("-f", "lavfi", "-i", "sine=d=0.3", tone)
    assert facts_of(tone).media_type == "audio/ogg"
    odd = make.clip(tmp_path / "a.avi", seconds=0.2, codec=("-c:v", "zmbv"))
    with pytest.raises(UnsupportedMedia):
        facts_of(odd)


def test_random_damage_raises_invalid_input_only(tmp_path: Path):
    draw = np.random.default_rng(4)
    for name in ("a.mp4", "a.mkv", "a.ts", "a.avi"):
        whole = make.clip(tmp_path / name, seconds=0.3, size="64x64").read_bytes()
        for _ in range(60):
            data = bytearray(whole)
            for at in draw.integers(0, len(data), 12):
                data[at] = draw.integers(0, 256)
            try:
                facts(bytes(data))
            except InvalidInput:
                continue


@pytest.mark.parametrize("telling", [guarded, translated])
def test_what_the_disk_did_is_told_beside_the_words(telling):
    kind = av.FFmpegError if telling is translated else OSError
    with pytest.raises(BrokenMedia, match=r"^a.png ") as told, telling("a.png"):
        raise kind(5, "Input/output error")
    assert told.value.details == {"cause": f"{kind.__name__} 5"}
