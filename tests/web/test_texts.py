"""What pages say stands in one place, and all that stands there is said."""

import re
from typing import get_args

import pytest

from mediamill.captions.model import VARIANTS, Style
from mediamill.datasets.exporting import EXPORTS
from mediamill.operations.caption.operation import LABELS
from mediamill.operations.health_check.report import DESCRIPTIONS
from mediamill.store.repositories.captions import CaptionState
from mediamill.store.repositories.jobs import JobState
from mediamill.store.repositories.projects import SPLITS, SUBSETS
from mediamill.store.repositories.webhooks import DeliveryState
from mediamill.web import texts
from mediamill.web.pages.rendering import TEMPLATES
from mediamill.web.statics import STATIC
from mediamill.web.texts import scripts
from tests.support import wording

WEB = TEMPLATES.parent
OWN = scripts.own_scripts(STATIC)
PAGES = sorted(TEMPLATES.rglob("*.html"))


@pytest.fixture(scope="module")
def all_texts():
    return texts.load().all


def asked():
    """Yield every place that asks for a text: file, key, names of values, whether a script."""
    for path in PAGES:
        for key, values in wording.asked_by_template(path.read_text()):
            yield path.name, key, values, False
    for path in OWN:
        for key, values in wording.asked_by_script(path.read_text()):
            yield path.name, key, values, True


def forms(text):
    return [text] if isinstance(text, str) else list(text.values())


def test_every_text_that_is_asked_for_is_there_and_gets_its_values(all_texts):
    for file, key, values, _ in asked():
        assert key in all_texts, f"{file} asks for {key}"
        wanted = set().union(*(texts.placeholders(form) for form in forms(all_texts[key])))
        chosen_by = set()
        if not isinstance(all_texts[key], str):
            chosen_by = {"count" if all_texts[key].keys() == texts.PLURAL else "which"}
        assert values is None or wanted | chosen_by == values, f"{file} fills in {key}"


def test_every_text_is_asked_for(all_texts):
    by_python = {
        key
        for path in WEB.rglob("*.py")
        for key in re.findall(r"""\bt\(\s*["'](\w+\.\w+)["']""", path.read_text())
    }
    assert set(all_texts) - {key for _, key, _, _ in asked()} - by_python == set()


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("versions.export", EXPORTS), ("health.measure", DESCRIPTIONS), ("jobs.state", JobState),
        ("project.subset", SUBSETS), ("project.split", (*SPLITS, "none")),
        ("captions.state", CaptionState), ("captions.variant", (*VARIANTS, LABELS)),
        ("captions.variant_about", VARIANTS), ("captions.style", ("plain", *get_args(Style))),
        ("webhooks.delivery_state", DeliveryState),
    ],
)  # fmt: skip
def test_what_the_service_names_has_words(all_texts, key, named):
    assert set(all_texts[key]) == set(named)


def test_texts_are_written_for_where_they_stand(all_texts):
    for file, key, _, script in asked():
        html = any("<" in form for form in forms(all_texts[key]))
        assert not (script and html), f"{file} shows {key} as text, and it holds HTML"
    for path in PAGES:
        for key in wording.in_attributes(path.read_text()):
            assert not any("<" in form for form in forms(all_texts[key])), (path.name, key)


def test_nothing_is_said_in_own_words():
    saying = {}
    for path, literals in (
        *((path, wording.literals_of_template) for path in PAGES),
        *((path, wording.literals_of_script) for path in OWN),
    ):
        if found := literals(path.read_text()):
            saying[str(path.relative_to(WEB))] = found
    assert saying == {}


@pytest.mark.parametrize(
    "source",
    [
        "<p>Nothing here</p>", '<img alt="A dog" src="{{ x }}">', "<p>{{ 'Delete it' }}</p>",
        "<a{% if x %} title='More'{% endif %}>{{ x }}</a>", "{% set x = 'Saved.' %}",
    ],
)  # fmt: skip
def test_words_in_templates_are_seen(source):
    assert wording.literals_of_template(source)


def test_what_is_no_language_is_let_be():
    assert not wording.literals_of_template(
        '<p class="big one">{{ t("a.b", x="Y z") }} · 3 <code>ls -l all</code>{# Words #}</p>'
    )
    assert not wording.literals_of_script(
        '// It is so\nconst x = /["\'] of the/; s("#run .card a", `#${"card"}`, "Content-Type");'
    )


@pytest.mark.parametrize("literal", ['"Save"', "'Saved.'", "`${n} of ${m} done`", '"Is it?"'])
def test_words_in_scripts_are_seen(literal):
    assert wording.literals_of_script(f"const a = b / 2; say({literal});")


@pytest.mark.parametrize(
    "shown",
    [
        "x.textContent = `${n} files`", "x.title = ok ? '3 results' : t('a.b')", 'toast("loading")',
        'x.setAttribute("aria-label", `more ${n}`)', 'made("p", { class: "a" }, t("a.b"), "left")',
    ],
)  # fmt: skip
def test_single_words_that_are_shown_are_seen(shown):
    assert wording.literals_of_script(f"{shown};")
    away = 'x.textContent = y === "zip" ? `${n} · Mediamill` : get("ab"); made("p", { id: "ab" });'
    assert not wording.literals_of_script(away)


def test_values_in_scripts_are_seen():
    source = (
        't("a.b", { count: f(1, { no: 2 }), name, x: `${ {y: 1}.y }, z` });'
        't(key); part("a.c"); t("a.d", all);'
    )
    asked = [("a.b", {"count", "name", "x"}), (None, set()), ("a.d", None)]
    assert wording.asked_by_script(source) == asked


# -- filling in ----------------------------------------------------------------------------------


def test_values_are_escaped_and_counted():
    said = texts.Texts({
        "a.link": '<a href="{to}">{name}</a>',
        "a.plain": "“{name}” & {{more}",
        "a.left": {"one": "{count} file", "other": "{count} files"},
        "a.state": {"on": "it runs", "off": "it rests"},
    })  # fmt: skip
    assert said("a.link", to='"><script>', name="<b>") == (
        '<a href="&#34;&gt;&lt;script&gt;">&lt;b&gt;</a>'
    )
    assert said("a.plain", name="x<") == "“x&lt;” &amp; {more}"
    assert [said("a.left", count=n) for n in (0, 1, 12345)] == ["0 files", "1 file", "12,345 files"]
    assert said("a.state", which="off") == "it rests"


@pytest.mark.parametrize(
    ("key", "values"), [("a.none", {}), ("a.name", {}), ("a.left", {}), ("a.state", {"which": "?"})]
)
def test_what_is_missing_is_an_error(key, values):
    said = texts.Texts({
        "a.name": "{name}", "a.left": {"one": "1", "other": "2"}, "a.state": {"on": "on"},
    })  # fmt: skip
    with pytest.raises(KeyError):
        said(key, **values)
