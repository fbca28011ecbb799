"""What `mediamill doctor` says of who answers model calls; nobody is asked anything."""

from collections.abc import Iterator

from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.prices import Prices
from mediamill.cli.service.checks import Check, Level
from mediamill.core.errors import MediamillError
from mediamill.core.settings import Settings
from mediamill.engine.asking.chains import Static

OPERATIONS = ("caption", "label", "prompt")
LEVELS = (Level.OK, Level.NOTE, Level.PROBLEM)


def models(settings: Settings) -> Iterator[Check]:
    """Open every provider that the settings name, and say whose price is not known."""
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
    for operation in OPERATIONS:
        yield _chain(static, operation, prices, bounded=bounded)


def _chain(static: Static, operation: str, prices: Prices, *, bounded: bool) -> Check:
    chain = static.chains.get(operation, ())
    if not chain:
        text = "the settings name nobody; the page “Models” may"
        return Check("models", Level.NOTE, f"{operation}: {text}")
    findings = [_opened(static, name, prices, bounded=bounded) for name in chain]
    level = max((found.level for found in findings), key=LEVELS.index)
    bad = "; ".join(found.text for found in findings if found.text)
    text = f"{operation}: {' → '.join(chain)}"
    return Check("models", level, f"{text}: {bad}" if bad else text)


def _opened(static: Static, name: str, prices: Prices, *, bounded: bool) -> Check:
    """Open a provider; say what is wrong with it, nothing where nothing is."""
    if ":" not in name and name not in static.providers:
        return Check(name, Level.NOTE, f"{name} is not in the file: set it up on the page “Models”")
    try:
        configured = static.find(name)
        open_provider(configured)
    except (MediamillError, ValueError) as error:
        text = error.message if isinstance(error, MediamillError) else str(error)
        return Check(name, Level.PROBLEM, text)
    if bounded and prices.of(configured) is None:
        text = f"nobody knows what {name} costs, so it is not asked where there is a budget"
        return Check(name, Level.PROBLEM, text)
    return Check(name, Level.OK, "")
