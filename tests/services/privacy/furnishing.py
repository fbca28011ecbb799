"""Ann, who has some of everything, and Bob, with whom she shares some of it."""

import hashlib
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from tests.handlers.conftest import ANN, BOB, Works
from tests.support.ageing import settled

from mediamill.core.access import Principal
from mediamill.core.acts import Origin as Asked
from mediamill.core.acts import collecting, note
from mediamill.core.clock import DAY
from mediamill.media.image.codecs.encode import encode
from mediamill.services.templates.drafts import Draft
from mediamill.services.uploads.resumable import Announced
from mediamill.store.port import Put
from mediamill.store.repositories.allowances import Allowance
from mediamill.store.repositories.annotation_rows import (
    AnnotationBook,
    AnnotationHistory,
    FileAnnotations,
)
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.budgets import BudgetRow
from mediamill.store.repositories.captions import Caption, CaptionWord, caption_id, term_of
from mediamill.store.repositories.daily import Daily, Fate
from mediamill.store.repositories.datasets import (
    DatasetVersion,
    ProjectTask,
    TaskState,
    VersionFile,
    VersionState,
    root_of,
)
from mediamill.store.repositories.exports import Export, ExportState
from mediamill.store.repositories.factors import Factor
from mediamill.store.repositories.feedback import Feedback, FeedbackDay
from mediamill.store.repositories.idempotency import KeyedRequest, blobs_of
from mediamill.store.repositories.identities import Identity
from mediamill.store.repositories.invitations import Invitation
from mediamill.store.repositories.jobs import Step
from mediamill.store.repositories.mails import MailDay, Unwanted
from mediamill.store.repositories.providers import ProviderRow
from mediamill.store.repositories.quota_notices import QuotaNotice
from mediamill.store.repositories.retention import CutShort
from mediamill.store.repositories.spending import Account, BudgetNotice, Spent, SpentDay
from mediamill.store.repositories.users import FIRST_USER, Email, Role, Token, TokenKind, User
from mediamill.store.repositories.versions import Version
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


@asynccontextmanager
async def told(works: Works, who: Principal, address: str, agent: str) -> AsyncIterator[None]:
    """Write what is done in the block into the trail, as a request does."""
    with collecting(Asked(address, agent, f"req-{who.user}")) as acts:
        yield
    await works.app.trail.write(acts, who.user)


async def share(works: Works) -> dict[str, str]:
    """Share between the two what stays, what is taken back and what is deleted; return ids."""
    app, sharing = works.app, works.app.datasets.sharing
    names = ("bobs", "once", "gone")
    bobs = {name: (await app.projects.create(BOB, name)).id for name in names}
    mine = (await app.projects.create(ANN, f"{MARK}-project")).id
    left = (await app.projects.create(ANN, f"{MARK}-left")).id
    draft = Draft((Step(operation="flip", parameters={}),), {})
    template = (await app.templates.create(ANN, f"{MARK}-template", draft)).id
    lent, kept = [(await app.templates.create(BOB, name, draft)).id for name in ("lent", "kept")]
    async with told(works, BOB, "198.51.100.9", "bobs-agent"):
        for project in bobs.values():
            await sharing.share(BOB, project, ANN.user, "editor")
        await sharing.revoke(BOB, bobs["once"], ANN.user)
        await app.projects.delete(BOB, bobs["gone"], now=True)
        for one in (lent, kept):
            await app.template_sharing.share(BOB, one, ANN.user, "viewer")
        await app.templates.delete(BOB, lent)
    async with told(works, ANN, "203.0.113.7", f"{MARK}-agent"):
        await sharing.share(ANN, mine, BOB.user, "viewer")
        await sharing.share(ANN, left, BOB.user, "viewer")
        await app.template_sharing.share(ANN, template, BOB.user, "viewer")
    async with told(works, BOB, "198.51.100.9", "bobs-agent"):
        await sharing.revoke(BOB, left, BOB.user)
    async with told(works, ANN, "203.0.113.7", f"{MARK}-agent"):
        await app.projects.delete(ANN, left, now=True)
    return {"mine": mine, "template": template, **bobs}


async def furnish(works: Works) -> dict[str, Any]:
    """Let Ann use everything; return ids by what they are."""
    app, store = works.app, works.app.store
    now = await store.now()
    await people(works)
    files = [await works.upload(f"{MARK}-{n}.png", png(n)) for n in range(4)]
    theirs = await works.upload("bobs.png", png(9), BOB)
    await app.labels.edit(ANN, files[0], tags=[f"{MARK}-tag"])
    shared = await share(works)
    mine, bobs = shared["mine"], shared["bobs"]
    await app.projects.add(ANN, mine, files[:2])
    await app.projects.add(BOB, bobs, [theirs])
    await app.projects.add(ANN, bobs, [files[0]])
    task = ProjectTask(project=shared["once"], id="task_0", kind="split", user=ANN.user,
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
    upload = await app.resumable.create(ANN, Announced(f"{MARK}.bin", 1000, tags=(MARK,)))
    async with told(works, ANN, "203.0.113.7", f"{MARK}-agent"):
        note("signed_in", ANN.user, token="token_x")
        note("file_deleted", files[3], owner=ANN.user)
    async with told(works, BOB, "198.51.100.9", "bobs-agent"):
        note("denied", files[1], denied=True, route="GET /v1/files/{file_id}")
        note("role_changed", ANN.user, role="admin")
    await app.trail.close()
    await settled(app)
    await rows(works, now, files[0], job.id, hook.id, bobs, theirs)
    await rare(works, now, files[0], mine, bobs, theirs)
    return {
        "files": files, "theirs": theirs, "project": mine, "bobs": bobs, "job": job.id,
        "copied": copied.id, "bobs_job": bobs_job.id, "template": shared["template"],
        "hook": hook.id, "upload": upload.id,
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
    month = "2026-10"  # not this one, where what is written here would meet what is counted now
    day = f"{month}-22"
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


async def rare(works: Works, now: int, file: str, mine: str, bobs: str, theirs: str) -> None:
    """Write rows of what few do, among her own and among Bob's."""
    app, ann = works.app, ANN.user
    old, kept = f"files/{file}/old", f"{root_of(mine, 1)}/0"
    export = Export(owner=ann, id="export_0", asked=0, state=ExportState.READY, expires=0)
    for blob in (old, kept, "feedback/feedback_1/1", f"{export.root}/1-layout"):
        await app.blobs.put(blob, MARK.encode())
    held = {"size": len(MARK), "sha256": hashlib.sha256(MARK.encode()).hexdigest()}
    drawn = {"user": ann, "changed": now}
    await app.store.transact(
        Put(Factor(user=ann, id="factor_1", secret="s", sealed_by="", created=now)),
        Put(Feedback(id="feedback_1", user=ann, text=MARK, copies=1, created=now)),
        Put(FeedbackDay(user=ann, day=1, said=1)),
        Put(Invitation(id="invitation_1", email="cy@example.org", by=ann, created=now,
                       expires=now + DAY)),
        Put(Invitation(id="invitation_2", email=ADDRESS, by=BOB.user, created=now,
                       expires=now + DAY, accepted=now, user=ann)),
        Put(export),
        Put(Allowance(owner=ann, files=5, changed=now)),
        Put(Version(file=file, until=now, owner=ann, blob=old, crc32=zlib.crc32(MARK.encode()),
                    **held)),
        Put(AnnotationBook(project=mine, revision=1)),
        Put(FileAnnotations(project=mine, file=file, revision=1, **drawn)),
        Put(AnnotationHistory(project=mine, file=file, edit=0, **drawn)),
        Put(AnnotationHistory(project=bobs, file=theirs, edit=0, **drawn)),
        Put(ProjectTask(project=mine, id="task_2", kind="split", user=ann,
                        state=TaskState.SUCCEEDED, created=now, finished=now)),
        *(Put(DatasetVersion(project=project, number=1, owner=owner, user=ann, created=now,
                             state=VersionState.READY))
          for project, owner in ((mine, ann), (bobs, BOB.user))),
        Put(VersionFile(version=root_of(mine, 1), place=0, root=file, blob=kept, **held)),
    )  # fmt: skip


def daily(owner: str, day: str, files: int) -> Daily:
    return Daily(owner=owner, id=f"{day}|upload|image/png|succeeded", day=day, source="upload",
                 media_type="image/png", outcome=Fate.SUCCEEDED, files=files)  # fmt: skip
