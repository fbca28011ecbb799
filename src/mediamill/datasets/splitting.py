"""Divide images into splits: seeded, grouped, stratified, and the same whatever their order.

What belongs together is a group, and a group goes into one split. Groups are taken one by one, by
class from the rarest on as in Sechidis, Tsoumakas and Vlahavas, "On the stratification of
multi-label data" (ECML PKDD 2011), the largest first within a class; ties are told by a SHA-256 of
the seed and the group's smallest key. Of the splits that lack most of the class one takes the
group, among those that it would not fill beyond their share by more than the bound.

The bound: each time, some split lacks at least 1/k of all that is not placed yet, where k splits
take part. So a split that takes a group of g images gets at most (1 - 1/k) g too many, and the
splits together lack what others have too many: `bound` is what a share can be off, in images.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Image:
    """One image to be placed."""

    key: str
    """What names it for ever: its file's id."""
    group: str
    classes: tuple[str, ...] = ()
    """Those that are in it, each once."""
    split: str = ""
    """Where it is already; empty for nowhere."""


@dataclass
class Group:
    """Images that go into one split."""

    keys: list[str] = field(default_factory=list)
    classes: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    """Where some of them are already."""
    order: str = ""

    @property
    def size(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class Division:
    """Where every image goes, and how near that is to what was wanted."""

    splits: Mapping[str, str]
    """By key."""
    wanted: Mapping[str, float]
    reached: Mapping[str, float]
    counts: Mapping[str, int]
    classes: Mapping[str, Mapping[str, int]]
    """Images with a class, by split."""
    groups: int
    largest: int
    """Images of the largest group."""
    bound: float
    """By how many images a count can be off, as long as no images were placed before."""
    straddling: int
    """Groups that were in several splits before and were left so."""


def divide(
    images: Iterable[Image],
    ratios: Mapping[str, float],
    seed: int = 0,
    *,
    stratify: bool = True,
    keep: bool = True,
) -> Division:
    """Place images; with `keep` those that are in a split stay there, and their groups join them.

    `ratios` are above 0 for the splits that take part; only their proportions matter.
    """
    groups, found = _grouped(images, seed, keep=keep)
    total = sum(group.size for group in groups)
    whole = sum(ratios.values())
    shares = {split: ratio / whole for split, ratio in ratios.items() if ratio > 0}
    placing = _Placing(groups, shares, total, stratify=stratify)
    for group in groups:
        if group.splits:
            placing.stay(group)
    placing.place([group for group in groups if not group.splits])
    return _division(placing, found, shares, total)


def merged(keys: Sequence[str], *labels: Mapping[str, str]) -> dict[str, str]:
    """Return one group per key such that keys with an equal label of any kind are together.

    The empty label is nobody's. A group is called after its smallest key.
    """
    parent = {key: key for key in keys}

    def find(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for label in labels:
        first: dict[str, str] = {}
        for key in keys:
            mark = label.get(key, "")
            if mark:
                one, other = find(key), find(first.setdefault(mark, key))
                parent[max(one, other)] = min(one, other)
    return {key: find(key) for key in keys}


def _grouped(
    images: Iterable[Image], seed: int, *, keep: bool
) -> tuple[list[Group], dict[str, Image]]:
    by_group: dict[str, Group] = defaultdict(Group)
    found: dict[str, Image] = {}
    for image in images:
        group = by_group[image.group]
        group.keys.append(image.key)
        group.classes.update(image.classes)
        found[image.key] = image
        if keep and image.split:
            group.splits[image.split] += 1
    for group in by_group.values():
        mark = f"{seed}:{min(group.keys)}"
        group.order = hashlib.sha256(mark.encode()).hexdigest()
    return sorted(by_group.values(), key=lambda group: group.order), found


class _Placing:
    """Splits while they fill."""

    def __init__(
        self, groups: Sequence[Group], shares: Mapping[str, float], total: int, *, stratify: bool
    ) -> None:
        self.shares, self.stratify = shares, stratify
        self.placed: list[tuple[Group, str]] = []
        self.largest = max((group.size for group in groups), default=0)
        self.slack = (1 - 1 / max(1, len(shares))) * self.largest
        self.lacking = {split: share * total for split, share in shares.items()}
        classes = sum((group.classes for group in groups), Counter[str]())
        self.lacks = {
            split: {name: share * count for name, count in classes.items()}
            for split, share in shares.items()
        }

    def stay(self, group: Group) -> None:
        """Leave a group where most of it is; what of it was elsewhere stays there."""
        most = max(group.splits.values())
        self._put(group, min(split for split, n in group.splits.items() if n == most))

    def place(self, groups: Sequence[Group]) -> None:
        """Place groups that are nowhere yet."""
        waiting = {id(group): group for group in groups}
        holding: dict[str, list[Group]] = defaultdict(list)
        if self.stratify:
            for group in groups:
                for name in group.classes:
                    holding[name].append(group)
        left = {name: sum(g.classes[name] for g in having) for name, having in holding.items()}
        while left:
            name = min(left, key=lambda each: (left[each], each))
            for group in sorted(holding[name], key=lambda g: (-g.classes[name], g.order)):
                if waiting.pop(id(group), None) is None:
                    continue
                for other in group.classes:
                    left[other] -= group.classes[other]
                self._put(group, self._choose(group, name))
            del left[name]
        for group in sorted(waiting.values(), key=lambda g: (-g.size, g.order)):
            self._put(group, self._choose(group, ""))

    def _choose(self, group: Group, name: str) -> str:
        """Return the split that lacks most of a class, then of all, of those with room."""
        most = max(self.lacking.values())
        roomy = [
            split
            for split, lack in self.lacking.items()
            if lack - group.size >= -self.slack - 1e-9 or lack == most
        ]

        def need(split: str) -> tuple[float, float, str]:
            mark = hashlib.sha256(f"{group.order}:{split}".encode()).hexdigest()
            lacks = self.lacks[split].get(name, 0.0) if name else 0.0
            return round(lacks, 6), round(self.lacking[split], 6), mark

        return max(roomy, key=need)

    def _put(self, group: Group, split: str) -> None:
        self.placed.append((group, split))
        if split in self.lacking:
            self.lacking[split] -= group.size
            for name, count in group.classes.items():
                self.lacks[split][name] -= count


def _division(
    placing: _Placing, found: Mapping[str, Image], shares: Mapping[str, float], total: int
) -> Division:
    splits: dict[str, str] = {}
    classes: dict[str, Counter[str]] = defaultdict(Counter)
    straddling = 0
    for group, split in placing.placed:
        straddling += len(group.splits) > 1
        for key in group.keys:
            stays = found[key].split if group.splits else ""
            splits[key] = stays or split
            for name in found[key].classes:
                classes[name][splits[key]] += 1
    counts = Counter(splits.values())
    return Division(
        splits=splits,
        wanted=dict(shares),
        reached={split: counts[split] / total if total else 0.0 for split in {**shares, **counts}},
        counts=dict(counts),
        classes={name: dict(count) for name, count in sorted(classes.items())},
        groups=len(placing.placed),
        largest=placing.largest,
        bound=max(1, len(shares) - 1) * placing.slack,
        straddling=straddling,
    )
