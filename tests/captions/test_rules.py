"""When a caption will do: its length by variant, and what models leave around it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamill.captions.languages import canonical, described, plausible
from mediamill.captions.model import VARIANTS, Variant
from mediamill.captions.rules import (
    ALT_LETTERS,
    CONCISE_WORDS,
    CREATIVE_LETTERS,
    objection,
    sentences,
    words,
)
from mediamill.captions.wording import leftover, tidied

GOOD = [
    ("concise", "en", "A dog runs along the beach"),
    ("concise", "en", "I <3 dogs"),
    ("concise", "en", "Mother-of-pearl buttons in a jar"),
    ("concise", "ja", "海辺を走る犬と少年"),
    ("concise", "th", "สุนัขวิ่งบนชายหาด"),
    ("concise", "sr", "Пас трчи по плажи"),
    ("concise", "sr-Latn", "Pas trči po plaži"),
    ("creative", "en", "Dr. Smith met J. R. Tolkien at 3.5 p.m. in the U.S. today. What a day!"),
    ("creative", "en", "I can't believe it's Monday!"),
    ("creative", "en", '"Stop", says the sign. Nobody does…'),
    ("creative", "en", "Golden hour #sunset 🌅"),
    ("creative", "de", "Ein Hund, ein Strand, ein Ball. Mehr braucht es nicht."),
    ("alt-text", "en", "A man holds a picture of his dog"),
    ("alt-text", "en", ""),
    ("alt-text", "de", "Ein Hund läuft über den Strand"),
    ("alt-text", "ru", "Собака бежит по пляжу"),
]
BAD = [
    ("concise", "en", "", "empty"),
    ("concise", "en", "…!", "no words"),
    ("concise", "en", "one two three four five six seven eight nine ten eleven", "11 words"),
    ("concise", "ja", "海辺を走る犬と少年が夕日を背にして笑顔で手を振っている", "words"),
    ("concise", "ja", "A dog on the beach", "not in ja"),
    ("concise", "de", "собака на пляже", "not in de"),
    ("concise", "en", "**A dog**", "markup"),
    ("concise", "en", "A <b>dog</b>", "tags"),
    ("concise", "en", "&lt;b&gt;A dog", "tags"),
    ("concise", "en", "A dog <|im_end|>", "tags"),
    ("concise", "en", "[UNK] a dog", "tags"),
    ("concise", "en", "- A dog", "markup"),
    ("concise", "en", "# A dog", "markup"),
    ("concise", "en", "[A dog](http://x)", "markup"),
    ("concise", "en", "Caption: A dog", "about itself"),
    ("concise", "en", "Here is a concise caption: A dog", "about itself"),
    ("concise", "en", "Sure! Here's a short caption for it: A dog", "about itself"),
    ("concise", "en", "Alt text: A dog", "about itself"),
    ("concise", "de", "Hier ist eine Bildunterschrift: Ein Hund", "about itself"),
    ("concise", "fr", "Voici une légende : Un chien", "about itself"),
    ("concise", "en", '"A dog', "quote"),
    ("concise", "en", '{"concise": "A dog"}', "no sentence"),
    ("creative", "en", "I'm sorry, but I can't see the picture.", "the model"),
    ("creative", "en", "I cannot assist with that.", "the model"),
    ("creative", "en", "As an AI, I have no eyes.", "the model"),
    ("creative", "en", "Please provide the image.", "the model"),
    ("creative", "en", "One. Two! Three?", "3 sentences"),
    ("creative", "ja", "犬がいる。海がある。空もある。", "3 sentences"),
    ("creative", "en", "a dog " + "and a very good one " * 12, "repeats"),
    ("creative", "en", "Sea and sand" + "".join(f" {n} times" for n in range(30)), "characters"),
    ("alt-text", "en", "An image of a dog", "it is an image"),
    ("alt-text", "en", "Photo of a dog", "it is an image"),
    ("alt-text", "en", "A black and white photograph showing a dog", "it is an image"),
    ("alt-text", "de", "Ein Foto von einem Hund", "it is an image"),
    ("alt-text", "fr", "L'image montre un chien", "it is an image"),
    ("alt-text", "es", "Imagen de un perro", "it is an image"),
    ("alt-text", "ja", "犬の写真", "it is an image"),
    ("alt-text", "zh", "一只狗的照片", "it is an image"),
    ("alt-text", "en", "A dog " + "x" * 120, "126 characters"),
]


@pytest.mark.parametrize(("variant", "language", "text"), GOOD)
def test_what_will_do(variant: Variant, language: str, text: str):
    assert objection(variant, tidied(text), language) == ""


@pytest.mark.parametrize(("variant", "language", "text", "why"), BAD)
def test_what_will_not(variant: Variant, language: str, text: str, why: str):
    assert why in objection(variant, tidied(text), language)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ('"A dog."', "A dog."),
        ("“A dog”", "A dog"),
        ("«Un chien»", "Un chien"),
        ("'A dog'", "A dog"),
        ("'It's a dog'", "It's a dog"),
        ('"A" and "B"', '"A" and "B"'),
        ("  A\n dog\t", "A dog"),
        ("&quot;A dog&quot;", "A dog"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("a\x00\x1bb\u200b", "ab"),
        ("Cafe\u0301", "Café"),
        ('""', ""),
    ],
)
def test_what_can_be_taken_off_is(given_: str, kept: str):
    assert tidied(given_) == kept


@given(st.text(max_size=400) | st.text("ab \"“”«».!\n\x1b\u200b&;amplt<>*#-'e\u0301", max_size=60))
def test_what_passes_keeps_to_the_limits(text: str):
    """Whatever a model says: what is kept is one line, clean, and no longer than it may be."""
    kept = tidied(text)
    assert tidied(kept) == kept
    assert kept == kept.strip()
    assert "\n" not in kept
    for variant in VARIANTS:
        if objection(variant, kept, "und"):
            continue
        assert not leftover(kept)
        if variant == "concise":
            assert 1 <= words(kept) <= CONCISE_WORDS
        if variant == "creative":
            assert len(kept) <= CREATIVE_LETTERS
            assert 1 <= sentences(kept) <= 2
        if variant == "alt-text":
            assert len(kept) <= ALT_LETTERS


@given(st.lists(st.sampled_from(["dog", "sea", "it's", "old-time", "3.5"]), max_size=20))
def test_words_are_counted_as_people_do(chosen: list[str]):
    assert words(" ".join(chosen)) == len(chosen)


@pytest.mark.parametrize("piece", ["a ", "a", "<a", "**", "here is ", '"', "[", "'a", "の", ". A"])
def test_long_nonsense_takes_no_time(piece: str):
    """Patterns meet what models say: none may go astray in it (4,000 characters are looked at)."""
    began = time.process_time()
    text = tidied(piece * 5_000)
    for variant in VARIANTS:
        objection(variant, text, "en")
    assert time.process_time() - began < 10, "it went astray"


def test_tags_of_languages():
    assert [canonical(tag) for tag in ("EN", "pt_br", "ZH-hant-tw", "es-419", "fil")] == [
        "en", "pt-BR", "zh-Hant-TW", "es-419", "fil",
    ]  # fmt: skip
    for wrong in ("", "e", "english", "en-", "en-US-x-twain", "en US", "de\nfr", "12"):
        with pytest.raises(ValueError, match="no language tag"):
            canonical(wrong)
    assert described("pt-BR") == "Portuguese (pt-BR)"
    assert "BCP 47 tag xho" in described("xho")


def test_scripts_tell_languages_apart():
    assert plausible("Ein Hund", "de")
    assert plausible("Ein Hund", "xho"), "of others nothing is known"
    assert plausible("ソニー PS5 を遊ぶ", "ja")
    assert plausible("这是狗", "zh-Hant")
    assert not plausible("A dog", "zh-Hant")
    assert not plausible("Ein Hund", "ru")
    assert plausible("2024!", "ru"), "there is no letter to tell by"
