"""Previews: low, middle and high of each parameter on the caller's own image."""

import base64
import io
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from mediamill.services.previews import Shown
from tests import media_factory as make
from tests.web.one_service import ann, bob, mill, nobody, web  # noqa: F401 - fixtures

pytestmark = pytest.mark.asyncio(loop_scope="module")
PREVIEW = "/v1/operations/augment/preview"


async def uploaded(person, name: str, data: bytes) -> str:
    answer = await person.client.post(f"/v1/files?name={name}", content=data)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pictures(answer) -> list[np.ndarray]:
    found = []
    for one in answer.json()["data"]:
        head, _, data = one["image"].partition(",")
        assert head == "data:image/jpeg;base64"
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert image.size == (one["width"], one["height"])
        found.append(np.array(image).astype(float))
    return found


@pytest_asyncio.fixture(loop_scope="module")
async def image(ann):
    return await uploaded(ann, "photo.jpg", make.sample("phone-nokia.jpg").read_bytes())


async def test_ends_and_middle_of_each_range(ann, image):
    parameters = {"methods": ["brightness", "gaussian-blur", "horizontal-flip"]}
    answer = await ann.client.post(PREVIEW, json={"file": image, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    told = [(one["parameter"], one["place"], one["value"]) for one in answer.json()["data"]]
    assert told == [
        ("", "before", None),
        ("brightness", "low", 0.75), ("brightness", "middle", 1.125), ("brightness", "high", 1.5),
        ("gaussian_blur", "low", 1), ("gaussian_blur", "middle", 5.5),
        ("gaussian_blur", "high", 10),
        ("gaussian_blur_kernel", "low", 3), ("gaussian_blur_kernel", "middle", 15),
        ("gaussian_blur_kernel", "high", 25),
        ("horizontal-flip", "after", None),
    ]  # fmt: skip
    before, low, middle, high, *others = pictures(answer)
    assert max(before.shape) == 320
    assert low.mean() < before.mean() < middle.mean() < high.mean()
    assert low.mean() / before.mean() == pytest.approx(0.75, abs=0.02)
    assert np.abs(others[-1][:, ::-1] - before).mean() < 4


async def test_what_is_counted_in_pixels_shrinks_with_the_image(ann):
    """A blur of 10 px on 3,200 px looks like one of 1 px on 320: a line of 40 px stays."""
    wide = np.zeros((1600, 3200, 3), np.uint8)
    wide[:, 1580:1620] = 255
    image = await uploaded(ann, "line.png", png(wide))
    parameters = {"methods": ["gaussian-blur"], "gaussian_blur_kernel": [99, 99]}
    parameters["gaussian_blur"] = [10, 10]
    body = {"file": image, "parameters": parameters}
    before, blurred, *_ = pictures(await ann.client.post(PREVIEW, json=body))
    assert before[80, 160].mean() > 240
    assert blurred[80, 160].mean() > 200


async def test_a_range_of_one_value_is_shown_once(ann, image):
    parameters = {"methods": ["gaussian-noise", "posterize", "shear"], "posterize": [3, 4]}
    answer = await ann.client.post(PREVIEW, json={"file": image, "parameters": parameters})
    told = [(one["parameter"], one["place"], one["value"]) for one in answer.json()["data"]]
    assert told == [
        ("", "before", None),
        ("gaussian-noise", "after", None),
        ("posterize", "low", 3), ("posterize", "high", 4),
        ("shear", "low", -10), ("shear", "middle", 0), ("shear", "high", 10),
    ]  # fmt: skip


async def test_all_methods_of_augment_together(ann, image):
    """As one copy of the image in its split, not the original that may be kept."""
    parameters = {"methods": ["grayscale", "horizontal-flip"], "copies": 5, "keep_original": True}
    parameters |= {"probability": {"horizontal-flip": 1}, "splits": ["test"]}
    body = {"file": image, "parameters": parameters, "whole": True}
    answer = await ann.client.post(PREVIEW, json=body)
    assert [one["place"] for one in answer.json()["data"]] == ["before", "after"]
    before, after = pictures(answer)
    assert np.ptp(after, axis=2).max() < 12
    assert np.abs(after[:, ::-1].mean(axis=2) - before.mean(axis=2)).mean() < 12


async def test_other_operations_show_before_and_after(ann, image):
    body = {"file": image, "parameters": {"format": "jpeg"}}
    answer = await ann.client.post("/v1/operations/convert/preview", json=body)
    assert [one["place"] for one in answer.json()["data"]] == ["before", "after"]
    before, after = pictures(answer)
    assert np.abs(before - after).mean() < 4


async def test_the_same_question_is_answered_from_memory(ann, image, mill, monkeypatch):
    body = {"file": image, "parameters": {"methods": ["rotate"]}}
    first = await ann.client.post(PREVIEW, json=body)
    monkeypatch.setattr(mill.previews, "slots", None)
    assert (await ann.client.post(PREVIEW, json=body)).json() == first.json()
    assert (await ann.client.post(PREVIEW, json={**body, "seed": 1})).status_code == 500


async def test_nobody_elses_image(ann, bob, nobody, image):
    body = {"file": image, "parameters": {"methods": ["rotate"]}}
    assert (await ann.client.post(PREVIEW, json=body)).status_code == 200
    assert (await bob.client.post(PREVIEW, json=body)).status_code == 404
    assert (await nobody.post(PREVIEW, json=body)).status_code == 401


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({}, "parameters.methods"),
        ({"methods": ["rotate"], "rotate": [20, -20]}, "parameters.rotate"),
        ({"methods": ["rotate"], "rotate": [0, 999]}, "parameters.rotate.1"),
        ({"methods": ["turn"]}, "parameters.methods.0"),
        ({"methods": ["rotate"], "probability": {"hue": 1}}, "parameters.probability"),
    ],
)
async def test_wrong_parameters_are_named(ann, image, parameters, pointer):
    answer = await ann.client.post(PREVIEW, json={"file": image, "parameters": parameters})
    assert answer.status_code == 422, answer.text
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


async def test_what_is_no_image_and_what_has_no_preview(ann, image):
    text = await uploaded(ann, "words.txt", b"only words")
    parameters = {"methods": ["rotate"]}
    answer = await ann.client.post(PREVIEW, json={"file": text, "parameters": parameters})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "file"
    body = {"file": image, "parameters": {}}
    answer = await ann.client.post("/v1/operations/extract-frames/preview", json=body)
    assert answer.status_code == 422
    answer = await ann.client.post("/v1/operations/nothing/preview", json=body)
    assert answer.status_code == 404


async def test_a_damaged_image_says_so(ann):
    whole = png(np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8))
    broken = await uploaded(ann, "broken.png", whole[:60_000])
    body = {"file": broken, "parameters": {"methods": ["rotate"]}}
    answer = await ann.client.post(PREVIEW, json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "broken_media"


async def test_without_codecs_it_says_what_to_do(ann, image, mill, monkeypatch):
    from mediamill.engine.slots import Failed

    class Slot:
        async def run(self, call):
            error = "ModuleNotFoundError: No module named 'cv2'"
            yield Failed(
                0, "internal", "The operation failed unexpectedly.", details={"error": error}
            )

    class Pool:
        def acquire(self):
            return self

        async def __aenter__(self):
            return Slot()

        async def __aexit__(self, *_):
            return None

    monkeypatch.setattr(mill.previews, "slots", Pool())
    body = {"file": image, "parameters": {"methods": ["rotate"]}, "seed": 77}
    answer = await ann.client.post(PREVIEW, json=body)
    assert answer.status_code == 503
    assert "mediamill api" in answer.json()["detail"]


async def test_preprocess_is_compared_with_the_reference_that_is_named(ann):
    dark = await uploaded(ann, "dark.png", png(np.full((200, 300, 3), (40, 50, 60), np.uint8)))
    light = await uploaded(ann, "light.png", png(np.full((200, 300, 3), (160, 190, 200), np.uint8)))
    address = "/v1/operations/preprocess/preview"
    parameters = {"methods": ["normalize-brightness"], "reference": light, "threshold": 0.1}
    answer = await ann.client.post(address, json={"file": dark, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    told = [(one["parameter"], one["place"], one["value"]) for one in answer.json()["data"]]
    assert told == [
        ("", "before", None), ("", "after", None),
        ("threshold", "low", 0), ("threshold", "middle", 0.1), ("threshold", "high", 10),
    ]  # fmt: skip
    before, after, low, middle, high = pictures(answer)
    assert before.mean() < 60
    assert after.mean() == pytest.approx(183, abs=25)
    assert low.mean() == pytest.approx(after.mean(), abs=1)
    assert (middle == after).all()
    assert (high == before).all()
    body = {"file": dark, "parameters": {"methods": ["normalize-brightness"]}}
    answer = await ann.client.post(address, json=body)
    assert answer.status_code == 422
    assert "reference" in answer.json()["detail"]
    hers = {"file": dark, "parameters": {**parameters, "reference": "file_of-somebody-else"}}
    assert (await ann.client.post(address, json=hers)).status_code == 404


async def test_numbers_that_preprocess_goes_by_are_shown_from_least_to_most(ann, image):
    parameters = {"methods": ["denoise", "equalize-histogram", "tile"], "strength": 0.1}
    parameters |= {"rows": 2, "columns": 2, "overlap": 0, "low_contrast": 1}
    body = {"file": image, "parameters": parameters}
    answer = await ann.client.post("/v1/operations/preprocess/preview", json=body)
    told = [(one["parameter"], one["place"], one["value"]) for one in answer.json()["data"]]
    assert told == [
        ("", "before", None), ("", "after", None),
        ("strength", "low", 0.001), ("strength", "middle", 0.1), ("strength", "high", 0.5),
        ("low_contrast", "low", 0), ("low_contrast", "middle", 1),
        ("overlap", "low", 0), ("overlap", "high", 0.9),
    ]  # fmt: skip
    sizes = [one["width"] for one in answer.json()["data"] if one["parameter"] == "overlap"]
    assert sizes[0] < sizes[1]


async def test_preprocess_counts_its_pixels_in_the_whole_photo(ann):
    """A crop is the same part of what is shown, whatever the size of the photo."""
    photo = np.zeros((3000, 4000, 3), np.uint8)
    photo[800:2000, 1000:2600] = 255
    file = await uploaded(ann, "large.png", png(photo))
    for more, size in (
        ({"methods": ["crop"], "crop": [1000, 800, 1600, 1200]}, (128, 96)),
        ({"methods": ["resize"], "width": 1000, "height": 500, "fit": "stretch"}, (80, 40)),
    ):
        answer = await ann.client.post(
            "/v1/operations/preprocess/preview", json={"file": file, "parameters": more}
        )
        assert answer.status_code == 200, answer.text
        _, after = pictures(answer)
        assert (after.shape[1], after.shape[0]) == size
        assert "crop" not in more or after[3:-3, 3:-3].min() > 240  # edges are averaged


async def test_two_who_ask_at_once_are_counted_once(mill):
    kept = replace(mill.previews, _kept=OrderedDict(), _size=0)
    shown = (Shown("", "", None, 1, 1, b"x" * 300_000),)
    for n in range(60):
        for _ in range(2):
            kept._keep(str(n), shown)
    assert kept._size == sum(len(one[0].image) for one in kept._kept.values())
    assert len(kept._kept) > 50
