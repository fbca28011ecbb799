"""Everything that is kept about somebody, table by table: one list for exports and erasures.

A table of the store is in `HOLDINGS`, with how the rows of a user are found, what becomes of them
when the account is erased, and what an export leaves out; or it is in `NOT_PERSONAL` with the
reason. A test fails on one that is in neither, so a new table cannot be forgotten.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mediamill.core.records import Record
from mediamill.core.retention import SOURCES
from mediamill.engine.sweeping import CLASSES
from mediamill.handlers.telling.accounts import COUNTED, counter_of
from mediamill.services.privacy.finding import (
    Find,
    Who,
    both,
    listed,
    only,
    owned,
    pages,
    single,
    under,
)
from mediamill.store.port import Store
from mediamill.store.repositories.allowances import Allowance
from mediamill.store.repositories.annotation_rows import (
    AnnotationBook,
    AnnotationHistory,
    FileAnnotations,
)
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.audit import Act
from mediamill.store.repositories.budgets import BudgetRow
from mediamill.store.repositories.captions import Caption, CaptionWord
from mediamill.store.repositories.daily import Daily
from mediamill.store.repositories.datasets import (
    DatasetVersion,
    ProjectShare,
    ProjectTask,
    VersionFile,
)
from mediamill.store.repositories.erasures import Former
from mediamill.store.repositories.exports import PREFIX as TAKEOUT
from mediamill.store.repositories.exports import Export
from mediamill.store.repositories.factors import Factor
from mediamill.store.repositories.feedback import Feedback, FeedbackDay
from mediamill.store.repositories.files import File, FileTag, tag_rows
from mediamill.store.repositories.gates import Gate
from mediamill.store.repositories.idempotency import KeyedRequest, blobs_of
from mediamill.store.repositories.identities import Identity
from mediamill.store.repositories.invitations import SHELF as INVITATIONS
from mediamill.store.repositories.invitations import Invitation
from mediamill.store.repositories.jobs import Job, ManifestPage
from mediamill.store.repositories.lanes import Lane, queue_name
from mediamill.store.repositories.mails import MailDay, Unwanted
from mediamill.store.repositories.projects import Project, ProjectFile, trash_of
from mediamill.store.repositories.quota_notices import QuotaNotice
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.retention import CutShort, Origin
from mediamill.store.repositories.reuse import Reuse
from mediamill.store.repositories.spending import Account, BudgetNotice, Purse, Spent, SpentDay
from mediamill.store.repositories.stream import StreamJob
from mediamill.store.repositories.templates import (
    Template,
    TemplateName,
    TemplateShare,
    TemplateVersion,
)
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.uploads import Upload, UploadPart
from mediamill.store.repositories.usage import MonthlyUsage, Usage
from mediamill.store.repositories.users import Email, Token, TokenKind, User
from mediamill.store.repositories.versions import Version
from mediamill.store.repositories.webhooks import Delivery, Listeners, Webhook


class Goes(Enum):
    """What becomes of rows when their user is erased."""

    PURGED = "by the purge of what they belong to, which removes bytes too"
    REMOVED = "by themselves"
    NAMELESS = "they stay, and name nobody any more"


@dataclass(frozen=True)
class Holding:
    """One table's share of what is kept about somebody."""

    kind: type[Record]
    find: Find
    goes: Goes = Goes.REMOVED
    secret: frozenset[str] = frozenset()
    """Fields that an export leaves out: what would let somebody in, or opens nothing by itself."""
    untold: str = ""
    """Why an export leaves the table out: what it says is elsewhere, or nothing to a person."""
    blobs: Callable[[Any], str] | None = None
    """What the keys of a row's blobs begin with, for rows that go by themselves and have some."""


async def _queued(store: Store, who: Who) -> AsyncIterator[Unit]:
    """Visit what is still to be done for somebody."""
    for klass in CLASSES:
        async for unit in pages(store, Unit, Unit.index("unit_due"), queue_name(klass, who.id)):
            yield unit


async def _uploads(store: Store, who: Who) -> AsyncIterator[Upload]:
    """Visit uploads that are under way: each has a unit that removes it in the end."""
    seen = set[str]()
    async for unit in _queued(store, who):
        named = unit.payload.get("upload")
        if named and named not in seen and (upload := await store.get(Upload, named)) is not None:
            seen.add(named)
            yield upload


async def _origins(store: Store, who: Who) -> AsyncIterator[Origin]:
    for source in SOURCES:
        async for row in pages(store, Origin, Origin.index("origin_aging"), source):
            if row.owner == who.id:
                yield row


async def _tags(store: Store, who: Who) -> AsyncIterator[FileTag]:
    async for file in files(store, who):
        for row in tag_rows(file):
            yield row


def _me(who: Who) -> tuple[Any, ...]:
    return (who.id,)


def _invited(row: Invitation, who: Who) -> bool:
    """Tell whether an invitation is somebody's: to them, or by them."""
    return who.id in (row.user, row.by) or (bool(who.email) and row.email == who.email)


def _mailed(letter: str) -> Callable[[Who], tuple[Any, ...]]:
    """Find by what mails about an account are counted (`handlers/telling/accounts.py`)."""
    return lambda who: (counter_of(who.email, letter) if who.email else "",)


def _id(row: Any) -> str:
    named: str = row.id
    return named


files = both(listed(File, "file_listed", _me), listed(File, "file_trashed", _me))
jobs = both(listed(Job, "job_listed", _me), listed(Job, "job_trashed", _me))
projects = listed(Project, "project_listed", _me, lambda who: (trash_of(who.id),))
templates = listed(Template, "template_listed", _me)
webhooks = owned(Webhook)
versions = under(projects, DatasetVersion, "", _id)
queued: Find = _queued
uploads: Find = _uploads
origins: Find = _origins

TECHNICAL = "Says nothing to a person: it is how the service finds, counts or queues the rest."
INSIDE = "What it says is in another file of the export."

PURGED, NAMELESS = Goes.PURGED, Goes.NAMELESS

HOLDINGS: tuple[Holding, ...] = (
    Holding(User, single(User, _me), secret=frozenset({"password"})),
    Holding(Email, only(single(Email, lambda who: (who.email.lower(),)),
                        lambda row, who: row.user == who.id), untold=INSIDE),
    Holding(Token, listed(Token, "token_user",
                          *(lambda who, kind=kind: (who.id, kind) for kind in TokenKind)),
            secret=frozenset({"digest"})),
    Holding(Factor, owned(Factor), secret=frozenset({"secret", "sealed_by", "recovery"})),
    Holding(Invitation, only(listed(Invitation, "invitation_all", lambda who: (INVITATIONS,)),
                             _invited)),
    Holding(Feedback, listed(Feedback, "feedback_user", _me),
            blobs=lambda row: f"feedback/{row.id}/"),
    Holding(FeedbackDay, owned(FeedbackDay), untold=TECHNICAL),
    Holding(Identity, listed(Identity, "identity_user", _me)),
    Holding(Unwanted, single(Unwanted, lambda who: (who.email.lower(),))),
    Holding(MailDay, single(MailDay, _me, *map(_mailed, COUNTED)), untold=TECHNICAL),
    Holding(Act, both(listed(Act, "audit_actor", _me),
                      only(listed(Act, "audit_about", _me), lambda row, who: row.actor != who.id)),
            NAMELESS),
    # files
    Holding(File, files, PURGED),
    Holding(FileTag, _tags, PURGED, untold=INSIDE),
    Holding(Version, under(files, Version, "", _id), PURGED),
    Holding(Upload, uploads, PURGED),
    Holding(UploadPart, under(uploads, UploadPart, "", _id), PURGED, untold=TECHNICAL),
    Holding(Origin, origins, PURGED),
    # jobs
    Holding(Job, jobs, PURGED),
    Holding(Result, under(jobs, Result, "", _id), PURGED),
    Holding(ManifestPage, under(jobs, ManifestPage, "", _id), PURGED, untold=INSIDE),
    Holding(Attempt, under(jobs, Attempt, "attempt_job", _id), PURGED),
    Holding(Caption, listed(Caption, "caption_listed", _me), PURGED),
    Holding(CaptionWord, listed(CaptionWord, "caption_words_of", _me), PURGED, untold=INSIDE),
    Holding(Purse, under(jobs, Purse, "", _id), PURGED, untold=TECHNICAL),
    Holding(StreamJob, under(jobs, StreamJob, "", _id), PURGED, untold=TECHNICAL),
    Holding(CutShort, owned(CutShort), untold=TECHNICAL),
    Holding(Reuse, owned(Reuse), untold=TECHNICAL),
    Holding(KeyedRequest, owned(KeyedRequest), untold=TECHNICAL, blobs=blobs_of),
    Holding(Unit, queued, PURGED, untold=TECHNICAL),
    Holding(Lane, single(Lane, *(lambda who, klass=klass: (klass, who.id) for klass in CLASSES)),
            untold=TECHNICAL),
    Holding(Gate, owned(Gate), untold=TECHNICAL),
    # projects
    Holding(Project, projects, PURGED),
    Holding(ProjectFile, under(projects, ProjectFile, "", _id), PURGED),
    Holding(FileAnnotations, under(projects, FileAnnotations, "", _id), PURGED),
    Holding(AnnotationHistory, under(projects, AnnotationHistory, "", _id), PURGED),
    Holding(AnnotationBook, under(projects, AnnotationBook, "", _id), PURGED),
    Holding(DatasetVersion, versions, PURGED),
    Holding(VersionFile, under(versions, VersionFile, "", lambda row: row.root), PURGED),
    Holding(ProjectTask, under(projects, ProjectTask, "", _id), PURGED),
    Holding(ProjectShare, both(owned(ProjectShare),
                               under(projects, ProjectShare, "share_of_project", _id))),
    Holding(Former, both(owned(Former), under(projects, Former, "former_of", _id)),
            untold=TECHNICAL),
    # templates
    Holding(Template, templates, PURGED),
    Holding(TemplateName, owned(TemplateName), PURGED, untold=INSIDE),
    Holding(TemplateVersion, under(templates, TemplateVersion, "", _id), PURGED),
    Holding(TemplateShare, both(owned(TemplateShare),
                                under(templates, TemplateShare, "share_of_template", _id))),
    # money and measures
    Holding(Account, owned(Account)),
    Holding(Spent, owned(Spent)),
    Holding(SpentDay, owned(SpentDay)),
    Holding(BudgetRow, owned(BudgetRow)),
    Holding(BudgetNotice, owned(BudgetNotice)),
    Holding(QuotaNotice, owned(QuotaNotice)),
    Holding(Usage, owned(Usage)),
    Holding(MonthlyUsage, owned(MonthlyUsage)),
    Holding(Allowance, owned(Allowance)),
    Holding(Daily, owned(Daily), NAMELESS),
    # webhooks
    Holding(Webhook, webhooks, PURGED, secret=frozenset({"secret", "former", "sealed_by"})),
    Holding(Delivery, under(webhooks, Delivery, "", _id), PURGED),
    Holding(Listeners, owned(Listeners), untold=TECHNICAL),
    Holding(Export, owned(Export), untold="It is the export.",
            blobs=lambda row: f"{TAKEOUT}/{row.owner}/"),
)  # fmt: skip
"""Of what is kept about somebody, each table once."""

NOT_PERSONAL: Mapping[str, str] = {
    "chains": "Which providers answer an operation, for everybody.",
    "circuits": "How providers do.",
    "guesses": "Counters at hashed places, which many share and none belongs to.",
    "erasures": "Names nobody once it is done, and is the receipt then.",
    "figures": "Sums by day, which name customers at most: labels of companies and the like.",
    "moves": "That the installation was moved.",
    "permits": "Which processes call a provider now.",
    "providers": "How providers are reached; who set one up is taken out (`nameless.py`).",
    "rates": "Counters of a minute, under hashes; they go minutes later.",
    "sealing_keys": "Under which keys the installation seals.",
    "stream_partitions": "How far the stream was read: counters and offsets.",
    "sweeps": "What retention has done, in sums.",
    "workers": "Which workers there are.",
}
"""Tables that say nothing about a user, and why."""


def holding(kind: type[Record]) -> Holding:
    """Return the holding of a kind; raises `KeyError`."""
    for one in HOLDINGS:
        if one.kind is kind:
            return one
    raise KeyError(kind.__name__)
