"""What the model calls of this process came to, for those who watch the service."""

from dataclasses import dataclass, field

from mediamill.core.metrics import MODEL_CALLS, MODEL_COST, MODEL_SECONDS, provider_label
from mediamill.core.numbers import Numbers
from mediamill.store.repositories.attempts import Attempt
from mediamill.store.repositories.spending import MICRO


@dataclass
class Meter:
    """Counts calls by provider; names are those under which they are set up."""

    numbers: Numbers = field(default_factory=Numbers)

    def count(self, row: Attempt) -> None:
        """Count a call that has ended."""
        if not row.called:
            return
        provider = provider_label(row.provider)
        self.numbers.count(MODEL_CALLS, provider, row.state.value)
        self.numbers.count(MODEL_COST, provider, more=row.cost / MICRO)
        self.numbers.time(MODEL_SECONDS, row.milliseconds / 1000, provider)
