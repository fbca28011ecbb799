"""What `mediamill doctor` says of who answers model calls; nobody is asked anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Needing
from mediamill.adapters.providers.prices import Prices
from mediamill.cli.service.checks import Check, Level
from mediamill.core.errors import MediamillError
from mediamill.core.settings import Settings
from mediamill.engine.asking.chains import Static

OPERATIONS = ("caption", "label", "prompt")
LEVELS = (Level.OK, Level.NOTE, Level.PROBLEM)


def models(settings: Settings) -> Iterator[Check]:
    """Open every provider that the settings name; say what it lacks, and whose price nobody knows.

    `local:` models are looked for where the service looks for them.
    """
    said = {
        "caption": settings.caption_chain,
        "label": settings.label_chain,
        "prompt": settings.prompt_chain,
    }
    try:
        static, prices = Static.read(settings.providers, said), Prices.load(settings.prices or None)
    except MediamillError as error:
        yield Check("models", Level.PROBLEM, error.message)
        return
    bounded = settings.budget is not None or settings.user_budget is not None
    named = _Named(static, prices, settings.home / "models", bounded)
    for operation in OPERATIONS:
        yield named.chain(operation)


@dataclass(frozen=True)
class _Named:
    """Those whom the settings name."""

    static: Static
    prices: Prices
    kept: Path
    """Where models lie that run here."""
    bounded: bool
    """Whether there is a budget."""

    def chain(self, operation: str) -> Check:
        chain = self.static.chains.get(operation, ())
        if not chain:
            text = "the settings name nobody; the page “Models” may"
            return Check("models", Level.NOTE, f"{operation}: {text}")
        findings = [self._one(name) for name in chain]
        level = max((found.level for found in findings), key=LEVELS.index)
        bad = "; ".join(found.text for found in findings if found.text)
        text = f"{operation}: {' → '.join(chain)}"
        return Check("models", level, f"{text}: {bad}" if bad else text)

    def _one(self, name: str) -> Check:
        """Open a provider; say what is wrong with it, nothing where nothing is."""
        if ":" not in name and name not in self.static.providers:
            text = f"{name} is not in the file: set it up on the page “Models”"
            return Check(name, Level.NOTE, text)
        try:
            configured = self.static.find(name)
            provider = open_provider(configured, models=self.kept)
        except (MediamillError, ValueError) as error:
            text = error.message if isinstance(error, MediamillError) else str(error)
            return Check(name, Level.PROBLEM, text)
        if isinstance(provider, Needing) and (lacking := provider.lacks()):
            return Check(name, Level.PROBLEM, lacking)
        if self.bounded and self.prices.of(configured) is None:
            text = f"nobody knows what {name} costs, so it is not asked where there is a budget"
            return Check(name, Level.PROBLEM, text)
        return Check(name, Level.OK, "")
