"""What expressions of Prometheus name, read without a parser of its language."""

import re
from collections.abc import Iterator

from mediamill.core.declaring import Kind
from mediamill.core.metrics import METRICS

SELECTOR = re.compile(r"\b([a-z][a-z0-9_]*)\{([^{}]*(?:\"[^\"]*\"[^{}]*)*)\}")
MATCHER = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"(?:[^\"\\]|\\.)*\"")
GROUPED = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^()]*)\)")
OURS = re.compile(r"\b(?:mediamill|process)_[a-z0-9_]+")
OF_PROMETHEUS = {"job", "instance"}
BESIDE = {"up": set[str]()}
"""What Prometheus makes itself."""


def wrong(expr: str) -> Iterator[str]:
    """Yield each metric that nobody declared, and each label that its metrics have not."""
    known = set(OF_PROMETHEUS)
    quoted = re.sub(r"\"(?:[^\"\\]|\\.)*\"", '""', expr)
    for name in {*OURS.findall(quoted), *re.findall(r"([a-z_0-9]+)\{", quoted)}:
        labels = labels_of(name)
        if labels is None:
            yield f"{name} is not declared"
        else:
            known |= labels
    for name, inside in SELECTOR.findall(expr):
        asked = {label for label, *_ in (m.groups() for m in MATCHER.finditer(inside))}
        for label in asked - (labels_of(name) or set()) - OF_PROMETHEUS:
            yield f"{name} has no label {label}"
    for group in GROUPED.findall(quoted):
        for label in {one.strip() for one in group.split(",")} - known - {""}:
            yield f"nothing there has a label {label}"


def labels_of(name: str) -> set[str] | None:
    """Return the labels of a series; None where nobody declared it."""
    if name in BESIDE:
        return BESIDE[name]
    if name in METRICS and METRICS[name].kind is not Kind.HISTOGRAM:
        return {*METRICS[name].labels}
    base, _, part = name.rpartition("_")
    if base in METRICS and METRICS[base].kind is Kind.HISTOGRAM:
        more = {"bucket": {"le"}, "sum": set[str](), "count": set[str]()}.get(part)
        return None if more is None else {*METRICS[base].labels, *more}
    return None
