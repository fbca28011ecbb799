"""The agent of an ECS task: `ecs:`, or its address in full, `ecs:http://169.254.170.2/api/…`.

Each task has an address of its own, which ECS puts into the variable ECS_AGENT_URI. The agent asks
AWS in the name of the task's role, which needs `ecs:UpdateTaskProtection` on the tasks of its
cluster. It speaks HTTP on an address that only the task itself reaches.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
"""

import math
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from mediamill.core.errors import ConfigurationError, Unavailable

SETTING = "MEDIAMILL_PROTECTION_URL"
PATH = "/task-protection/v1/state"
SECONDS = 5.0
"""How long the agent may take; it asks AWS itself."""
LARGEST = 64 << 10
MOST_MINUTES = 2880
"""The longest that ECS protects a task, two days."""


class EcsProtection:
    asked = True

    def __init__(self, agent: str) -> None:
        self._client = httpx.AsyncClient(base_url=agent, timeout=SECONDS, trust_env=False)

    @classmethod
    def open(cls, url: str) -> "EcsProtection":
        """Make it; raises `ConfigurationError`."""
        agent = url.removeprefix("ecs:")
        if not agent:
            message = f"{SETTING}: this is no task of ECS, for there is no ECS_AGENT_URI here."
            raise ConfigurationError(message, setting=SETTING)
        try:
            there = urlsplit(agent)
            sound = there.scheme == "http" and bool(there.hostname) and there.port != 0
            sound = sound and not (there.username or there.query or there.fragment)
        except ValueError:
            sound = False
        if not sound:
            message = f"{SETTING}: write ecs: without more, or ecs:http://… of the agent."
            raise ConfigurationError(message, setting=SETTING)
        return cls(agent.rstrip("/"))

    async def protect(self, seconds: int) -> None:
        """Protect the task, by whole minutes as ECS does."""
        minutes = min(MOST_MINUTES, max(1, math.ceil(seconds / 60)))
        await self._put({"ProtectionEnabled": True, "ExpiresInMinutes": minutes})

    async def release(self) -> None:
        """Protect it no more."""
        await self._put({"ProtectionEnabled": False})

    async def close(self) -> None:
        """Release connections."""
        await self._client.aclose()

    async def _put(self, state: dict[str, Any]) -> None:
        try:
            async with self._client.stream("PUT", PATH, json=state) as response:
                told = await _read(response)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"The agent of ECS does not answer: {reason}.") from None
        kept = told.get("protection") or {}
        if response.status_code != 200 or (
            kept.get("ProtectionEnabled") is not state["ProtectionEnabled"]
        ):
            raise Unavailable(f"ECS does not do it: {_reason(told) or response.status_code}.")


async def _read(response: httpx.Response) -> dict[str, Any]:
    """Return what the agent says, nothing where it is not what the agent would say."""
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > LARGEST:
            return {}
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _reason(told: dict[str, Any]) -> str:
    """Say why not: the agent's own errors have a code, those of AWS a reason."""
    error, failure = told.get("error") or {}, told.get("failure") or {}
    return str(error.get("Code") or failure.get("Reason") or "")


plugin = EcsProtection
