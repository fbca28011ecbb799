"""augment: composed methods, copies, splits, draws, and what is in the lineage."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from tests import media_factory as make
from tests.support import pictures

from mediamill.core.errors import InvalidInput
from mediamill.media.image.picture import Picture
from mediamill.operations.augment import Augment, plugin
from mediamill.operations.base import Context, Source
from mediamill.operations.catalogue import OPERATIONS
from mediamill.operations.image import ImageOperation
from mediamill.operations.preprocess import Preprocess

MOVES = ("rotate", "scale", "translate", "shear", "horizontal-flip", "vertical-flip", "perspective")


def one(step: Augment, picture: Picture, seed: int = 0) -> Picture:
    (made,) = step.apply_all(picture, pictures.context(seed))
    return made


def waves(dtype: type = np.uint8) -> Picture:
    picture = Picture((pictures.smooth(240, 180) * np.iinfo(dtype).max).astype(dtype))
    picture.digest = "5eed"
    return picture


def test_it_is_a_plugin():
    assert plugin is Augment
    assert OPERATIONS.get("augment") is Augment
    assert Augment.draws
    assert Augment.deep


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("seed", range(6))
def test_composed_moves_equal_moves_one_by_one(dtype: type, seed: int):
    """Inside what both keep; each of the single steps loses some sharpness, the one does not."""
    rng = np.random.default_rng(seed)
    methods = [str(name) for name in rng.permutation(MOVES)[:4]]
    step = Augment(
        methods=methods, probability={m: 1 for m in methods if "flip" in m}, scale=(1, 1.6)
    )
    solid = Picture(_opaque(waves(dtype).array()))
    solid.digest = "5eed"
    together, apart = one(step, solid, seed), solid
    for method in methods:
        alone = step.model_copy(update={"methods": (method,)})
        alone = alone.model_copy(
            update={"probability": {k: v for k, v in step.probability.items() if k == method}}
        )
        before = apart
        apart = one(alone, before, seed)
        apart.digest = "5eed"
        drawn = {k: v for k, v in apart.info["drawn"].items() if not k.endswith(".used")}
        assert drawn.items() <= together.info["drawn"].items()
    most = np.iinfo(dtype).max
    both = (together.array()[:, :, 3] == most) & (apart.array()[:, :, 3] == most)
    error = np.abs(together.array().astype(float) - apart.array())[both] / most * 255
    assert both.mean() > 0.15
    assert error.mean() < 0.7
    assert error.max() < 6


def _opaque(pixels: np.ndarray) -> np.ndarray:
    most = np.iinfo(pixels.dtype).max
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), most, pixels.dtype)], axis=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_composed_colours_equal_colours_one_by_one(dtype: type):
    methods = ["brightness", "contrast", "solarize", "posterize", "saturation", "hue", "grayscale"]
    for count in range(2, len(methods) + 1):
        some = methods[:count]
        step = Augment(methods=some)
        together, apart = one(step, waves(dtype), 3), waves(dtype)
        for method in some:
            apart = one(step.model_copy(update={"methods": (method,)}), apart, 3)
            apart.digest = "5eed"
        error = np.abs(together.array().astype(float) - apart.array()) / np.iinfo(dtype).max * 255
        assert error.mean() < 1
        tight = "solarize" not in some  # it has steps, where half a level decides
        assert not tight or error.max() <= 3


def test_each_pixel_is_sampled_once(monkeypatch: pytest.MonkeyPatch):
    import cv2

    calls: list[str] = []
    for name in ("warpAffine", "warpPerspective", "remap", "LUT", "transform"):
        real = getattr(cv2, name)
        monkeypatch.setattr(
            cv2, name, lambda *a, n=name, r=real, **k: calls.append(n) or r(*a, **k)
        )
    one(Augment(methods=["rotate", "scale", "shear", "solarize", "posterize", "saturation",
                         "grayscale"]), waves())  # fmt: skip
    assert calls == ["warpAffine", "LUT", "transform"]


def test_the_same_seed_gives_the_same_whatever_the_order():
    step = Augment(methods=["rotate", "gaussian-noise", "erase", "hue"], copies=4)

    def named(digest: str) -> Picture:
        picture = waves()
        picture.digest = digest
        return picture

    def bytes_of(names: list[str]) -> dict[str, list[bytes]]:
        return {
            name: [made.array().tobytes() for made in step.apply_all(named(name), context)]
            for name in names
        }

    context = pictures.context(9)
    forth, back = bytes_of(["a", "b", "c"]), bytes_of(["c", "b", "a"])
    assert forth == back
    assert len({data for datas in forth.values() for data in datas}) == 12
    context = pictures.context(10)
    assert bytes_of(["a"])["a"] != forth["a"]


def test_copies_probability_and_the_original():
    step = Augment(
        methods=["horizontal-flip", "brightness"], copies=100, keep_original=True,
        probability={"brightness": 0.25},
    )  # fmt: skip
    made = [*step.apply_all(waves(), pictures.context(1))]
    assert len(made) == 101
    assert np.array_equal(made[0].array(), waves().array())
    assert made[0].info == {"copy": 0}
    drawn = [copy.info["drawn"] for copy in made[1:]]
    assert [copy.info["copy"] for copy in made[1:]] == [*range(1, 101)]
    assert 30 < sum(each["horizontal-flip.used"] for each in drawn) < 70
    used = [each for each in drawn if each["brightness.used"]]
    assert 10 < len(used) < 42
    assert all(0.75 <= each["brightness"] <= 1.5 for each in used)
    assert all("brightness" not in each for each in drawn if not each["brightness.used"])


@pytest.mark.parametrize(
    ("split", "splits", "changed"),
    [
        ("", ("train",), True),
        ("train", ("train",), True),
        ("validation", ("train",), False),
        ("test", ("train",), False),
        ("test", ("train", "test"), True),
        ("train", ("test",), False),
    ],
)
def test_only_the_splits_that_are_named(split: str, splits: tuple[str, ...], changed: bool):
    picture = waves()
    picture.split = split
    made = [*Augment(methods=["brightness"], copies=2, splits=splits).apply_all(
        picture, pictures.context())]  # fmt: skip
    assert len(made) == (2 if changed else 1)
    assert np.array_equal(made[0].array(), picture.array()) is not changed
    assert all(each.split == split for each in made)


@pytest.mark.parametrize(
    ("border", "corner"), [("constant", (10, 20, 30)), ("replicate", None), ("reflect", None)]
)
def test_what_is_beyond_the_picture(border: str, corner: tuple[int, int, int] | None):
    picture = Picture(np.full((50, 60, 3), 200, np.uint8))
    step = Augment(methods=["rotate"], rotate=(45, 45), border=border, fill="#0a141e")
    found = tuple(one(step, picture).array()[0, 0])
    assert found == (corner or (200, 200, 200))
    clear = Picture(np.full((50, 60, 4), 200, np.uint8))
    assert one(step, clear).array()[0, 0, 3] == (0 if border == "constant" else 200)


def test_colours_do_not_bleed_out_of_what_is_transparent():
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[:, :, 0] = 255  # red that nobody sees
    pixels[20:40, 20:40] = (0, 0, 255, 255)
    for methods in (["rotate"], ["gaussian-blur"], ["super-resolution"]):
        made = one(Augment(methods=methods), Picture(pixels)).array()
        shown = made[made[:, :, 3] > 20]
        assert shown[:, 0].max() <= 12, methods


def test_a_picture_that_is_shrunk_is_averaged():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    made = one(Augment(methods=["scale"], scale=(0.1, 0.1)), Picture(stripes)).array()
    middle = made[185:215, 185:215].astype(int)
    assert np.abs(middle - 128).max() <= 2
    noise = np.random.default_rng(2).integers(0, 256, (400, 400, 3), np.uint8)
    made = one(Augment(methods=["scale"], scale=(0.1, 0.1)), Picture(noise)).array()
    assert made[185:215, 185:215].std() < noise.std() / 7


def test_tiny_and_long_pictures():
    for size in ((1, 1), (1, 9), (9, 1), (2, 3)):
        picture = Picture(np.full((*size, 3), 90, np.uint8))
        for name in _all_methods():
            step = Augment(methods=[name], probability={name: 1})
            for made in step.apply_all(picture, pictures.context(2)):
                assert made.array().shape == (*size, 3), name


def _all_methods() -> list[str]:
    from mediamill.operations.augment.methods import METHODS

    return [*METHODS]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"methods": []},
        {"methods": ["spin"]},
        {"methods": ["rotate"], "rotate": [10]},
        {"methods": ["rotate"], "rotate": [10, -10]},
        {"methods": ["rotate"], "rotate": [-181, 0]},
        {"methods": ["scale"], "scale": [0.05, 1]},
        {"methods": ["gaussian-blur"], "gaussian_blur_kernel": [4, 5]},
        {"methods": ["elastic"], "elastic": [0, 0.2]},
        {"methods": ["rotate"], "copies": 0},
        {"methods": ["rotate"], "copies": 101},
        {"methods": ["rotate"], "probability": {"scale": 1}},
        {"methods": ["rotate"], "probability": {"rotate": 2}},
        {"methods": ["rotate"], "splits": ["valid"]},
        {"methods": ["rotate"], "splits": []},
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong: dict[str, Any]):
    with pytest.raises(InvalidInput):
        OPERATIONS.build("augment", wrong)


def source_of(path: Path) -> Source:
    descriptor = os.open(path, os.O_RDONLY)
    make.opened.append(descriptor)
    return Source(descriptor, path.name, "", path.stat().st_size, "5eed")


@pytest.mark.parametrize("kind", pictures.KINDS)
def test_files_keep_their_depth_and_alpha(tmp_path: Path, kind: str):
    media_type, data = pictures.stored(kind)
    path = tmp_path / f"photo.{media_type.removeprefix('image/')}"
    path.write_bytes(data)
    step = Augment(methods=["rotate", "brightness"], copies=2)
    outcome = step.run(source_of(path), Context(tmp_path, seed=4))
    names = [file.name for file in outcome.files]
    assert names == ["photo-augmented.png", "photo-augmented-2.png"]
    for file in outcome.files:
        assert file.info["drawn"].keys() == {"rotate", "brightness"}
        found = pictures.decoded(file.media_type, file.path.read_bytes()).array()
        before = pictures.picture(kind).array()
        assert (found.dtype, found.shape) == (before.dtype, before.shape)


def test_frames_of_a_video_are_drawn_for_each(tmp_path: Path):
    from mediamill.operations.extract_frames import ExtractFrames
    from mediamill.operations.image import through

    path = make.clip(tmp_path / "a.mp4", seconds=1, size="160x96")
    frames = [*ExtractFrames(count=3).pictures(source_of(path), Context(tmp_path))]
    step = Augment(methods=["rotate"], copies=2)
    made = [*through(frames, (step,), Context(tmp_path, seed=1))]
    angles = [picture.info["drawn"]["rotate"] for picture in made]
    assert len(angles) == len({*angles}) == 6
    assert all("pts" in picture.info for picture in made)


def test_copies_of_frames_have_names_of_their_own(tmp_path: Path):
    import zipfile

    from mediamill.operations.extract_frames import ExtractFrames

    path = make.clip(tmp_path / "a.mp4", seconds=1, size="160x96")
    step = Augment(methods=["brightness"], copies=2)
    (tmp_path / "out").mkdir()
    outcome = ExtractFrames(count=2).run_through(
        source_of(path), Context(tmp_path / "out", seed=1), (step,)
    )
    with zipfile.ZipFile(outcome.files[0].path) as archive:
        names = archive.namelist()
    assert len({*names}) == len(names) == 5
    assert [name.endswith("-2.jpg") for name in names[:-1]] == [False, True, False, True]


UNTOUCHED = {
    "keep": Augment(methods=["rotate"], keep_original=True),
    "split": Augment(methods=["rotate"], splits=["test"]),
    "preprocess": Preprocess(methods=["equalize-histogram"], low_contrast=0),
}


@pytest.mark.parametrize("step", UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_nothing_was_done_to_is_passed_on(tmp_path: Path, step: ImageOperation):
    """Byte for byte; without its metadata if it has any; lossless where it was, if it must be."""
    plain = Image.fromarray(waves().array())
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "who and where"
    for name, form, more, same in (
        ("a.jpg", "jpeg", {}, True),
        ("a.png", "png", {}, True),
        ("a.webp", "webp", {}, True),
        ("b.webp", "webp", {"lossless": True, "exif": exif}, False),
        ("b.jpg", "jpeg", {"comment": b"who and where"}, False),
        ("c.jpg", "jpeg", {"exif": exif, "quality": 97}, False),
        ("c.png", "png", {"icc_profile": srgb, "dpi": (72, 72)}, False),
        ("d.jpg", "jpeg", {"icc_profile": srgb, "quality": 31}, False),
        ("a.bmp", "bmp", {}, False),
        ("a.tiff", "tiff", {}, False),
    ):
        path = tmp_path / name
        plain.save(path, form, **more)
        scratch = tmp_path / f"of {name}"
        scratch.mkdir()
        file = step.run(source_of(path), Context(scratch)).files[0]
        data, before = file.path.read_bytes(), pictures.decoded(f"image/{form}", path.read_bytes())
        assert file.media_type == ("image/png" if form in {"bmp", "tiff"} else f"image/{form}")
        assert (data == path.read_bytes()) is same, name
        assert b"who and where" not in data, name
        assert b"iCCP" not in data, name
        found = pictures.decoded(file.media_type, data).array()
        if name == "c.jpg":  # it had to be turned upright
            assert psnr(found, before.array()) > 38
        else:
            assert np.array_equal(found, before.array()), name


GREY = {
    "png": ("grey", ["rotate", "gaussian-blur", "brightness", "saturation"], "L"),
    "png16": ("grey16", ["rotate", "sharpness", "saturation"], "I;16"),
    "jpeg": ("jpeg", ["rotate", "hue"], "L"),
    "noise": ("grey", ["gaussian-noise"], "RGB"),
    "colour": ("rgb", ["grayscale"], "RGB"),
}


@pytest.mark.parametrize(("kind", "methods", "mode"), GREY.values(), ids=GREY)
def test_grey_files_stay_grey_unless_colour_comes_in(
    tmp_path: Path, kind: str, methods: list[str], mode: str
):
    path = tmp_path / "photo"
    if kind == "jpeg":
        Image.fromarray(waves().array()).convert("L").save(path, "jpeg")
    else:
        path.write_bytes(pictures.stored(kind)[1])
    (file,) = Augment(methods=methods).run(source_of(path), Context(tmp_path, seed=2)).files
    with Image.open(file.path) as image:
        assert image.mode in {mode, "I" if mode == "I;16" else mode}  # Pillow before 11: I
        assert image.format == ("JPEG" if kind == "jpeg" else "PNG")
        levels = np.asarray(image).astype(int)
    if mode != "RGB":
        assert levels.std() > 1000 if mode == "I;16" else levels.std() > 10


def test_formats_and_qualities_that_are_asked_for(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(waves().array()).save(path)
    sizes = []
    for quality in (30, 90):
        for step in (
            Augment(methods=["rotate"], splits=["test"], format="jpeg", quality=quality),
            Preprocess(methods=["grayscale"], format="jpeg", quality=quality),
        ):
            (file,) = step.run(source_of(path), Context(tmp_path)).files
            assert file.media_type == "image/jpeg"
            sizes.append(file.size)
            file.path.unlink()
    assert sizes[2] > 1.5 * sizes[0]
    assert sizes[3] > 1.5 * sizes[1]
    for wrong in ({"quality": 80}, {"quality": 80, "format": "png"}):
        with pytest.raises(InvalidInput, match="quality"):
            OPERATIONS.build("augment", {"methods": ["rotate"], **wrong})


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(float) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
