"""Pictures come to a model as its configuration says, by the arithmetic of another hand."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from mediamill.core.errors import ProviderRefused, QuestionRefused
from mediamill.media.models.pictures import processor_of

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def png(width: int, height: int, seed: int = 0, mode: str = "RGB") -> tuple[Image.Image, bytes]:
    draws = np.random.default_rng(seed)
    shape = (height, width, len(mode)) if mode in ("RGB", "RGBA") else (height, width)
    depth = np.uint16 if mode == "I;16" else np.uint8
    values = draws.integers(0, np.iinfo(depth).max, shape, endpoint=True).astype(depth)
    image, out = Image.fromarray(values), io.BytesIO()
    image.save(out, "png")
    return image, out.getvalue()


def by_pixel(image: Image.Image, mean: list[float], std: list[float]) -> np.ndarray:
    """Scale and normalise in double precision, a channel at a time."""
    values = np.asarray(image.convert("RGB"), np.float64) / 255
    return np.stack([(values[..., n] - mean[n]) / std[n] for n in range(3)])


@pytest.mark.parametrize("resample", [0, 1, 2, 3, 4, 5])
def test_vit_resizes_to_both_sides(resample: int) -> None:
    """As google/vit-base-patch16-224 says; whatever the picture's shape."""
    config = {"image_processor_type": "ViTImageProcessor", "size": 20, "resample": resample,
              "image_mean": MEAN, "image_std": STD}  # fmt: skip
    for size in ((31, 17), (20, 20), (7, 50)):
        image, data = png(*size)
        expected = by_pixel(image.resize((20, 20), Image.Resampling(resample)), MEAN, STD)
        found = processor_of(config)(data, "image/png")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("size", [(60, 40), (40, 60), (33, 33), (41, 300)])
def test_clip_resizes_the_shorter_side_and_keeps_the_middle(size: tuple[int, int]) -> None:
    config = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 24,
              "crop_size": 20, "do_center_crop": True, "resample": 3,
              "image_mean": MEAN, "image_std": STD}  # fmt: skip
    image, data = png(*size)
    short, long = min(size), max(size)
    other = int(24 * long / short)
    made = image.resize(
        (24, other) if size[0] <= size[1] else (other, 24), Image.Resampling.BICUBIC
    )
    left, top = (made.width - 20) // 2, (made.height - 20) // 2
    expected = by_pixel(made.crop((left, top, left + 20, top + 20)), MEAN, STD)
    np.testing.assert_allclose(processor_of(config)(data, "image/png"), expected, atol=2e-6)


def test_convnext_crops_a_part_below_384() -> None:
    config = {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 28},
              "crop_pct": 0.875, "resample": 3, "image_mean": MEAN, "image_std": STD}  # fmt: skip
    image, data = png(64, 64)
    made = image.resize((32, 32), Image.Resampling.BICUBIC).crop((2, 2, 30, 30))
    found = processor_of(config)(data, "image/png")
    np.testing.assert_allclose(found, by_pixel(made, MEAN, STD), atol=2e-6)
    whole = processor_of(config | {"size": {"shortest_edge": 384}})
    assert (whole.exact, whole.crop) == ((384, 384), None)


def test_a_crop_larger_than_the_picture_has_a_black_border() -> None:
    config = {"size": {"height": 4, "width": 5}, "do_center_crop": True, "do_normalize": False,
              "crop_size": {"height": 7, "width": 5}}  # fmt: skip
    image, data = png(5, 4)
    found = processor_of(config)(data, "image/png")
    border = math.ceil(3 / 2)
    np.testing.assert_allclose(found[:, border : border + 4], by_pixel(image, [0] * 3, [1] * 3))
    assert not found[:, :border].any()
    assert not found[:, border + 4 :].any()


def test_scale_order_of_channels_and_place_of_channels() -> None:
    image, data = png(6, 6)
    values = np.asarray(image, np.float32)
    config = {"image_processor_type": "MobileViTImageProcessor", "size": {"height": 6, "width": 6},
              "resample": 2, "do_center_crop": False, "do_flip_channel_order": True}  # fmt: skip
    flipped = processor_of(config | {"rescale_factor": 1 / 127.5})(data, "image/png")
    np.testing.assert_allclose(flipped, values[..., ::-1].transpose(2, 0, 1) / 127.5, rtol=1e-6)
    plain = {"size": 6, "do_normalize": False, "do_rescale": False, "do_resize": False}
    np.testing.assert_array_equal(processor_of(plain, last=True)(data, "image/png"), values)


@pytest.mark.parametrize("mode", ["RGBA", "L", "I;16"])
def test_other_kinds_of_pictures_become_rgb_of_8_bits(mode: str) -> None:
    image, data = png(6, 6, mode=mode)
    found = processor_of({"size": 6, "do_normalize": False, "do_rescale": False})(data, "image/png")
    values = np.asarray(image)
    grey = (values >> 8) if mode == "I;16" else values
    expected = values[..., :3] if mode == "RGBA" else np.stack([grey] * 3, axis=-1)
    np.testing.assert_array_equal(found, expected.transpose(2, 0, 1))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"image_processor_type": "PoolFormerImageProcessor"},
        {"size": 5000},
        {"size": 0},
        {"size": {"longest_edge": 5}},
        {"size": "large"},
        {"size": 8, "do_pad": True},
        {"image_processor_type": "CLIPImageProcessor", "size": 8},
        {"image_processor_type": "BlipImageProcessor", "size": 8, "resample": 3},
        {"size": 8, "resample": 9},
        {"size": 8, "image_std": [0.5, 0.0, 0.5]},
        {"size": 8, "image_mean": [0.5]},
    ],
)
def test_a_configuration_that_is_not_understood_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ProviderRefused):
        processor_of(config)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", "image/png"), (b"GIF89a", "image/png"), (png(4, 4)[1][:60], "image/png"),
     (png(4, 4)[1], "image/jpeg"), (png(4, 4)[1], "image/gif"), (png(9000, 1)[1], "image/png")],
)  # fmt: skip
def test_a_picture_that_cannot_be_decoded_is_refused(data: bytes, kind: str) -> None:
    with pytest.raises(QuestionRefused):
        processor_of({"size": 8})(data, kind)


def test_a_thread_of_pixels_is_refused_where_it_would_become_huge() -> None:
    config = {"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 224}}
    with pytest.raises(QuestionRefused, match="long and narrow"):
        processor_of(config)(png(8000, 2)[1], "image/png")
