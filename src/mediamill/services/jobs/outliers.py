"""Images that preprocess marked as far from their set, by what its report says of each."""

from mediamill.store.repositories.results import Result

PREPROCESS, METHOD = "preprocess", "remove-outliers"


def outlying(result: Result) -> tuple[str, ...]:
    """Return the numbers by which an image is far from the set; none for one that is not marked.

    Frames of a video are told of in their archive's `frames.jsonl` alone.
    """
    for _, file in result.outputs:  # tiles and copies of an image say the same
        said = file.info.get(PREPROCESS, {}).get("methods", {}).get(METHOD, {})
        return tuple(map(str, said.get("by", ())))
    return ()
