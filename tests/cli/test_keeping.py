"""`mediamill doctor` on secrets: which can be read, which key seals, and never what they are."""

import pytest

from mediamill.adapters.sealing.keyring import Key
from mediamill.cli.service.checks import Level
from mediamill.cli.service.keeping import references, sealing, secrecy
from mediamill.core.settings import Settings

SECRET = "a secret of the test's own"


def test_each_reference_is_told(tmp_path, monkeypatch):
    (tmp_path / "one").write_text(SECRET)
    (tmp_path / "empty").touch()
    monkeypatch.setenv("MEDIAMILL_SECRET", f"${{file:{tmp_path}/one}}")
    monkeypatch.setenv("MEDIAMILL_SECRET_PREVIOUS", f"${{file:{tmp_path}/empty}}")
    monkeypatch.setenv("MEDIAMILL_MAIL_URL", f"smtp://a:${{file:{tmp_path}/none}}@b?from=a@b.org")
    monkeypatch.setenv("MEDIAMILL_EVENTS_URL", "sns://${vault:x}")
    found = list(references())
    told = [check.text.partition(":")[0] for check in found]
    assert told == [
        f"MEDIAMILL_{x}" for x in ("EVENTS_URL", "MAIL_URL", "SECRET", "SECRET_PREVIOUS")
    ]
    levels = [check.level for check in found]
    assert levels == [Level.PROBLEM, Level.PROBLEM, Level.OK, Level.OK]
    assert found[2].text.endswith("is there")
    assert found[3].text.endswith("is empty")
    assert SECRET not in str(found)


def test_the_key_that_seals_is_told(tmp_path):
    (good,) = sealing(Settings(home=tmp_path))
    assert good.level is Level.OK
    assert "local:" in good.text
    (bad,) = sealing(Settings(home=tmp_path, sealing_url=f"local:{SECRET}"))
    assert bad.level is Level.PROBLEM
    assert SECRET not in bad.text
    several = Settings(home=tmp_path, store_url="dynamodb://x?region=a")
    assert [check.level for check in sealing(several)] == [Level.OK, Level.NOTE]
    shared = Settings(home=tmp_path, store_url="dynamodb://x?region=a",
                      sealing_url=f"local:{tmp_path}/ring")  # fmt: skip
    (missing,) = sealing(shared)
    assert "is not there" in missing.text
    (tmp_path / "ring").write_text(str(Key.make()))
    assert [check.level for check in sealing(shared)] == [Level.OK]


@pytest.mark.parametrize(
    ("url", "said"),
    [("redis://a", "clear"), ("rediss://a", "TLS"), ("tls://a", "TLS"), ("amqp://a", "clear"),
     ("sqs://a?region=b", "TLS"), ("sqs://a?endpoint=http://b", "clear"), ("postgresql:", "")],
)  # fmt: skip
def test_how_a_broker_is_spoken_to(url, said):
    assert said in secrecy(url)
