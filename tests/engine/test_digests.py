"""By what an item is known to have been done before: its name matters to a step that reads it."""

from typing import Any

from mediamill.engine.reuse import Digests
from mediamill.engine.stages import Stage
from mediamill.operations.catalogue import OPERATIONS
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Step


def digest(name: str, operation: str = "caption", member: str = "", **parameters: Any) -> str:
    step = Step(operation=operation, parameters=parameters)
    made = OPERATIONS.build(operation, parameters)
    file = File(
        id="file_1", owner="user_1", name=f"{name}", media_type="image/jpeg", size=1,
        sha256="ab" * 32, crc32=0, blob="files/x", created=0,
    )  # fmt: skip
    return Digests([step], Stage((made,)), 0).of(file, Entry("file_1", member))


def test_a_name_matters_to_a_step_that_reads_it():
    assert digest("a.jpg") == digest("b.jpg")
    assert digest("a.jpg", use_name=True) != digest("b.jpg", use_name=True)
    assert digest("a.jpg", use_name=True) == digest("a.jpg", use_name=True)
    assert digest("x.zip", member="a.jpg", use_name=True) != digest(
        "x.zip", member="b.jpg", use_name=True
    )
    assert digest("a.jpg", "convert") == digest("b.jpg", "convert")


def test_parameters_and_providers_matter():
    assert digest("a.jpg") != digest("a.jpg", languages=["de"])
    assert digest("a.jpg", "label") != digest("a.jpg", "caption")
