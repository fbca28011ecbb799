"""Patterns for paths, as in a shell: `*`, `?`, `[ab]` and `[!ab]`; they stand for `/` as well.

Nothing is tried twice: between the stars of a pattern are pieces of fixed length, each is looked
for once, behind the one before it. So a path costs no more than its length times that of the
patterns, whatever they are; plain text, which most pieces are, only its length.
"""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_PART = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)
_BEGIN, _, _END = fnmatch.translate("a").partition("a")
"""What is put around an expression."""
_WILD = re.compile(r"[*?[]")


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return the test whether a path matches one of some patterns."""
    names = frozenset(one for one in patterns if not _WILD.search(one))
    parted = [_pieces(one) for one in patterns if _WILD.search(one)]
    fixed = "|".join(pieces[0] for pieces in parted if len(pieces) == 1)
    whole = re.compile(fixed or r"(?!)", re.DOTALL)
    starred = [_Starred.of(pieces) for pieces in parted if len(pieces) > 1]
    return lambda path: (
        path in names
        or whole.fullmatch(path) is not None
        or any(one.matches(path) for one in starred)
    )


@dataclass(frozen=True)
class _Starred:
    """What stands before the first star of a pattern, and behind each, the last to the end."""

    first: re.Pattern[str]
    others: Sequence[re.Pattern[str]]

    @classmethod
    def of(cls, pieces: Sequence[str]) -> "_Starred":
        first, *others = (re.compile(one, re.DOTALL) for one in (*pieces[:-1], rf"{pieces[-1]}\Z"))
        return cls(first, others)

    def matches(self, path: str) -> bool:
        found = self.first.match(path)
        for piece in self.others:
            if found is None:
                return False
            found = piece.search(path, found.end())
        return found is not None


def _pieces(pattern: str) -> list[str]:
    """Take a pattern apart at its stars, as expressions; a star within brackets is none."""
    pieces = [""]
    for part in _PART.findall(pattern):
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += fnmatch.translate(part).removeprefix(_BEGIN).removesuffix(_END)
    return pieces
