"""Duplicates among 10,000 images, 3,000 of them planted: recall ≥ 0.95, false groups ≤ 1 %.

    python benchmarks/duplicates.py [--originals N] [--copies N] [--little N]
                                    [--judge PYTHON] [--keep FOLDER]

The images are those of `tests/support/planted.py`: tiles of real photographs, frames of real clips
(`MEDIAMILL_SAMPLES`) and scenes that share pieces and places; the copies are re-encoded, cropped to
70 … 95 % of each side, mirrored, flipped, resized, stretched, or several of these. 600 originals
show little (skies, walls, blank pages, text, gradients, flat graphics) and have no copy. A copy
counts as found when it is in the group of its original, a group as false when two of it have
nothing to do with each other. `--judge` names a Python that has `cleanvision` or `imagededup`: they
look at the same files, without crops in mind.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in a slot
sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests' pictures serve here too

import cv2
import msgspec
import numpy as np
from tests.support.planted import planted

from mediamill.media.image.duplicates.fingerprint import Fingerprint, decode, fingerprint
from mediamill.media.image.duplicates.groups import near_duplicates

JUDGE = r"""
import json, sys, time, types
from pathlib import Path
folder, which = sys.argv[1:]
began = time.perf_counter()
if which == "imagededup":
    for name in ("methods.cnn", "utils.models", "utils.data_generator"):
        absent = sys.modules[f"imagededup.{name}"] = types.ModuleType(name)
        absent.__getattr__ = lambda name: None  # they want torch; the hashes do not
    from imagededup.methods import PHash
    found = PHash(verbose=False).find_duplicates(image_dir=folder, max_distance_threshold=10)
    pairs = [(name, other) for name, others in found.items() for other in others]
else:
    from cleanvision import Imagelab
    lab = Imagelab(data_path=folder, verbose=False)
    lab.find_issues({"near_duplicates": {}, "exact_duplicates": {}}, n_jobs=1, verbose=False)
    kinds = ("near_duplicates", "exact_duplicates")
    sets = [one for kind in kinds for one in lab.info[kind]["sets"]]
    pairs = [(Path(one[0]).name, Path(other).name) for one in sets for other in one[1:]]
print(json.dumps({"seconds": time.perf_counter() - began, "pairs": pairs}))
"""


class Set:
    """What is known of the images, in their order."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.origins: list[str] = []
        self.hows: list[str] = []

    def judge(self, groups: Iterable[list[int]]) -> str:
        """Return recall, by kind, and false groups."""
        several = [group for group in groups if len(group) > 1]
        place = {row: n for n, group in enumerate(several) for row in group}
        first = {origin: n for n, origin in reversed(list(enumerate(self.origins)))}
        every, found = Counter[str](), Counter[str]()
        for n, how in enumerate(self.hows):
            if how:
                there = place.get(n, -1) == place.get(first[self.origins[n]], -2)
                every.update([how, "all"])
                found.update([how, "all"] if there else [])
        wrong = sum(len({self.origins[n] for n in group}) > 1 for group in several)
        kinds = ", ".join(f"{how} {found[how] / count:.3f}" for how, count in every.items()
                          if how != "all")  # fmt: skip
        share = wrong / max(1, len(several))
        small = sum(
            self.origins[n].startswith("little-")
            for group in several
            if len({self.origins[n] for n in group}) > 1
            for n in group
        )
        return (
            f"recall {found['all'] / every['all']:.4f} ({found['all']} of {every['all']}); "
            f"false groups {wrong} of {len(several)} ({share:.2%}), "
            f"in them {small} pictures that show little\n  {kinds}"
        )

    def joined(self, pairs: list[tuple[str, str]]) -> list[list[int]]:
        """Return groups of pairs of names."""
        number = {name: n for n, name in enumerate(self.names)}
        above = list(range(len(self.names)))

        def root(n: int) -> int:
            while above[n] != n:
                n = above[n]
            return n

        for one, other in pairs:
            above[root(number[one])] = root(number[other])
        groups = defaultdict(list)
        for n in range(len(above)):
            groups[root(n)].append(n)
        return list(groups.values())


def main() -> int:
    """Print the figures; 1 where a bound is missed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--originals", type=int, default=6_400)
    options.add_argument("--copies", type=int, default=3_000)
    options.add_argument("--little", type=int, default=600, help="pictures that show little")
    options.add_argument("--judge", help="Python that has cleanvision or imagededup")
    options.add_argument("--keep", type=Path, help="where to write the images, for another look")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="mediamill-duplicates-") as folder:
        place = given.keep or Path(folder)
        place.mkdir(exist_ok=True)
        images, prints = made(given.originals, given.copies, given.little, place)
        began = time.perf_counter()
        grouping = near_duplicates(map(decode, prints))
        took = time.perf_counter() - began
        verdict = images.judge(grouping.groups)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(f"ours: grouped in {took:.1f} s, this process at most {most:.0f} MB\n  {verdict}")
        for which in ("imagededup", "cleanvision") if given.judge else ():
            print(f"{which}: {judged(given.judge, which, place, images)}", flush=True)
    recall = float(verdict.split()[1])
    false = float(verdict.partition("(")[2].partition("(")[2].partition("%")[0])
    return int(recall < 0.95 or false > 1)


def made(originals: int, copies: int, little: int, place: Path) -> tuple[Set, list[str]]:
    """Write the images; return what is known of them, and their fingerprints."""
    images, prints, spent = Set(), list[str](), 0.0
    samples = os.environ.get("MEDIAMILL_SAMPLES")
    real = Path(samples) if samples else None
    for one in planted(originals, copies, folder=real, little=little):
        name = one.name.replace(".jpg", _suffix(one.data))
        (place / name).write_bytes(one.data)
        images.names.append(name)
        images.origins.append(one.origin)
        images.hows.append(one.how)
        grey = cv2.imdecode(np.frombuffer(one.data, np.uint8), cv2.IMREAD_GRAYSCALE)
        began = time.perf_counter()
        prints.append(_print(grey).encode())
        spent += time.perf_counter() - began
    each = sum(map(len, prints)) / len(prints)
    print(f"{len(prints)} images; a fingerprint takes {1000 * spent / len(prints):.1f} ms and "
          f"{each:.0f} bytes", flush=True)  # fmt: skip
    return images, prints


def _print(grey: object) -> Fingerprint:
    return fingerprint(grey)  # type: ignore[arg-type]


def _suffix(data: bytes) -> str:
    return ".png" if data[:4] == b"\x89PNG" else ".webp" if data[:4] == b"RIFF" else ".jpg"


def judged(python: str, which: str, place: Path, images: Set) -> str:
    """Return what another program finds, or that it is not to be had."""
    done = subprocess.run([python, "-c", JUDGE, str(place), which], capture_output=True, text=True)
    if done.returncode:
        return f"unavailable ({done.stderr.strip().splitlines()[-1]})"
    answer = msgspec.json.decode(done.stdout.strip().splitlines()[-1])
    verdict = images.judge(images.joined(answer["pairs"]))
    return f"{answer['seconds']:.1f} s\n  {verdict}"


if __name__ == "__main__":
    sys.exit(main())
