"""What a report comes to, in plain words: each entry has a code that stays and a sentence."""

from collections import Counter, defaultdict
from typing import Any

Advice = dict[str, Any]

IMBALANCE = 10.0
"""How many times the rarest class the most frequent may have before it is said."""
GROUPS = 20
"""Groups that an entry names; the report has all."""
_ANEW = "without keeping images where they are"
_LEAKS = {
    "exact": ("the same file", f"Split anew, {_ANEW}, grouped by near-duplicates."),
    "near": ("near-duplicates", f"Split anew, {_ANEW}, grouped by near-duplicates."),
    "group": (
        "of one group (frames of one video, or what was made of one image)",
        f"Split anew, {_ANEW}, grouped by video.",
    ),
}
"""What leaks of a kind are, and what helps."""
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
    groups: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for leak in leaks:
        where = leak["kind"], tuple(leak["splits"])
        counts[where] += len(leak["images"])
        groups[where] += [leak["group"]] if "group" in leak else []
    told = []
    for (kind, splits), count in sorted(counts.items()):
        words, way = _LEAKS[kind]
        text = (
            f"{_images(count)} {words} across {_listed(splits)}: what a model is measured by is "
            f"among what it learns from. {way}"
        )
        entry = _entry(f"leak-{kind}", "error", count, text)
        names = groups[kind, splits][:GROUPS]
        told.append({**entry, "groups": names} if names else entry)
    return told


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
