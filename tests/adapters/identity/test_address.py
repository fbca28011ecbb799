"""What MEDIAMILL_IDENTITY_URL may say, and what is said of one that is wrong."""

import pytest

from mediamill.adapters.identity.address import Address
from mediamill.adapters.identity.opening import open_identity
from mediamill.adapters.identity.port import Issuer
from mediamill.core.errors import ConfigurationError

PASSWORD = "hunter2"
BASE = "oidc+https://sso.example.org/realms/media"


def test_all_that_it_may_say():
    address = Address.of(
        f"{BASE}?client_id=mill&client_secret=s%2Bs%26s&discovery=https://inner.example.org/d"
        "&jwks=https://inner.example.org/k&audience=api&clients=a,b&scopes=openid%20email"
        "&label=Our%20SSO&passwords=false&admins=chiefs&groups=cognito:groups"
    )
    assert address.issuer == "https://sso.example.org/realms/media"
    assert address.client_secret == "s+s&s"
    assert address.our_clients == {"mill", "a", "b"}
    assert (address.label, address.passwords, address.admins) == ("Our SSO", False, "chiefs")
    assert address.groups == "cognito:groups"
    assert "s+s&s" not in repr(address)


@pytest.mark.parametrize("issuer", ["https://a.example.org", "https://a.example.org/"])
def test_an_issuer_is_taken_letter_for_letter(issuer):
    """Some end with a slash, which is part of their name."""
    address = Address.of(f"oidc+{issuer}?client_id=m")
    assert address.issuer == issuer
    assert address.discovery == "https://a.example.org/.well-known/openid-configuration"
    assert (address.label, address.passwords) == ("a.example.org", True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (BASE, "client_id=…"),
        (f"{BASE}?client_id=", "client_id=…"),
        (f"{BASE}?client_id=m&clientsecret=hunter2", "unknown parameter clientsecret"),
        (f"{BASE}?client_id=m&client_id=n", "given twice"),
        (f"{BASE}?client_id=m&hunter2", "write oidc"),
        ("oidc+http://sso.example.org?client_id=m", "in the clear"),
        ("oidc+http://sso.example.org?client_id=m&allow_plaintext=maybe", "true or false"),
        ("oidc+ftp://sso.example.org?client_id=m", "write oidc"),
        ("oidc://sso.example.org?client_id=m", "write oidc"),
        (f"oidc+https://user:{PASSWORD}@sso.example.org?client_id=m", "a name or a password"),
        (f"{BASE}?client_id=m&jwks=http://keys.example.org/k", "in the clear"),
        (f"{BASE}?client_id=m&discovery=file:///etc/passwd", "discovery is not an address"),
        (f"{BASE}?client_id=m&scopes=email", "openid among them"),
        (f"{BASE}?client_id=m&scopes=openid%0Aemail", "openid among them"),
        (f"{BASE}?client_id=m&passwords=no", "passwords is true or false"),
        (f"{BASE}?client_id=m&label=", "label is 1 to 50"),
        (f"{BASE}?client_id=m&label=a%0Ab", "label is 1 to 50"),
        (f"{BASE}?client_id=m&ca=/nowhere", "ca: /nowhere cannot be used"),
        ("local:x", "write local: alone"),
        ("ldap://x", "no identity backend called “ldap”"),
    ],
)
async def test_what_is_wrong_is_said(url, said):
    with pytest.raises(ConfigurationError) as caught:
        await open_identity(url)
    assert caught.value.message.startswith("MEDIAMILL_IDENTITY_URL: ")
    assert said in caught.value.message
    assert "hunter2" not in caught.value.message


async def test_plain_http_is_for_this_machine_and_where_it_is_allowed():
    for url in ("oidc+http://127.0.0.1:4?client_id=m", "oidc+http://localhost?client_id=m",
                "oidc+http://keycloak:8080/realms/m?client_id=m&allow_plaintext=true"):  # fmt: skip
        assert isinstance(await open_identity(url), Issuer)


async def test_alone_there_is_no_issuer():
    identity = await open_identity("local:")
    assert identity.passwords
    assert not isinstance(identity, Issuer)
