"""What an execution environment does before and after each invocation."""

import time
from dataclasses import dataclass

import pytest
import structlog

from mediamill.aws.environment import Environment
from tests.aws.test_api import settings
from tests.support.buckets import KEYS, bucket_server

DAY = 86_400_000


@dataclass
class Context:
    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


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
