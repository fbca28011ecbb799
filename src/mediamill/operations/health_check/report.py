"""Put the report together, and write it as JSON and the table as Parquet.

The schema of `health.json` (`schema` is raised when something in it changes its meaning):

- `parameters`, `summary` (counts), `advice` (`code`, `severity`, `count`, `text`, and `groups`, the
  first that leak);
- `measures`: for each number its `description`, what `distributions.distribution` returns, and
  `outliers`: `distance`, `low`, `high`, `count`, `below`, and the `images` farthest away;
- `counts`: images by `format`, `split`, `depth`;
- `duplicates`: `exact` and `near`, each a list of groups with `similarity` and `images`;
- `leaks`: images in several `splits` that are alike (`kind` `exact` or `near`, with `similarity`)
  or of one `group` (`kind` `group`); `broken`: files with `code` and `message`;
- `classes`: what `classes.classes` returns; null where nothing is annotated.

An image is shown by its `row` in the table, `item`, `file`, `name`, `path` in its archive, `split`,
and for frames the `time` in seconds.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec
import numpy as np

from mediamill.operations.health_check.advice import advise
from mediamill.operations.health_check.classes import classes
from mediamill.operations.health_check.distributions import distribution, outliers, short
from mediamill.operations.health_check.parquet import write_table
from mediamill.operations.health_check.repeats import Repeats, repeats
from mediamill.operations.health_check.table import Table
from mediamill.operations.work import Context, Measure, Outcome

if TYPE_CHECKING:
    from mediamill.operations.health_check.operation import HealthCheck

SCHEMA = 1
SHOWN = 100
"""Outliers of a number that are shown; all are in the table."""
ADVICE = 20
"""Entries of the summary, which is kept with the job; the report has all."""
DESCRIPTIONS = {
    "luminance": "Mean luma (0 … 255).",
    "sharpness": "Standard deviation of the Laplacian of the luma.",
    "contrast_michelson": "(max − min) / (max + min) of the luma.",
    "contrast_rms": "Standard deviation of the luma / 255.",
    "mean_red": "Mean of the red channel (0 … 255).",
    "mean_green": "Mean of the green channel (0 … 255).",
    "mean_blue": "Mean of the blue channel (0 … 255).",
    "snr_red": "Mean / standard deviation of the red channel.",
    "snr_green": "Mean / standard deviation of the green channel.",
    "snr_blue": "Mean / standard deviation of the blue channel.",
    "width": "Pixels from left to right.",
    "height": "Pixels from top to bottom.",
    "aspect_ratio": "Width / height.",
    "size": "Bytes of the file.",
    "objects": "Annotated objects in the image.",
}
RATIOS = frozenset({"sharpness", "width", "height", "aspect_ratio", "size", "snr_red",
                    "snr_green", "snr_blue"})  # fmt: skip
"""Numbers whose outliers are told by how many times as large they are."""
_LEAST = {"luminance": 1.0, "mean_red": 1.0, "mean_green": 1.0, "mean_blue": 1.0, "objects": 1.0}
_LEAST_OTHER = 0.01
JSON, PARQUET = "application/json", "application/vnd.apache.parquet"


def reported(measures: Iterator[Measure], told: "HealthCheck", context: Context) -> Outcome:
    """Write `health.json` and `health.parquet` of a set; return them with the summary."""
    with tempfile.TemporaryFile(dir=context.scratch) as spool:
        table = Table(cast("BinaryIO", spool))
        for measure in measures:
            table.add(measure)
        found = repeats(
            table,
            context.scratch,
            told.similarity,
            near=told.duplicates,
            progress=context.progress,
        )
    away = {name: _outliers(table, name, told.outlier_distance) for name in DESCRIPTIONS}
    report = _report(table, found, away, told)
    with context.output("health.json", JSON) as text:
        text.write(msgspec.json.encode(report))
    with context.output("health.parquet", PARQUET) as rows:
        write_table(rows, table, found, {name: one["rows"] for name, one in away.items()})
    summary = {**report["summary"], "advice": report["advice"][:ADVICE]}
    return Outcome((text.output, rows.output), data=summary)


def _report(
    table: Table, found: Repeats, away: dict[str, dict[str, Any]], told: "HealthCheck"
) -> dict[str, Any]:
    report = {
        "schema": SCHEMA,
        "parameters": told.model_dump(mode="json"),
        "summary": {},
        "advice": [],
        "measures": {name: _measure(table, name, away[name], told.bins) for name in DESCRIPTIONS},
        "counts": _counts(table),
        "duplicates": _duplicates(table, found),
        "leaks": found.leaks(table),
        "broken": [{**table.shown(row), **error} for row, error in sorted(table.errors.items())],
        "classes": classes(table),
    }
    report["advice"] = advise(report)
    report["summary"] = _summary(table, found, report)
    return report


def _summary(table: Table, found: Repeats, report: dict[str, Any]) -> dict[str, Any]:
    spare = [sum(len(group) - 1 for group in groups) for groups in (found.exact, found.near)]
    return {
        "schema": SCHEMA,
        "files": table.inputs,
        "images": len(table.sound),
        "broken": len(table.errors),
        "exact_duplicates": spare[0],
        "near_duplicates": spare[1],
        "duplicate_groups": len(found.near),
        "leaks": len({image["row"] for leak in report["leaks"] for image in leak["images"]}),
        "classes": len(report["classes"]["classes"]) if report["classes"] else 0,
    }


def _duplicates(table: Table, found: Repeats) -> dict[str, Any]:
    """Return the groups; those of equal files alone are not told again as near-duplicates."""
    exact = [{"similarity": 1.0, "images": [table.shown(row) for row in g]} for g in found.exact]
    same = {tuple(group) for group in found.exact}
    near = [
        {"similarity": similarity, "images": [table.shown(row) for row in group]}
        for group, similarity in zip(found.near, found.similarity, strict=True)
        if tuple(group) not in same
    ]
    return {"exact": exact, "near": near}


def _values(table: Table, name: str) -> Any:
    """Return the values of the rows that are pictures."""
    return np.frombuffer(table.numbers[name], np.float64)[table.sound]


def _outliers(table: Table, name: str, distance: float) -> dict[str, Any]:
    """Return the bounds of what is usual, and the rows beyond them, the farthest first."""
    least = _LEAST.get(name, _LEAST_OTHER)
    found = outliers(_values(table, name), distance, least=least, ratio=name in RATIOS)
    rows = np.array(table.sound, np.int64)
    beyond = np.flatnonzero(np.abs(found.away) > distance)
    beyond = beyond[np.argsort(-np.abs(found.away[beyond]), kind="stable")]
    return {
        "low": found.low,
        "high": found.high,
        "rows": rows[beyond].tolist(),
        "away": [short(value) for value in found.away[beyond]],
        "distance": distance,
    }


def _measure(table: Table, name: str, away: dict[str, Any], bins: int) -> dict[str, Any]:
    told = distribution(_values(table, name), bins)
    shown = [
        {**table.shown(row), "value": short(table.numbers[name][row]), "away": off}
        for row, off in list(zip(away["rows"], away["away"], strict=True))[:SHOWN]
    ]
    bounds = {key: short(away[key]) if np.isfinite(away[key]) else None for key in ("low", "high")}
    return {
        "description": DESCRIPTIONS[name],
        **told,
        "outliers": {
            "distance": away["distance"],
            **bounds,
            "count": len(away["rows"]),
            "below": sum(off < 0 for off in away["away"]),
            "images": shown,
        },
    }


def _counts(table: Table) -> dict[str, Any]:
    sound = table.sound
    kinds = Counter(table.words["media_type"][row] for row in sound)
    splits = Counter(table.words["split"][row] for row in sound)
    depths = Counter(str(table.depths[row]) for row in sound)
    return {"format": dict(kinds), "split": dict(splits), "depth": dict(depths)}
