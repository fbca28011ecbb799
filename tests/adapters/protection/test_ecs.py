"""The agent of an ECS task, played by a real HTTP server: what it is asked, and how it may fail."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from mediamill.adapters.protection.opening import open_protection
from mediamill.core.errors import ConfigurationError, Unavailable
from mediamill.core.settings import Settings
from tests.support.ecs_agent import Agent, agent

TASK = "arn:aws:ecs:us-west-2:012345678910:task/mill/5a9b2c3d"


@asynccontextmanager
async def protection(served: Agent):
    opened = open_protection(f"ecs:{served.address}")
    try:
        yield opened
    finally:
        await opened.close()


async def test_a_task_is_protected_by_the_minute_and_released():
    async with agent() as served, protection(served) as opened:
        assert opened.asked
        for seconds in (600, 61, 1, 10_000_000):
            await opened.protect(seconds)
        await opened.release()
    assert {one.line for one in served.asked} == {
        "PUT /api/5a9b2c3d/task-protection/v1/state HTTP/1.1"
    }
    assert [one.said for one in served.asked] == [
        *({"ProtectionEnabled": True, "ExpiresInMinutes": minutes} for minutes in (10, 2, 1, 2880)),
        {"ProtectionEnabled": False},
    ]


@pytest.mark.parametrize(
    ("status", "told", "reason"),
    [
        (400, {"error": {"Arn": TASK, "Code": "AccessDeniedException", "Message": "no"}},
         "AccessDeniedException"),
        (400, {"error": {"Arn": TASK, "Code": "ThrottlingException"}}, "ThrottlingException"),
        (200, {"failure": {"Arn": TASK, "Detail": None, "Reason": "DEPLOYMENT_BLOCKED"}},
         "DEPLOYMENT_BLOCKED"),
        (429, {}, "429"),
        (500, "an error of nobody", "500"),
        (200, [], "200"),
        (200, {"protection": {"ProtectionEnabled": False, "TaskArn": TASK}}, "200"),
        (200, {"protection": "x" * 100_000}, "200"),
        (503, {"protection": {"ProtectionEnabled": True, "TaskArn": TASK}}, "503"),
    ],
)  # fmt: skip
async def test_what_the_agent_refuses_is_unavailable(status, told, reason):
    answer = (status, json.dumps(told).encode())
    async with agent(answer) as served, protection(served) as opened:
        with pytest.raises(Unavailable, match=reason):
            await opened.protect(60)


async def test_an_agent_that_is_slow_or_gone_is_unavailable(monkeypatch):
    monkeypatch.setattr("mediamill.adapters.protection.ecs.SECONDS", 0.2)
    async with agent(hangs=True) as served, protection(served) as opened:
        with pytest.raises(Unavailable, match="does not answer"):
            await opened.release()
    async with protection(served) as opened:
        with pytest.raises(Unavailable, match="does not answer"):
            await opened.protect(60)


@pytest.mark.parametrize(
    "url",
    ["ecs:", "ecs:https://agent/", "ecs:http://", "ecs:http://me@agent/", "ecs:http://[/", "none:x",
     "other:"],
)  # fmt: skip
def test_what_is_no_agent_is_refused_at_the_start(url):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_PROTECTION_URL"):
        open_protection(url)


async def test_nobody_is_told_by_default():
    opened = open_protection(Settings().protection_url)
    assert not opened.asked
    await asyncio.gather(opened.protect(60), opened.release(), opened.close())


def test_a_task_knows_the_address_of_its_agent(monkeypatch):
    monkeypatch.setenv("ECS_AGENT_URI", "http://169.254.170.2/api/5a9b2c3d")
    monkeypatch.setenv("MEDIAMILL_PROTECTION_URL", "ecs:")
    assert Settings().protection_url == "ecs:http://169.254.170.2/api/5a9b2c3d"
