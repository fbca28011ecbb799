"""What callers do about models, put together."""

from dataclasses import dataclass

from mediamill.parts import Parts
from mediamill.services.access import Access
from mediamill.services.files.service import FileService
from mediamill.services.models.ledger import LedgerService
from mediamill.services.models.providers import ProviderService
from mediamill.services.models.spending import SpendingService
from mediamill.services.models.trying import Trials


@dataclass(frozen=True)
class ModelServices:
    """Providers and chains, trials, the ledger, spending and budgets."""

    providers: ProviderService
    trials: Trials
    ledger: LedgerService
    spending: SpendingService

    @classmethod
    def over(cls, parts: Parts, access: Access, files: FileService) -> "ModelServices":
        """Make them over what everybody shares."""
        store, models, nouns = parts.store, parts.models, parts.nouns
        return cls(
            ProviderService(store, models, parts.sealer),
            Trials(store, models, nouns.spending, files),
            LedgerService(access, nouns.attempts, nouns.spending),
            SpendingService(store, models, nouns.spending),
        )
