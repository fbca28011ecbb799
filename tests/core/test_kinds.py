import pytest

from mediamill.core.kinds import misfit


@pytest.mark.parametrize(
    ("patterns", "media_type", "said"),
    [
        (["image/*"], "video/x-matroska", "preprocess takes images; milk.mkv is a video."),
        (["video/*"], "text/plain", "preprocess takes videos; milk.mkv is text."),
        (
            ["text/*", "application/pdf", "image/*", "application/json"],
            "application/zip",
            "preprocess takes text, documents and images; milk.mkv is of type application/zip.",
        ),
    ],
)
def test_a_misfit_is_told_in_the_words_of_people(patterns, media_type, said):
    assert misfit("preprocess", patterns, "milk.mkv", media_type) == said
