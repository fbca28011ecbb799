"""`mediamill` that hashes passwords at the least cost and makes nothing ready for previews.

`python -m tests.support.cheap up --home …`, of which nothing else differs: who registers and signs
in costs the real service a third of a second of processor time, as much as half its start, and the
slot that waits for a first preview costs as much again.
"""

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from mediamill.cli import main
from mediamill.services.previews import Previews


def cheap() -> PasswordHash:
    return PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


async def nothing(previews: Previews) -> None:
    """Stand for `Previews.warm`."""


if __name__ == "__main__":
    PasswordHash.recommended = cheap
    Previews.warm = nothing
    main()
