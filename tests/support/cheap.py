"""`mediamill` that hashes passwords at the least cost; nothing else differs.

`python -m tests.support.cheap up --home …`: who registers and signs in costs the real service a
third of a second of processor time, as much as half its start.
"""

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from mediamill.cli import main


def cheap() -> PasswordHash:
    return PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


if __name__ == "__main__":
    PasswordHash.recommended = cheap
    main()
