"""S8 and S9: hostile images and videos through the real API; and good ones still pass.

The soak takes about ten minutes: 1,600 images and 1,000 videos.
"""

import subprocess
from pathlib import Path
from typing import get_args

import av
import pytest

from mediamill.operations.augment import ranges as augment
from mediamill.operations.preprocess import parameters as preprocess
from tests.media_factory import clip, ffmpeg, hostile_images, run, sample
from tests.security.mutator import mutants

SAMPLES = ("phone-iphone.jpg", "orientation-6.jpg", "gps-nikon.jpg", "scan.tiff")
VIDEOS = ("milk.mkv", "car-detection.mp4", "bottle-detection.mp4")
BROKEN = {
    "Tests__images__truncated_jpeg.jpg": "its end is missing, which FFmpeg fills in without a word",
    "Tests__images__tiff_overflow_rows_per_strip.tif": "its strips overflow; libtiff refuses it",
}
"""What FFmpeg decodes and we refuse, and why."""
LISTED = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")


def decodes(path: Path) -> bool:
    """Tell whether FFmpeg decodes the pictures of a file, at least one, without a complaint."""
    command = [ffmpeg(), "-v", "error", "-xerror", "-nostdin", "-i", str(path)]
    command += ["-map", "0:v:0", "-f", "framecrc", "-"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    frames = [line for line in done.stdout.splitlines() if not line.startswith(b"#")]
    return bool(frames) and done.returncode == 0 and not done.stderr


def opens_today(path: Path) -> bool:
    """Tell whether PyAV's FFmpeg, newer than the tool and stricter on headers, opens a file too."""
    try:
        with av.open(path) as container:
            return next(container.decode(video=0), None) is not None
    except av.FFmpegError:
        return False


async def test_hostile_images_harm_nobody_and_clean_ones_pass(mill):
    async with mill() as service:
        accepted, clean, refused = {}, [], []
        for path in hostile_images():
            answer = await service.upload(path.name, path.read_bytes())
            is_clean = path.suffix.lower() in LISTED and decodes(path)
            if answer.status_code == 201:
                accepted[answer.json()["id"]] = path.name
                clean += [path.name] if is_clean else []
            else:
                told = answer.json()
                assert told["code"], told
                assert told["detail"], told
                refused += [path.name] if is_clean and answer.status_code != 413 else []
        images = [*accepted]
        failed = set()
        for operation in ("thumbnail", "convert"):
            for item in await service.outcomes(images, operation):
                if item["state"] == "failed":
                    failed.add(item["name"])
        service.alive()
        wrong = {*refused, *(name for name in clean if name in failed)} - {*BROKEN}
        assert len(wrong) <= 0.01 * (len(clean) + len(refused)), wrong


EVERY: list[tuple[str, dict[str, object]]] = [
    ("augment", {"methods": get_args(augment.Method)[:14], "elastic": [0, 0.03]}),
    ("augment", {"methods": get_args(augment.Method)[14:]}),
    ("preprocess", {"threshold": 0}),
    ("preprocess", {
        "methods": ["grayscale", "equalize-histogram", "crop", "resize", "tile", "denoise"],
        "equalization": "clahe", "low_contrast": 1, "strength": 0.1, "crop": [0, 0, 9, 9],
        "width": 40, "rows": 2, "columns": 2, "overlap": 0.5,
    }),
    ("health-check", {}),
    ("convert", {"format": "png"}),
]  # fmt: skip
"""Operations on images, all their methods, with parameters that let them do much."""


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.soak)])
async def test_hostile_images_through_every_operation(mill, step: int):
    async with mill() as service:
        files = []
        for path in hostile_images()[::step]:
            answer = await service.upload(path.name, path.read_bytes())
            if answer.status_code == 201:
                files.append(answer.json()["id"])
        assert files
        named = {name for _, parameters in EVERY for name in parameters.get("methods", ())}
        assert named | {*preprocess.DEFAULT} == {
            *get_args(augment.Method), *get_args(preprocess.Method),
        }  # fmt: skip
        for operation, parameters in EVERY:
            ended = await service.outcomes(files, operation, **parameters)
            assert any(item["state"] == "succeeded" for item in ended), (operation, ended)
        for file in files:
            for operation in ("augment", "preprocess", "convert"):
                body = {"file": file, "parameters": {"methods": ["grayscale"]}}
                if operation == "convert":
                    body["parameters"] = {"format": "jpeg"}
                shown = await service.client.post(f"/v1/operations/{operation}/preview", json=body)
                assert shown.status_code == 200 or shown.json()["code"], shown.text
                assert shown.status_code < 500, shown.text
        service.alive()


@pytest.mark.parametrize("count", [5, pytest.param(400, marks=pytest.mark.soak)])
async def test_mutated_images_end_with_a_reason(mill, count: int):
    async with mill() as service:
        files = []
        for seed, name in enumerate(SAMPLES):
            data = sample(name).read_bytes()
            for kind, mutant in mutants(data, count, seed):
                answer = await service.upload(f"{kind}-{name}", mutant)
                if answer.status_code == 201:
                    files.append(answer.json()["id"])
        await service.outcomes(files, "thumbnail", size=200)
        service.alive()


@pytest.mark.parametrize("count", [4, pytest.param(200, marks=pytest.mark.soak)])
async def test_mutated_videos_end_with_a_reason_and_sound_ones_pass(
    mill, tmp_path: Path, count: int
):
    short = clip(tmp_path / "short.mp4", "-g", "20", "-movflags", "+faststart", seconds=2)
    fragmented = tmp_path / "fragmented.mp4"
    run("-i", short, "-c", "copy", "-movflags", "frag_keyframe+empty_moov", fragmented)
    sources = [short, fragmented, *(sample(name) for name in VIDEOS)]
    async with mill() as service:
        files, sound = {}, []
        for seed, path in enumerate(sources):
            for kind, mutant in mutants(path.read_bytes(), count, seed):
                name = f"{kind}-{path.name}"
                copy = tmp_path / "mutant"
                copy.write_bytes(mutant)
                answer = await service.upload(name, mutant)
                if decodes(copy) and opens_today(copy):
                    sound.append(name)
                if answer.status_code == 201:
                    files[answer.json()["id"]] = name
        ended = await service.outcomes([*files], "extract-frames", count=3, width=160)
        service.alive()
        good = {item["name"] for item in ended if item["state"] == "succeeded"}
        lost = [name for name in sound if name not in good]
        assert len(lost) <= max(1, 0.01 * len(sound)), lost


async def test_good_media_passes(mill):
    async with mill() as service:
        images, videos = [], []
        for name in (*SAMPLES, "phone-jolla.jpg", "phone-nokia.jpg", "orientation-8.jpg", *VIDEOS):
            answer = await service.upload(name, sample(name).read_bytes())
            assert answer.status_code == 201, answer.text
            (videos if name in VIDEOS else images).append(answer.json()["id"])
        for operation, files in (("thumbnail", images + videos), ("extract-frames", videos)):
            parameters = {"count": 2} if operation == "extract-frames" else {}
            for item in await service.outcomes(files, operation, **parameters):
                assert item["state"] == "succeeded", item
        service.alive()
