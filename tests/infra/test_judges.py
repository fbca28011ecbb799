"""What `scripts/check_infra.py` makes of rules, exceptions and reasons; checkov is planted."""

import re

import pytest
from scripts import check_infra
from scripts.check_infra import Finding, judged
from tests.support.templates import FOLDER, resources

TEXTS = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.yaml"))}
EXCEPTED = {found: why for name, text in TEXTS.items()
            for found, why in check_infra.exceptions(name, text)}  # fmt: skip


@pytest.fixture
def finds(monkeypatch):
    """Have checkov find what we say; it is a minute of processor time in `make check`."""

    def set_to(found):
        monkeypatch.setattr(check_infra, "broken", lambda texts: dict.fromkeys(found, "a rule"))

    return set_to


def test_every_exception_is_read_with_its_reason():
    written = {
        (f"{stem}.yaml", f"{one['Type']}.{name}", skip["id"]): skip["comment"]
        for stem, name, one in resources()
        for skip in one.get("Metadata", {}).get("checkov", {}).get("skip", ())
    }
    assert {tuple(found): why for found, why in EXCEPTED.items()} == written
    assert len(written) > 20
    assert min(map(len, written.values())) >= check_infra.LEAST


def test_checkov_sees_none_of_them():
    for name, text in TEXTS.items():
        bare = check_infra.METADATA.sub("", text)
        assert "checkov" not in bare, name
        assert len(re.findall("^ {4}Type: AWS", bare, re.MULTILINE)) == len(
            re.findall("^ {4}Type: AWS", text, re.MULTILINE)
        )


def test_as_they_stand_nothing_is_wrong(finds):
    finds(EXCEPTED)
    assert [*judged(TEXTS)] == []


def test_a_rule_that_nobody_excepted_is_told(finds):
    finds([*EXCEPTED, Finding("data.yaml", "AWS::S3::Bucket.Bucket", "CKV_AWS_21")])
    (said,) = judged(TEXTS)
    assert said == "data.yaml: AWS::S3::Bucket.Bucket breaks CKV_AWS_21: a rule"


def test_an_exception_that_nothing_needs_is_told(finds):
    first = min(EXCEPTED)
    finds(EXCEPTED.keys() - {first})
    (said,) = judged(TEXTS)
    assert said.endswith(f"does not break {first.rule}; drop the exception")


def test_a_reason_that_says_nothing_is_told(finds):
    finds(EXCEPTED)
    why = max(EXCEPTED.values(), key=len)
    texts = {name: text.replace(why, "not needed") for name, text in TEXTS.items()}
    (said, *_) = judged(texts)
    assert "says too little" in said
