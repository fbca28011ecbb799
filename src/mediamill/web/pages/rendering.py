"""Templates, and what they may call."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from mediamill import __version__
from mediamill.web.pages import times
from mediamill.web.pages.reference import type_text
from mediamill.web.texts import load
from mediamill.web.views.common import moment
from mediamill.web.views.models import PriceView

t = load()
TEMPLATES = Path(__file__).parent.parent / "templates"


def size_text(size: float) -> str:
    """Write a number of bytes for people: 1.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def duration_text(seconds: float) -> str:
    """Write a length of time for people: 1:05, 2:03:07, 0.4 s."""
    if seconds < 1:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def money_text(micro: int) -> str:
    """Write micro-dollars for people, with as many digits as small sums need: $0.0004, $1.25."""
    value = micro / 1_000_000
    digits = 2 if not value or value >= 1 else 3 if value >= 0.01 else 6
    whole, _, parts = f"{value:,.{digits}f}".partition(".")
    return f"${whole}.{parts.rstrip('0'):0<2}"


def price_text(price: PriceView | None) -> str:
    """Write what a provider costs for people."""
    if price is None:
        return t("money.unknown")
    rates = {name: getattr(price, name) for name in ("input", "output", "image", "call", "second")}
    told = [t("models.price", which=name, rate=f"{rate:g}") for name, rate in rates.items() if rate]
    return ", ".join(told) or t("models.free")


def agent_text(agent: str) -> str:
    """Say for people what a program called itself: `Firefox on Linux`, `curl/8.5.0`."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    if browser and system:
        return t("words.agent", browser=browser, system=system)
    return browser or agent.partition(" ")[0] or t("words.agent_unknown")


_BROWSERS = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
"""What browsers' names hold, those first that hold others' too."""
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def action_text(action: str) -> str:
    """Write the name of an act for people: `sign_in_refused`: Sign in refused."""
    return action.replace("_", " ").capitalize()


environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.filters |= {
    "size": size_text, "duration": duration_text, "type": type_text, "money": money_text,
    "price": price_text, "thousands": "{:,}".format, "agent": agent_text, "action": action_text,
    "moment": moment, "when": times.when, "day": times.day, "exact": times.exact,
    "clock": times.clock, "date": times.date, "month": times.month, "plain_time": times.plain,
}  # fmt: skip
environment.globals |= {"version": __version__, "t": t}


def page(name: str, /, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a template as an answer."""
    return HTMLResponse(environment.get_template(name).render(**context), status)
