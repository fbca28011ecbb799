"""What `mediamill doctor` says of an issuer."""

from mediamill.cli.service.examining import Level, _issuer
from mediamill.core.settings import Settings
from tests.support.issuers import SECRET, Provider
from tests.support.processes import free_port


def said(url: str) -> list[tuple[Level, str]]:
    return [(check.level, check.text) for check in _issuer(Settings(identity_url=url))]


def test_an_issuer_that_is_there(issuer: Provider):
    assert said("local:") == []
    ((level, text),) = said(issuer.url())
    assert (level, text) == (Level.OK, f"{issuer.issuer} answers as Example SSO")


def test_one_that_is_away_or_another(issuer: Provider):
    away = f"oidc+http://127.0.0.1:{free_port()}?client_id=m&client_secret={SECRET}"
    ((level, text),) = said(away)
    assert level is Level.NOTE
    assert "does not answer" in text
    described = f"{issuer.issuer}/.well-known/openid-configuration"
    other = f"oidc+https://sso.example.org?client_id=m&discovery={described}"
    ((level, text),) = said(other)
    assert level is Level.PROBLEM
    assert "calls itself" in text
    ((level, _),) = said("oidc+https://sso.example.org")
    assert level is Level.PROBLEM
    assert SECRET not in text
