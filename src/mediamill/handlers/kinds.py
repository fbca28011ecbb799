"""Which handler runs which kind of unit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mediamill.analytics.exporting import Exporter
from mediamill.analytics.places import open_place
from mediamill.core.clock import HOUR, SystemClock
from mediamill.engine.tending import Handler
from mediamill.handlers.asks.asks import Asks
from mediamill.handlers.asks.claim import Parts as Claims
from mediamill.handlers.asks.close_purses import ClosePurses
from mediamill.handlers.asks.index_captions import IndexCaptions
from mediamill.handlers.back_up import KIND as BACK_UP
from mediamill.handlers.back_up import BackUp
from mediamill.handlers.counting.export_figures import ExportFigures
from mediamill.handlers.counting.fold_figures import FoldFigures
from mediamill.handlers.datasets import kinds as datasets
from mediamill.handlers.datasets.bringing import Taking
from mediamill.handlers.files.arrived import ArrivedHandler, Submits
from mediamill.handlers.files.check import Check, Settling
from mediamill.handlers.files.count_files import CountFiles
from mediamill.handlers.files.fetch import Fetch, Intake
from mediamill.handlers.files.thumbnail import Thumbnail
from mediamill.handlers.files.uploads import ExpireUpload, Finisher, FinishUpload
from mediamill.handlers.items.items import Items
from mediamill.handlers.items.partners import Partners
from mediamill.handlers.items.segments import Segments
from mediamill.handlers.removing.collect import Collect
from mediamill.handlers.removing.expire_job import ExpireJob
from mediamill.handlers.removing.expire_origin import ExpireOrigin
from mediamill.handlers.removing.forget import Forget
from mediamill.handlers.removing.forget_invitations import ForgetInvitations
from mediamill.handlers.removing.forget_rates import ForgetRates
from mediamill.handlers.removing.lineage import Lineage
from mediamill.handlers.removing.purge import PurgeFile, PurgeJob
from mediamill.handlers.removing.purge_project import PurgeProject
from mediamill.handlers.removing.purge_version import PurgeVersion
from mediamill.handlers.removing.purge_webhook import PurgeWebhook
from mediamill.handlers.removing.retain import Retain
from mediamill.handlers.removing.retire_secret import RetireSecret
from mediamill.handlers.removing.trim_audit import TrimAudit
from mediamill.handlers.removing.trim_webhook import TrimWebhook
from mediamill.handlers.stages.cancel import Cancel
from mediamill.handlers.stages.enrolling import Enrolling
from mediamill.handlers.stages.expand import Expand
from mediamill.handlers.stages.gather import Gather
from mediamill.handlers.stages.next_stage import NextStage
from mediamill.handlers.stages.pack import Pack
from mediamill.handlers.stages.seal import Seal
from mediamill.handlers.telling.accounts import AccountMail, Secret
from mediamill.handlers.telling.announce import Announce, StreamChannel
from mediamill.handlers.telling.budgets import BudgetMail, BudgetMailChannel
from mediamill.handlers.telling.deliver import Deliver, Delivering
from mediamill.handlers.telling.disabled import WebhookMail, WebhookMailChannel
from mediamill.handlers.telling.feedback import FeedbackMail, FeedbackPictures
from mediamill.handlers.telling.invitations import InvitationMail
from mediamill.handlers.telling.mail import Mail, MailChannel
from mediamill.handlers.telling.notify import Channel, Notify
from mediamill.handlers.telling.publish import Publish, Publishing
from mediamill.handlers.telling.quotas import QuotaMail, QuotaMailChannel
from mediamill.handlers.telling.replay import Replay
from mediamill.handlers.upgrading import recount
from mediamill.handlers.upgrading.catch_up import CatchUp
from mediamill.letters.account import KIND as ACCOUNTS
from mediamill.letters.account import AccountLetters
from mediamill.letters.budget import BudgetLetters
from mediamill.letters.job import JobLetters
from mediamill.letters.quota import QuotaLetters
from mediamill.letters.webhook import WebhookLetters
from mediamill.media.archive.read import MAX_MEMBER_BYTES
from mediamill.parts import Parts, cpu_slots
from mediamill.store.repositories.audit import Audit
from mediamill.store.repositories.captions import Captions
from mediamill.store.repositories.feedback import Feedbacks
from mediamill.store.repositories.figures import Figures
from mediamill.store.repositories.invitations import Invitation, Invitations
from mediamill.store.repositories.mails import AN_HOUR, Mails
from mediamill.store.repositories.rates import Rates
from mediamill.store.repositories.units import Units

SYSTEM = "system"
"""Who owns the housekeeping that belongs to nobody."""
RECURRING = (
    "collect", "forget", "trim_audit", "forget_rates", "forget_invitations", "fold_figures",
    "export_figures",
)  # fmt: skip
AT_ONCE = ("lineage", "count_files", "catch_up", "retain", "close_purses")
"""Begun when the first worker starts: the first three are done once, the others come again."""


def handlers(
    parts: Parts,
    intake: Intake,
    finisher: Finisher,
    settling: Settling,
    unsubscribe: Callable[[str], Awaitable[str]],
    secret: Secret,
    invited: Callable[[Invitation], Awaitable[str]],
    submits: Submits,
    taking: Taking,
) -> Mapping[str, Handler]:
    """Make a handler for every kind of unit.

    `intake` takes in files that were fetched or sent to the bucket, `finisher` makes files of
    resumable uploads, `settling` ends direct ones; `unsubscribe` gives the address at which a user
    wants no more mails, `secret` what a mail's link brings, `invited` what an invitation's does;
    `submits` makes jobs of what arrives, `taking` takes files into projects.
    """
    store, nouns, settings = parts.store, parts.nouns, parts.settings
    segments = Segments(
        nouns.jobs,
        nouns.units,
        nouns.manifests,
        nouns.lookup,
        parts.blobs,
        parts.results,
        parts.slots,
        parts.operations,
        parts.bell,
        parts.scratch,
        settings.segment_seconds,
    )
    return {
        "items": _items(parts, segments),
        "asks": _asks(parts),
        "close_purses": ClosePurses(nouns.units, nouns.attempts, parts.models),
        "index_captions": IndexCaptions(Captions(store)),
        "segment": segments,
        "gather": Gather(
            nouns.jobs, nouns.manifests, parts.sources, parts.bell, parts.operations, nouns.usages
        ),
        "expand": Expand(
            nouns.jobs, nouns.manifests, nouns.results, nouns.lookup, parts.bell, parts.operations
        ),
        "next_stage": NextStage(
            nouns.jobs,
            nouns.manifests,
            nouns.results,
            parts.bell,
            parts.scratch,
            parts.operations,
            nouns.usages,
        ),
        "seal": Seal(
            nouns.jobs,
            nouns.results,
            parts.results,
            parts.scratch,
            Enrolling(
                nouns.results, nouns.manifests, nouns.projects, nouns.annotations, parts.operations
            ),
        ),
        "pack": Pack(nouns.jobs, parts.results),
        "cancel": Cancel(nouns.jobs, nouns.units),
        "notify": Notify(nouns.jobs, parts.bell, channels(parts)),
        "budget": Notify(nouns.jobs, parts.bell, channels(parts)),
        "quota": Notify(nouns.jobs, parts.bell, channels(parts)),
        **_mails(parts, unsubscribe, secret, invited),
        "publish": Publish(parts.events, parts.told),
        "deliver": Deliver(nouns.webhooks, parts.fetcher, parts.sealer, parts.told),
        "replay": Replay(nouns.webhooks, nouns.units),
        "arrived": ArrivedHandler(submits, store),
        "feedback": FeedbackPictures(
            Feedbacks(store, nouns.units),
            nouns.lookup,
            parts.blobs,
            parts.results,
            parts.slots,
            parts.scratch,
        ),
        "announce": Announce(nouns.jobs, nouns.files, nouns.results, parts.publisher),
        "thumbnail": Thumbnail(nouns.files, parts.blobs, parts.slots, parts.scratch),
        "fetch": Fetch(nouns.files, parts.blobs, intake, parts.fetcher, settings.max_upload_bytes),
        "check": Check(nouns.files, parts.blobs, intake, settling),
        "finish_upload": FinishUpload(finisher),
        "expire_upload": ExpireUpload(nouns.uploads, finisher),
        "retain": Retain(nouns.units, parts.retention, parts.bell),
        "lineage": Lineage(store),
        "expire_job": _expire_job(parts),
        "expire_origin": ExpireOrigin(nouns.jobs, nouns.manifests, datasets.forgetting_of(parts)),
        "expire_file": _purge_file(parts),
        "purge_file": _purge_file(parts),
        "purge_version": PurgeVersion(store, nouns.jobs, parts.blobs),
        "purge_job": PurgeJob(
            store, nouns.jobs, nouns.results, nouns.units, parts.results, nouns.annotations
        ),
        "purge_project": PurgeProject(
            store, nouns.projects, nouns.jobs, datasets.forgetting_of(parts), nouns.annotations
        ),
        "purge_webhook": PurgeWebhook(nouns.webhooks),
        "trim_webhook": TrimWebhook(nouns.webhooks),
        "retire_secret": RetireSecret(nouns.webhooks),
        "forget": Forget(nouns.keys, parts.results),
        "forget_rates": ForgetRates(Rates(store)),
        "forget_invitations": ForgetInvitations(Invitations(store)),
        "count_files": CountFiles(store),
        "catch_up": CatchUp(store),
        recount.KIND: recount.Recount(store),
        "fold_figures": FoldFigures(Figures(store)),
        "export_figures": ExportFigures(_exporter(parts)),
        "trim_audit": TrimAudit(Audit(store), settings.audit_days),
        BACK_UP: BackUp(settings, store, parts.blob_stores(), parts.kept),
        "collect": Collect(store, parts.blob_stores(), SystemClock()),
        **datasets.handlers(parts, taking),
    }


def channels(parts: Parts) -> Sequence[Channel]:
    """Make the ways by which facts go out."""
    public = parts.settings.address
    nouns = parts.nouns
    return (
        MailChannel(nouns.jobs, nouns.units, nouns.users, nouns.mails, parts.post),
        BudgetMailChannel(nouns.users, nouns.mails, parts.post),
        QuotaMailChannel(nouns.users, nouns.mails, parts.post),
        WebhookMailChannel(nouns.users, nouns.mails, parts.post),
        Publishing(parts.events, public),
        Delivering(nouns.webhooks, public),
        StreamChannel(nouns.jobs),
    )


def _mails(
    parts: Parts,
    unsubscribe: Callable[[str], Awaitable[str]],
    secret: Secret,
    invited: Callable[[Invitation], Awaitable[str]],
) -> Mapping[str, Handler]:
    """Make what sends mails, all kinds to one server."""
    nouns, public = parts.nouns, parts.settings.address
    letters = JobLetters(nouns.manifests, nouns.results, nouns.projects, public, unsubscribe)
    mail = Mail(nouns.jobs, nouns.users, nouns.mails, letters, parts.post, parts.told)
    budgets = BudgetMail(
        nouns.users, nouns.mails, BudgetLetters(public, unsubscribe), parts.post, parts.told,
        pause=mail.pause, gates=mail.gates,
    )  # fmt: skip
    quotas = QuotaMail(
        nouns.users, nouns.mails, QuotaLetters(public, unsubscribe), parts.post, parts.told,
        pause=mail.pause, gates=mail.gates,
    )  # fmt: skip
    webhooks = WebhookMail(
        nouns.webhooks, nouns.users, nouns.mails, WebhookLetters(public, unsubscribe), parts.post,
        parts.told, pause=mail.pause, gates=mail.gates,
    )  # fmt: skip
    accounts = AccountMail(
        nouns.users, Mails(parts.store, AN_HOUR, HOUR), AccountLetters(public), secret, parts.post,
        parts.told, pause=mail.pause, gates=mail.gates,
    )  # fmt: skip
    invitations = InvitationMail(
        nouns.users, accounts.mails, accounts.letters, secret, parts.post, parts.told,
        pause=mail.pause, gates=mail.gates, invitations=Invitations(parts.store), link=invited,
    )  # fmt: skip
    feedback = FeedbackMail(
        nouns.users, nouns.mails, accounts.letters, secret, parts.post, parts.told,
        pause=mail.pause, gates=mail.gates, feedback=Feedbacks(parts.store, nouns.units),
    )  # fmt: skip
    return {
        ACCOUNTS: accounts, "mail": mail, "mail_budget": budgets, "mail_webhook": webhooks,
        "mail_quota": quotas, "mail_invitation": invitations, "mail_feedback": feedback,
    }  # fmt: skip


def _items(parts: Parts, segments: Segments) -> Items:
    settings, nouns = parts.settings, parts.nouns
    return Items(
        nouns.jobs,
        nouns.manifests,
        nouns.lookup,
        parts.blobs,
        parts.results,
        parts.slots,
        parts.operations,
        parts.scratch,
        settings.crash_limit,
        threads=min(2, cpu_slots(settings)),
        max_member_bytes=min(MAX_MEMBER_BYTES, settings.max_upload_bytes),
        segments=segments,
        usages=nouns.usages,
        partners=Partners(nouns.manifests, nouns.lookup),
    )


def _asks(parts: Parts) -> Asks:
    settings, nouns, models = parts.settings, parts.nouns, parts.models
    claims = Claims(
        nouns.jobs,
        nouns.manifests,
        nouns.lookup,
        nouns.results,
        parts.blobs,
        parts.results,
        parts.slots,
        parts.operations,
        parts.scratch,
        models,
        nouns.attempts,
        nouns.spending,
        nouns.usages,
        settings.answer_seconds,
        asyncio.Semaphore(settings.calls_in_flight),
        settings.crash_limit,
        min(MAX_MEMBER_BYTES, settings.max_upload_bytes),
    )
    return Asks(claims)


def _purge_file(parts: Parts) -> PurgeFile:
    nouns = parts.nouns
    return PurgeFile(
        parts.store, nouns.files, nouns.jobs, parts.blobs, parts.announcer, nouns.manifests,
        datasets.forgetting_of(parts),
    )  # fmt: skip


def _exporter(parts: Parts) -> Exporter | None:
    url = parts.settings.analytics_url
    return Exporter(parts.store, open_place(url)) if url else None


def _expire_job(parts: Parts) -> ExpireJob:
    nouns = parts.nouns
    seal = Seal(nouns.jobs, nouns.results, parts.results, parts.scratch)
    return ExpireJob(
        parts.store, nouns.jobs, nouns.results, nouns.units, nouns.manifests, parts.results, seal,
        parts.bell, nouns.annotations,
    )  # fmt: skip


async def begin_recurring(units: Units) -> None:
    """See to it that the housekeeping that comes again and again has begun."""
    for kind in AT_ONCE:
        await units.begin_once(kind, SYSTEM, 0)
    for kind in RECURRING:
        await units.begin_once(kind, SYSTEM, HOUR)
    await units.begin_once(recount.KIND, SYSTEM, recount.DELAY)
