"""The imitation of Lambda's machine shows a function what Lambda would."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.functions import FunctionFailed, function
from tests.support.services import unavailable

HANDLERS = Path(__file__).parent / "handlers"
PLACES = ["/", "/tmp", "/var/task", "/opt/python", "/dev", "/etc", "/proc", "/usr/lib"]


@pytest.fixture(scope="module")
def checkout():
    """A folder beneath `/tmp`, as a clone of this repository may be."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "here").touch()
        yield folder


@pytest.fixture(scope="module")
def looking(checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp("looking")
    more = {"task": HANDLERS, "memory_mb": 512, "visible": (checkout,)}
    with function("looking.handler", {}, folder, **more) as run:
        yield run


def test_a_function_sees_what_lambda_gives(looking, checkout):
    seen = looking.invoke({"act": "look", "places": [*PLACES, checkout]})
    assert seen["shown"] == {checkout: ["here"]}
    assert seen["user"] == [993, 990]
    assert seen["folder"] == "/var/task"
    assert seen["writable"] == ["/tmp"]
    assert seen["tmp_mb"] == 512
    assert "shm" not in seen["devices"]
    assert seen["semaphores"] == "FileNotFoundError"
    assert seen["namespace"] == -1, "it could make a user namespace"
    assert int(seen["capabilities"], 16) == 0
    assert seen["memory_mb"] == "512"
    assert 0 < seen["left_ms"] <= 30_000
    assert len(seen["processes"]) == 2, "it sees processes that are not its own"


def test_its_tmp_takes_512_mb(looking):
    assert looking.invoke({"act": "fill", "megabytes": 600}) == "No space left on device"
    assert looking.invoke({"act": "fill", "megabytes": 16}) == "filled"


def test_nothing_runs_between_invocations(looking):
    first = looking.invoke({"act": "behind"})
    count = looking.seen_from_outside("/tmp/count")
    frozen = count.stat().st_size
    time.sleep(0.5)
    assert count.stat().st_size <= frozen + 1, "what it left behind went on"
    second = looking.invoke({"act": "behind"})
    assert second["pid"] == first["pid"], "the runtime was started anew"
    assert second["now"] > frozen + 1, "what it left behind did not go on after the thaw"


def test_who_overstays_is_killed_and_its_tmp_stays(looking):
    looking.invoke({"act": "keep", "mark": "here"})
    with pytest.raises(FunctionFailed) as failed:
        looking.invoke({"act": "sleep", "seconds": 20}, timeout=0.2)
    assert failed.value.kind == "Sandbox.Timedout"
    assert "here" in looking.invoke({"act": "keep", "mark": "there"})


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"act": "end", "how": "raise"}, "ValueError"),
        ({"act": "end", "how": "crash"}, "Runtime.ExitError"),
        ({"act": "hoard", "megabytes": 1100}, "Runtime.ExitError"),
        ({"act": "large", "bytes": 6_291_456}, "Function.ResponseSizeTooLarge"),
    ],
)
def test_what_fails_is_told_as_lambda_does(looking, event, kind):
    if event["act"] == "hoard" and not looking.limited:
        unavailable("no control group for memory may be made here")
    with pytest.raises(FunctionFailed) as failed:
        looking.invoke(event)
    assert failed.value.kind == kind
    assert looking.invoke({"act": "sleep", "seconds": 0}) == "slept"


def test_an_answer_of_six_megabytes_passes(looking):
    assert len(looking.invoke({"act": "large", "bytes": 6_291_454})) == 6_291_454


def test_a_handler_that_cannot_be_imported_is_told(tmp_path):
    with (
        function("missing.handler", {}, tmp_path, task=HANDLERS) as run,
        pytest.raises(FunctionFailed) as failed,
    ):
        run.invoke({})
    assert failed.value.kind == "Runtime.ImportModuleError"
