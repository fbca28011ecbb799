"""Clients of tests share what they believe, unless somebody says what they are to believe."""

import ssl

from tests.support.authorities import NAMES, sharing


def test_only_what_nobody_says_more_about_is_shared(monkeypatch, tmp_path):
    made: list[dict] = []

    def make(**given) -> ssl.SSLContext:
        made.append(given)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    create, own = sharing(make), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert create() is create(verify=True) is not create(trust_env=False)
    assert len(made) == 2
    for given in ({"verify": own}, {"verify": False}, {"cert": "mine.pem"}):
        assert create(**given) is not create(**given)
    assert len(made) == 8
    monkeypatch.setenv(NAMES[0], str(tmp_path))
    assert create() is create()
    assert len(made) == 9
    assert create(trust_env=False) is create(trust_env=False)
    assert len(made) == 9
