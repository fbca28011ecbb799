"""Ann, who has some of everything, and Bob, with whom she shares some of it."""

from typing import Any

import numpy as np
from tests.handlers.conftest import ANN, BOB, Works
from tests.support.ageing import settled

from mediamill.core.acts import Origin as Asked
from mediamill.core.acts import collecting, note
from mediamill.core.clock import DAY
from mediamill.media.image.codecs.encode import encode
from mediamill.services.templates.drafts import Draft
from mediamill.services.uploads.resumable import Announced
from mediamill.store.port import Put
from mediamill.store.repositories.annotation_rows import FileAnnotations
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.budgets import BudgetRow
from mediamill.store.repositories.captions import Caption, CaptionWord, caption_id, term_of
from mediamill.store.repositories.daily import Daily, Fate
from mediamill.store.repositories.datasets import ProjectTask, TaskState
from mediamill.store.repositories.idempotency import KeyedRequest, blobs_of
from mediamill.store.repositories.identities import Identity
from mediamill.store.repositories.jobs import Step
from mediamill.store.repositories.mails import MailDay, Unwanted
from mediamill.store.repositories.providers import ProviderRow
from mediamill.store.repositories.quota_notices import QuotaNotice
from mediamill.store.repositories.retention import CutShort
from mediamill.store.repositories.spending import Account, BudgetNotice, Spent, SpentDay
from mediamill.store.repositories.users import FIRST_USER, Email, Role, Token, TokenKind, User
from mediamill.store.repositories.webhooks import Delivery

MARK = "planted-in-ann"
ADDRESS = "ann-planted@example.org"


def png(n: int) -> bytes:
    return encode(np.random.default_rng(n).integers(0, 255, (24, 24, 3), np.uint8), "png")


async def people(works: Works) -> None:
    """Write down who they are: Ann was the first user, Bob administers too."""
    now = await works.app.store.now()
    for who, email, role in ((ANN, ADDRESS, Role.ADMIN), (BOB, "bob@example.org", Role.ADMIN)):
        user = User(id=who.user, email=email, name=MARK if who is ANN else "", role=role,
                    created=now)  # fmt: skip
        await works.app.repositories.users.add(user)
    await works.app.store.transact(Put(Email(email=FIRST_USER, user=ANN.user)))


async def furnish(works: Works) -> dict[str, Any]:
    """Let Ann use everything; return ids by what they are."""
    app, store = works.app, works.app.store
    now = await store.now()
    await people(works)
    files = [await works.upload(f"{MARK}-{n}.png", png(n)) for n in range(4)]
    theirs = await works.upload("bobs.png", png(9), BOB)
    await app.labels.edit(ANN, files[0], tags=[f"{MARK}-tag"])
    mine = await app.projects.create(ANN, f"{MARK}-project")
    bobs = await app.projects.create(BOB, "bobs")
    await app.projects.add(ANN, mine.id, files[:2])
    await app.projects.add(BOB, bobs.id, [theirs])
    await app.datasets.sharing.share(BOB, bobs.id, ANN.user, "editor")
    await app.datasets.sharing.share(ANN, mine.id, BOB.user, "viewer")
    await app.projects.add(ANN, bobs.id, [files[0]])
    once = await app.projects.create(BOB, "once shared")
    await app.datasets.sharing.share(BOB, once.id, ANN.user, "editor")
    await app.datasets.sharing.revoke(BOB, once.id, ANN.user)
    task = ProjectTask(project=once.id, id="task_0", kind="split", user=ANN.user,
                       state=TaskState.SUCCEEDED, created=now, finished=now)  # fmt: skip
    await store.transact(Put(task))
    job = await works.run(files, "twice", "tell")
    copied = await works.run([(await works.rows(job, stage=0))[0].file_id(0)], "copied")
    bobs_job = await works.run([files[0], theirs], "flip", who=BOB)
    app_files = {"deleted": files[3], "trashed": files[2]}
    await app.trash.delete(ANN, app_files["deleted"], now=True)
    await app.trash.delete(ANN, app_files["trashed"])
    trashed = await works.run([files[1]], "flip")
    await app.job_trash.delete(ANN, trashed.id)
    hook, _ = await app.webhooks.add(ANN, "https://hooks.example.org/ann", description=MARK)
    draft = Draft((Step(operation="flip", parameters={}),), {})
    template = await app.templates.create(ANN, f"{MARK}-template", draft)
    await app.template_sharing.share(ANN, template.id, BOB.user, "viewer")
    upload = await app.resumable.create(ANN, Announced(f"{MARK}.bin", 1000, tags=(MARK,)))
    with collecting(Asked("203.0.113.7", f"{MARK}-agent", "req-ann")) as acts:
        note("signed_in", ANN.user, token="token_x")
        note("file_deleted", files[3], owner=ANN.user)
    await app.trail.write(acts, ANN.user)
    with collecting(Asked("198.51.100.9", "bobs-agent", "req-bob")) as acts:
        note("project_shared", bobs.id, owner=BOB.user, guest=ANN.user, role="editor")
        note("denied", files[1], denied=True, route="GET /v1/files/{file_id}")
        note("role_changed", ANN.user, role="admin")
    await app.trail.write(acts, BOB.user)
    await app.trail.close()
    await settled(app)
    await rows(works, now, files[0], job.id, hook.id, bobs.id, theirs)
    return {
        "files": files, "theirs": theirs, "project": mine.id, "bobs": bobs.id, "job": job.id,
        "copied": copied.id, "bobs_job": bobs_job.id, "template": template.id, "hook": hook.id,
        "upload": upload.id,
    }  # fmt: skip


async def rows(
    works: Works, now: int, file: str, job: str, hook: str, bobs: str, theirs: str
) -> None:
    """Write rows that take a model, a stream or a month to come to be."""
    app, ann = works.app, ANN.user
    caption = caption_id(job, 0, 0)
    key = KeyedRequest(owner=ann, name=MARK, fingerprint="f", first="1", holder="h", until=now,
                       body=MARK.encode(), created=now, expires=now + DAY)  # fmt: skip
    await app.results.put(f"{blobs_of(key)}1", MARK.encode())
    day, month = "2026-11-22", "2026-11"
    await app.store.transact(
        Put(key),
        Put(Token(digest="d1", id="token_1", user=ann, kind=TokenKind.API, name=MARK, created=now)),
        Put(Token(digest="d2", id="token_2", user=ann, kind=TokenKind.RESET, created=now)),
        Put(Identity(id="identity_1", user=ann, issuer="https://i.test", subject=MARK,
                     email=ADDRESS, name=MARK, created=now)),
        Put(Unwanted(address=ADDRESS, created=now)),
        Put(MailDay(owner=ann, day=1, sent=1)),
        Put(Delivery(webhook=hook, event="evt_1", about=file, owner=ann, type="file.created",
                     body=MARK, created=now)),
        Put(Attempt(of=f"{job}-0-0", name="q", number=0, job=job, stage=0, item=0, owner=ann,
                    day=day, operation="caption", provider="p", began=now, answer={"t": MARK})),
        Put(Caption(id=caption, owner=ann, listed=ann, job=job, stage=0, item=0,
                    operation="caption", file=file, name=f"{MARK}.png", captions=({"text": MARK},),
                    words=(MARK,), created=now, changed=now)),
        Put(CaptionWord(term=term_of(ann, MARK), created=now, caption=caption, owner=ann,
                        word=MARK)),
        Put(CutShort(owner=ann, job=job)),
        Put(Account(scope=ann, month=month, taken=5)),
        Put(Spent(owner=ann, month=month, operation="caption", provider="p", model="m")),
        Put(SpentDay(scope=ann, day=day)),
        Put(BudgetRow(scope=ann, monthly=5, changed=now, by="user_bob")),
        Put(BudgetRow(scope="user_other", monthly=5, changed=now, by=ann)),
        Put(QuotaNotice(owner=ann, quota="items", month=month, most=5, percent=80, created=now)),
        Put(BudgetNotice(scope=ann, month=month, most=5, percent=80, created=now)),
        Put(ProviderRow(name="p", address="echo:", created=now, by=ann)),
        Put(daily(ann, day, 3)),
        Put(daily("user_other", day, 1)),
        Put(ProjectTask(project=bobs, id="task_1", kind="split", user=ann,
                        state=TaskState.SUCCEEDED, created=now, finished=now)),
        Put(FileAnnotations(project=bobs, file=theirs, revision=1, user=ann, changed=now)),
    )  # fmt: skip


def daily(owner: str, day: str, files: int) -> Daily:
    return Daily(owner=owner, id=f"{day}|upload|image/png|succeeded", day=day, source="upload",
                 media_type="image/png", outcome=Fate.SUCCEEDED, files=files)  # fmt: skip
