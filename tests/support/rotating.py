"""The part of Secrets Manager that has secrets rotated, which the emulator does not play."""

from mediamill.aws.rotation import PENDING


class Begun:
    """A client of a service that rotates a secret: it names the new version before it has a text.

    `lost` are calls whose answers get lost, once each.
    """

    def __init__(self, client, version, lost=()) -> None:
        self._client, self._version, self._lost = client, version, list(lost)
        self.calls = []

    async def describe_secret(self, **said):
        found = await self._client.describe_secret(**said)
        stages = {self._version: [PENDING]} | found["VersionIdsToStages"]
        return found | {"RotationEnabled": True, "VersionIdsToStages": stages}

    def __getattr__(self, call):
        async def asked(**said):
            self.calls.append(call)
            answer = await getattr(self._client, call)(**said)
            if call in self._lost:
                self._lost.remove(call)
                raise TimeoutError
            return answer

        return asked
