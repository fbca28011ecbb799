"""What the methods do, written out once more in plain NumPy, on shares of white, 0…1.

Sources: torchvision's functional transforms (rotate, affine, perspective, adjust_*, solarize,
posterize, erase), Kornia (solarize's addition), and the definitions in OPERATIONS.md.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Drawn = dict[str, Any]
LUMA = np.array([0.299, 0.587, 0.114])


def sampled(px: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sample H×W×C bilinearly at places; beyond the edges is 0."""
    framed = np.pad(px, ((1, 1), (1, 1), (0, 0)))
    x, y = np.clip(x + 1, 0, px.shape[1] + 0.999999), np.clip(y + 1, 0, px.shape[0] + 0.999999)
    left, upper = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = (x - left)[:, :, None], (y - upper)[:, :, None]
    top = framed[upper, left] * (1 - u) + framed[upper, left + 1] * u
    low = framed[upper + 1, left] * (1 - u) + framed[upper + 1, left + 1] * u
    return top * (1 - v) + low * v


def warped(px: np.ndarray, back: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Take each pixel (x, y) from `back(x, y)`, both measured from the middle."""
    height, width = px.shape[:2]
    cx, cy = (width - 1) / 2, (height - 1) / 2
    x, y = np.meshgrid(np.arange(width) - cx, np.arange(height) - cy)
    found = back(x, y)
    return with_alpha(px, lambda part: sampled(part, found[0] + cx, found[1] + cy))


def with_alpha(px: np.ndarray, work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Do linear work with alpha multiplied in."""
    if px.shape[2] == 3:
        return work(px)
    made = work(np.concatenate([px[:, :, :3] * px[:, :, 3:], px[:, :, 3:]], axis=2))
    shown = np.where(made[:, :, 3:] > 0, made[:, :, :3] / np.maximum(made[:, :, 3:], 1e-9), 0)
    return np.concatenate([shown, made[:, :, 3:]], axis=2)


def rotate(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    a = np.radians(drawn["rotate"])
    return warped(px, lambda x, y: (np.cos(a) * x - np.sin(a) * y, np.sin(a) * x + np.cos(a) * y))


def scale(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    return warped(px, lambda x, y: (x / drawn["scale"], y / drawn["scale"]))


def translate(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    right = round(drawn["translate.x"] * px.shape[1])
    down = round(drawn["translate.y"] * px.shape[0])
    return warped(px, lambda x, y: (x - right, y - down))


def shear(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    along = np.tan(np.radians(drawn["shear.x"]))
    return warped(px, lambda x, y: (x - along * y, y))


def perspective(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    w, h = px.shape[1] - 1, px.shape[0] - 1
    at = [(drawn[f"perspective.x{n}"] * w, drawn[f"perspective.y{n}"] * h) for n in range(1, 5)]
    before = [(0, 0), (w, 0), (w, h), (0, h)]
    after = [
        (at[0][0], at[0][1]), (w - at[1][0], at[1][1]),
        (w - at[2][0], h - at[2][1]), (at[3][0], h - at[3][1]),
    ]  # fmt: skip
    rows, right = [], []
    for (x, y), (u, v) in zip(after, before, strict=True):  # from the output to the source
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    m = np.append(np.linalg.solve(rows, right), 1).reshape(3, 3)

    def back(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = np.einsum("ij,jhw->ihw", m, np.stack([x + w / 2, y + h / 2, np.ones_like(x)]))
        return found[0] / found[2] - w / 2, found[1] / found[2] - h / 2

    return warped(px, back)


def colours(px: np.ndarray, work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    made = np.clip(work(px[:, :, :3]), 0, 1)
    return np.concatenate([made, px[:, :, 3:]], axis=2)


def brightness(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    return colours(px, lambda c: c * drawn["brightness"])


def contrast(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    f = drawn["contrast"]
    return colours(px, lambda c: f * c + (1 - f) * (c @ LUMA).mean())


def saturation(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    f = drawn["saturation"]
    return colours(px, lambda c: f * c + (1 - f) * (c @ LUMA)[:, :, None])


def grayscale(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    return colours(px, lambda c: np.repeat((c @ LUMA)[:, :, None], 3, axis=2))


def channel_shuffle(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    order = [int(place) - 1 for place in str(drawn["channel-shuffle"])]
    return colours(px, lambda c: c[:, :, order])


def hue(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    """HSV by the formulas of Smith (1978), as `colorsys` and torchvision have them."""

    def work(c: np.ndarray) -> np.ndarray:
        most, least = c.max(axis=2), c.min(axis=2)
        span = np.maximum(most - least, 1e-12)
        r, g, b = ((c[:, :, n] - least) / span for n in range(3))
        sixth = np.where(
            most == c[:, :, 0], g - b, np.where(most == c[:, :, 1], 2 + b - r, 4 + r - g)
        )
        turned = (sixth + 6 * drawn["hue"]) % 6
        made = [
            most - (most - least) * np.clip(np.minimum(k, 4 - k), 0, 1)
            for k in ((n + turned) % 6 for n in (5, 3, 1))
        ]
        return np.stack(made, axis=2)

    return colours(px, work)


def solarize(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    def work(c: np.ndarray) -> np.ndarray:
        moved = np.clip(c + drawn["solarize.addition"], 0, 1)
        return np.where(moved < drawn["solarize"], moved, 1 - moved)

    return colours(px, work)


def posterize(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    keep = 256 - 2 ** (8 - drawn["posterize"])
    return colours(px, lambda c: (np.floor(c * 255 + 1e-6).astype(int) & keep) / 255)


def convolved(px: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlate with a kernel, mirrored at the edges without repeating the outermost pixel."""
    h, w = kernel.shape[0] // 2, kernel.shape[1] // 2
    framed = np.pad(px, ((h, h), (w, w), (0, 0)), mode="reflect")
    rows, columns = px.shape[:2]
    return sum(
        kernel[y, x] * framed[y : y + rows, x : x + columns]
        for y in range(kernel.shape[0])
        for x in range(kernel.shape[1])
    )


def gaussian_blur(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    size = drawn["gaussian-blur.kernel"]
    bell = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * drawn["gaussian-blur"] ** 2))
    kernel = np.outer(bell, bell) / bell.sum() ** 2
    return with_alpha(px, lambda part: convolved(part, kernel))


def sharpness(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    f = drawn["sharpness"]

    def work(c: np.ndarray) -> np.ndarray:
        smooth = convolved(c, np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13)
        made = f * c + (1 - f) * smooth
        made[[0, -1]], made[:, [0, -1]] = c[[0, -1]], c[:, [0, -1]]
        return made

    return colours(px, work)


def erase(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    area = drawn["erase"] * px.shape[0] * px.shape[1]
    high = min(px.shape[0], max(1, round((area * drawn["erase.ratio"]) ** 0.5)))
    wide = min(px.shape[1], max(1, round((area / drawn["erase.ratio"]) ** 0.5)))
    made = px.copy()
    part = (
        slice(drawn["erase.top"], drawn["erase.top"] + high),
        slice(drawn["erase.left"], drawn["erase.left"] + wide),
    )
    made[part] = [0, 0, 0, 1][: px.shape[2]]
    return made


def random_crop(px: np.ndarray, drawn: Drawn, size: int = 40) -> np.ndarray:
    left, upper = drawn["random-crop.left"], drawn["random-crop.top"]
    return px[upper : upper + size, left : left + size]


def horizontal_flip(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    return px[:, ::-1]


def vertical_flip(px: np.ndarray, drawn: Drawn) -> np.ndarray:
    return px[::-1]


REFERENCES: dict[str, tuple[Callable[..., np.ndarray], float]] = {
    "rotate": (rotate, 1.5),
    "scale": (scale, 1.5),
    "translate": (translate, 0.6),
    "shear": (shear, 1.5),
    "perspective": (perspective, 1.5),
    "horizontal-flip": (horizontal_flip, 0),
    "vertical-flip": (vertical_flip, 0),
    "random-crop": (random_crop, 0),
    "brightness": (brightness, 1),
    "contrast": (contrast, 1),
    "saturation": (saturation, 1),
    "hue": (hue, 1),
    "grayscale": (grayscale, 1),
    "channel-shuffle": (channel_shuffle, 0),
    "solarize": (solarize, 1),
    "posterize": (posterize, 0.5),
    "gaussian-blur": (gaussian_blur, 1),
    "sharpness": (sharpness, 1),
    "erase": (erase, 0),
}
"""The reference of a method, and how many of 255 levels it may be off at most."""
