"""What an execution environment does before and after each invocation."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from mediamill.aws.api import Api
from mediamill.aws.bridge import BOUND_SECONDS
from mediamill.aws.environment import DELIVERY_SECONDS, Environment
from mediamill.aws.working import Works
from mediamill.core.errors import ConfigurationError
from mediamill.engine.shift import crew
from tests.aws.test_api import settings
from tests.support.buckets import KEYS, bucket_server

DAY = 86_400_000


@dataclass
class Context:
    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    memory_limit_in_mb: int = 1769
    left_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment")
    with (
        bucket_server("ministack", folder, services="s3,dynamodb,sqs") as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        given = KEYS | settings(server, "awake") | {"MEDIAMILL_HOME": str(folder / "home")}
        for name, value in given.items():
            patch.setenv(name, value)
        made = Environment()
        yield made
        made.close()
        structlog.reset_defaults()


async def told(app) -> int:
    return app.clock.now()


def test_the_time_is_heard_again_after_a_sleep(environment):
    """While a machine is put away its count of time may stand still."""
    environment.app.clock._offset -= DAY
    environment._slept_at = (time.time() - 60, time.monotonic())
    assert environment.run(told, Context()) == pytest.approx(time.time() * 1000, abs=60_000)


def test_who_did_not_sleep_asks_nobody(environment):
    environment.run(told, Context())
    environment.app.clock._offset -= DAY
    assert environment.run(told, Context()) < time.time() * 1000 - DAY / 2
    environment.app.clock._offset += DAY


def test_what_an_invocation_raises_comes_out_and_the_next_one_works(environment):
    async def broken(_):
        raise ValueError("as asked")

    with pytest.raises(ValueError, match="as asked"):
        environment.run(broken, Context())
    assert environment.run(told, Context()) > 0


def test_doorbells_are_waited_for_no_longer_than_the_caller_waits(environment, monkeypatch):
    """Else the answer comes when the gateway has given up, though the work was in time."""
    patience = []

    async def delivered(seconds):
        patience.append(seconds)
        return False

    monkeypatch.setattr(environment.app.bell, "delivered", delivered)
    environment.run(told, Context())
    environment.run(told, Context(), time.monotonic() + 1)
    environment.run(told, Context(left_ms=1000))
    environment.run(told, Context(), time.monotonic())
    assert patience[0] == DELIVERY_SECONDS
    assert max(patience[1:3]) < 1
    assert min(patience[1:3]) > 0
    assert patience[3] == 0


def test_an_answer_ends_when_its_gateway_gives_up(environment, monkeypatch):
    event = json.loads((Path(__file__).parent / "events" / "rest.json").read_text())
    seen, run = [], environment.run

    def told_of(work, context, ends):
        seen.append(ends - time.monotonic())
        return run(work, context, ends)

    monkeypatch.setattr(environment, "run", told_of)
    Api(environment).handle(event, Context())
    Api(environment).handle(event, Context(left_ms=9000))
    assert [round(seconds) for seconds in seen] == [BOUND_SECONDS, 9]


def test_a_function_tells_no_numbers_whoever_asks_and_whatever_is_allowed(environment):
    event = json.loads((Path(__file__).parent / "events" / "rest.json").read_text())
    event |= {"path": "/metrics", "httpMethod": "GET", "body": None, "isBase64Encoded": False}
    event["requestContext"] |= {"path": "/testStage/metrics", "httpMethod": "GET"}
    event["requestContext"]["identity"]["sourceIp"] = "127.0.0.1"
    event["headers"] = event["multiValueHeaders"] = {}
    assert Api(environment).handle(event, Context())["statusCode"] == 403


def test_a_function_that_is_too_short_says_what_to_set(environment):
    """Its margins would leave no time for work: messages came and went, and nothing was done."""
    works = Works(crew)
    works._kept = environment, crew(1)
    for seconds in (3, 20, 30):
        with pytest.raises(ConfigurationError) as refused:
            works({}, Context(left_ms=seconds * 1000))
        for word in (f" {seconds} s", " 10 s", " 30 s", "MEDIAMILL_FUNCTION_MARGIN_SECONDS"):
            assert word in refused.value.message
    assert works({}, Context(left_ms=31_000)) == {"batchItemFailures": []}
    assert works({}, Context(left_ms=2_000)) == {"batchItemFailures": []}, "as late in a call"
