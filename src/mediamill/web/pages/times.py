"""Times as pages write them: like `static/times.js`, which retells them in the reader's zone."""

from datetime import UTC, datetime

from markupsafe import Markup

from mediamill.web.texts import load

t = load()
FORMS = {
    "day": "{at:%b} {at.day}, {at.year}",
    "moment": "{at:%b} {at.day}, {at.year}, {at:%H:%M} UTC",
    "exact": "{at:%b} {at.day}, {at.year}, {at:%H:%M:%S} UTC",
    "clock": "{at:%H:%M:%S} UTC",
}
"""Nov 22, 2026; Nov 22, 2026, 20:05 UTC; to the second; only the time of that."""


def day(moment: str) -> Markup:
    """Write the day of a time (RFC 3339)."""
    return _element(moment, "day")


def when(moment: str | None) -> Markup:
    """Write a time (RFC 3339) to the minute; “never” for none."""
    return _element(moment, "moment") if moment else t("words.never")


def exact(moment: str) -> Markup:
    """Write a time (RFC 3339) to the second."""
    return _element(moment, "exact")


def clock(moment: str) -> Markup:
    """Write a time (RFC 3339) that is soon or was just now, to the second."""
    return _element(moment, "clock")


def date(text: str) -> str:
    """Write a day that is counted in UTC (`2026-11-22`): Nov 22, 2026."""
    return plain(f"{text}T00:00:00Z", "day")


def month(text: str) -> str:
    """Write a month (`2026-11`): November 2026."""
    return f"{datetime.strptime(text, '%Y-%m').replace(tzinfo=UTC):%B %Y}"


def plain(moment: str, form: str = "moment") -> str:
    """Write a time (RFC 3339) where no element can be, such as in an attribute."""
    return FORMS[form].format(at=datetime.fromisoformat(moment).astimezone(UTC))


def _element(moment: str, form: str) -> Markup:
    return Markup('<time datetime="{}" data-form="{}">{}</time>').format(
        moment, form, plain(moment, form)
    )
