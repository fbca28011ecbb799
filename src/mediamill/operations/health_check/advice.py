"""What a report comes to, in plain words: each entry has a code that stays and a sentence."""

from collections import Counter
from typing import Any

Advice = dict[str, Any]

IMBALANCE = 10.0
"""How many times the rarest class the most frequent may have before it is said."""
_SAID = {
    "sharpness": "far less sharp than is usual",
    "luminance": "far darker or brighter than is usual",
    "contrast_rms": "of far less or more contrast than is usual",
    "aspect_ratio": "of other proportions than is usual",
    "width": "of another width than is usual",
    "height": "of another height than is usual",
}


def advise(report: dict[str, Any]) -> list[Advice]:
    """Return what is worth doing something about, the worst first."""
    found = [
        *_broken(report["broken"]),
        *_leaks(report["leaks"]),
        *_duplicates(report["duplicates"]),
        *_outlying(report["measures"]),
        *_classes(report["classes"]),
    ]
    ranks = {"error": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda one: ranks[one["severity"]])


def _entry(code: str, severity: str, count: int, text: str) -> Advice:
    return {"code": code, "severity": severity, "count": count, "text": text}


def _images(count: int) -> str:
    return "1 image is" if count == 1 else f"{count:,} images are"


def _broken(broken: list[dict[str, Any]]) -> list[Advice]:
    if not broken:
        return []
    verb = "1 file cannot" if len(broken) == 1 else f"{len(broken):,} files cannot"
    text = f"{verb} be read as an image: replace or remove it, its reason is listed."
    return [_entry("broken", "error", len(broken), text)]


def _leaks(leaks: list[dict[str, Any]]) -> list[Advice]:
    """Count images by the splits that they straddle."""
    counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for leak in leaks:
        counts[leak["kind"], tuple(leak["splits"])] += len(leak["images"])
    words = {"exact": "the same file", "near": "near-duplicates"}
    return [
        _entry(
            f"leak-{kind}", "error", count,
            f"{_images(count)} {words[kind]} across {_listed(splits)}: what a model is measured by "
            "is among what it learns from. Split again, grouped by near-duplicates.",
        )
        for (kind, splits), count in sorted(counts.items())
    ]  # fmt: skip


def _listed(names: tuple[str, ...]) -> str:
    order = sorted(names, key=lambda name: ("train", "validation", "test").index(name)
                   if name in {"train", "validation", "test"} else 3)  # fmt: skip
    return f"{', '.join(order[:-1])} and {order[-1]}"


def _duplicates(duplicates: dict[str, Any]) -> list[Advice]:
    told = []
    for kind, text in (("exact", "the same as another"), ("near", "almost the same as another")):
        groups = duplicates[kind]
        more = sum(len(group["images"]) - 1 for group in groups)
        if more:
            many = f", in {len(groups):,} groups" if len(groups) > 1 else ""
            said = f"{_images(more)} {text}{many}. Keep one of each group."
            told.append(_entry(f"{kind}-duplicates", "warning", more, said))
    return told


def _outlying(measures: dict[str, Any]) -> list[Advice]:
    told = []
    for name, text in _SAID.items():
        found = measures.get(name, {}).get("outliers", {})
        count = found.get("below" if name == "sharpness" else "count", 0)
        if count:
            they = "it belongs" if count == 1 else "they belong"
            words = f"{_images(count)} {text}: look whether {they} in the set."
            told.append(_entry(f"outlying-{name}".replace("_", "-"), "info", count, words))
    return told


def _classes(classes: dict[str, Any] | None) -> list[Advice]:
    if classes is None:
        return []
    told, images = [], classes["images"]
    if classes["misplaced"]:
        text = f"{classes['misplaced']:,} boxes are empty or reach out of their image: mend them."
        told.append(_entry("misplaced-boxes", "error", classes["misplaced"], text))
    if images["without"]:
        text = f"{_images(images['without'])} without annotations, while others have some."
        told.append(_entry("not-annotated", "warning", images["without"], text))
    if (classes["imbalance"] or 1) >= IMBALANCE:
        often, rare = classes["classes"][0], classes["classes"][-1]
        text = (
            f"“{often['name']}” has {often['objects']:,} objects, “{rare['name']}” "
            f"{rare['objects']:,}: collect or augment the rare ones."
        )
        told.append(_entry("imbalance", "warning", rare["objects"], text))
    return told + [_missing(one) for one in classes["classes"] if _absent(one)]


def _absent(one: dict[str, Any]) -> list[str]:
    return [split for split, count in one["splits"].items() if not count]


def _missing(one: dict[str, Any]) -> Advice:
    splits = _absent(one)
    text = f"“{one['name']}” is not in {' or '.join(splits)}: split again, stratified by class."
    return _entry("class-missing", "warning", one["objects"], text)
