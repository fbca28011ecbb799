"""Gates for tests."""

from typing import Any

from mediamill.adapters.providers.alone import Alone


class Patient(Alone):
    """Lets no provider rest that is asked too often: what the chain waits is looked at."""

    def _rest(self, held: Any, error: Any) -> None:
        pass
