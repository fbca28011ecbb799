"""Of requests that bring the same bytes at a time and want no second file of them, one makes it.

Who asks for no second file looks first whether there is one, but two may look before either has
made any: the last requests of a command that was killed are still under way when it runs again.
So a note under the digest is written together with the file, and only where no file that is here
has left one. Notes are kept among the answers to repeated requests, under a name that no client can
send, and go as those do, after a day: by then the file itself is found.
"""

from mediamill.core.clock import DAY
from mediamill.store.port import Absent, Action, Equals, Put, Store
from mediamill.store.repositories.files import File, digest_key
from mediamill.store.repositories.idempotency import KeyedRequest, KeyState


async def twin_or_note(
    store: Store, owner: str, sha256: str, file_id: str
) -> tuple[File | None, Action]:
    """Return the owner's file that has these bytes, if one came a moment ago, and a new one's note.

    The note is to be written with the new file, and fails with `ConditionFailed` when another was
    faster.
    """
    name = f"bytes {sha256}"  # with a space, which no Idempotency-Key has
    before, now = await store.get(KeyedRequest, owner, name), await store.now()
    twin = None if before is None else await store.get(File, before.fingerprint)
    if twin is not None and twin.digest != digest_key(owner, sha256):
        twin = None  # in the trash, or changed
    note = KeyedRequest(
        owner=owner, name=name, fingerprint=file_id, first="0", state=KeyState.DONE, holder="",
        until=now, created=now, expires=now + DAY,
    )  # fmt: skip
    guard = Absent() if before is None else Equals("fingerprint", before.fingerprint)
    return twin, Put(note, when=(guard,))
