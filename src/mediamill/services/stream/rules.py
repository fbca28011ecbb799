"""What is taken from which topic, and for whom: said by the operator, never by a message alone.

    images=customer:acme,template:thumbs,results:images.done
    photos=customers:acme|beta,unknown:create;scans=customer:ann@example.org,format:json

or the same as a table a topic in a TOML file.
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from mediamill.core.errors import ConfigurationError

SETTING = "MEDIAMILL_STREAM_TOPICS"
TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
ANYBODY = "*"
FORM = "write topic=customer:NAME or topic=customers:NAME|NAME, with more after commas"


def _several(value: Any) -> Any:
    """Read `a|b` as a list."""
    return tuple(filter(None, value.split("|"))) if isinstance(value, str) else value


Several = Annotated[tuple[str, ...], BeforeValidator(_several)]


class TopicRule(BaseModel):
    """How messages of one topic are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer: str = ""
    """Whose files they become, where a message does not say or may not."""
    customers: Several = ()
    """Whom a message may name; `*` is anybody."""
    unknown: Literal["dead-letter", "create"] = "dead-letter"
    """What becomes of a message for a customer who is not known."""
    format: Literal["auto", "binary", "json"] = "auto"
    """`auto` takes a message as JSON where its header `content-type` says so."""
    template: str = ""
    """The template that each file is processed with: the customer's own by name, any by its id."""
    results: str = ""
    """The topic to which outcomes of these jobs are written."""
    dead_letters: str = ""
    """The topic for what cannot be taken; default: the topic's name and `.dead`."""
    buckets: Several = ()
    """Places in buckets from where a message may have its object fetched."""
    tags: Several = ()
    """Tags that each file gets."""

    @model_validator(mode="after")
    def _somebody(self) -> "TopicRule":
        if not self.customer and not self.customers:
            raise ValueError("say whose files they become: customer, or customers")
        if self.results and not self.template:
            raise ValueError("results are those of a template: say which")
        return self


Rules = Mapping[str, TopicRule]


def read_rules(text: str) -> Rules:
    """Read the setting: rules separated by `;`, or the name of a `.toml` file.

    Raises `ConfigurationError` that says what is wrong where.
    """
    if text.strip().endswith(".toml"):
        return _checked(_of_file(Path(text.strip()).expanduser()))
    return rules_of(filter(None, (one.strip() for one in text.split(";"))))


def topics_of(text: str) -> Collection[str]:
    """Return the topics that the setting names; none where it cannot be read."""
    try:
        return read_rules(text).keys()
    except ConfigurationError:
        return ()


def rules_of(lines: Iterable[str]) -> Rules:
    """Read rules as they are typed, one each; raises `ConfigurationError`."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        topic, equals, text = line.partition("=")
        if not equals or topic in found:
            raise _wrong(f"“{line[:80]}”: {FORM}, each topic once")
        pairs = [part.partition(":") for part in text.split(",") if part.strip()]
        if any(not separator for _, separator, _ in pairs):
            raise _wrong(f"“{line[:80]}”: {FORM}")
        found[topic] = {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs}
    return _checked(found)


def _of_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(f"{path} cannot be read: {error}") from None


def _checked(found: Mapping[str, Any]) -> Rules:
    rules: dict[str, TopicRule] = {}
    for topic, given in found.items():
        if not TOPIC.fullmatch(topic):
            raise _wrong(f"“{topic[:80]}” is no name of a topic")
        try:
            rule = TopicRule.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise _wrong(f"{topic}: {place or 'the rule'}: {first['msg']}") from None
        letters = rule.dead_letters or f"{topic}.dead"
        rules[topic] = rule.model_copy(update={"dead_letters": letters})
    for topic, rule in rules.items():
        for other in (rule.results, rule.dead_letters):
            if other in rules:
                raise _wrong(f"{topic}: {other} is read itself: its messages would go in circles")
            if other and not TOPIC.fullmatch(other):
                raise _wrong(f"{topic}: “{other[:80]}” is no name of a topic")
    return rules


def _wrong(text: str) -> ConfigurationError:
    return ConfigurationError(f"{SETTING}: {text}.", setting=SETTING)
