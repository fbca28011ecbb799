"""What knows, hands over and removes all that is kept about somebody, put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from mediamill.engine.tending import Handler
from mediamill.handlers.files import export_account
from mediamill.handlers.files.export_account import ExportAccount
from mediamill.handlers.removing import erase
from mediamill.handlers.removing.erase import Erase
from mediamill.letters.erasure import ErasureLetters
from mediamill.parts import Parts
from mediamill.services.accounts.together import AccountServices
from mediamill.services.jobs.trash import JobTrash
from mediamill.services.links.signing import Signer
from mediamill.services.privacy.closing import Closing, Deletions
from mediamill.services.privacy.erasing import Erasing
from mediamill.services.privacy.exporting import Exporting
from mediamill.services.privacy.packing import Packing
from mediamill.services.projects.service import ProjectService
from mediamill.services.templates.service import TemplateService
from mediamill.services.webhooks.service import WebhookService
from mediamill.store.repositories.exports import Exports


@dataclass(frozen=True)
class PrivacyServices:
    """The services, and the handlers of their units."""

    parts: Parts
    closing: Closing
    erasing: Erasing
    exporting: Exporting

    @classmethod
    def over(
        cls,
        parts: Parts,
        signer: Signer,
        people: AccountServices,
        jobs: JobTrash,
        projects: ProjectService,
        templates: TemplateService,
        webhooks: WebhookService,
    ) -> Self:
        """Make them of the services that delete what they erase."""
        nouns = parts.nouns
        deletions = Deletions(people.administering.roster, nouns.units, parts.bell)
        closing = Closing(deletions, people.accounts, signer, parts.settings.address)
        erasing = Erasing(
            parts.store, nouns.users, nouns.units, nouns.uploads, jobs, projects, templates,
            webhooks, parts.blob_stores(), parts.bell,
        )  # fmt: skip
        packing = Packing(parts.store, parts.blobs, parts.results, parts.scratch)
        exporting = Exporting(Exports(parts.store), nouns.units, packing, parts.bell)
        return cls(parts, closing, erasing, exporting)

    def handlers(self) -> Mapping[str, Handler]:
        """Make a handler for every kind of unit that they insert."""
        letters = ErasureLetters(self.parts.settings.address, self.closing.link)
        users = self.parts.nouns.users
        packing = self.exporting.packing
        return {
            erase.KIND: Erase(users, self.erasing, letters, self.parts.post),
            export_account.KIND: ExportAccount(self.parts.store, packing, self.parts.blobs),
        }
