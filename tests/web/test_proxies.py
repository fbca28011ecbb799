"""Whose a request is where proxies stand between, whatever anybody writes into headers."""

import ipaddress

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediamill.core.errors import ConfigurationError
from mediamill.web.app import create_app
from mediamill.web.proxies import Proxies, read_trusted
from mediamill.web.security import SESSION_COOKIE
from tests.web.conftest import PASSWORD
from tests.web.test_audit import acts

TRUSTED = "10.0.0.0/8, 192.168.7.1 fd00::/8"
NAMES = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")


def resolved(headers, peer="10.0.0.1", trusted=TRUSTED, scheme="http"):
    """Return client, scheme and host that a request has in the end."""
    raw = [(b"host", b"mill.test"), *((k.encode(), v.encode("latin-1")) for k, v in headers)]
    scope = {"type": "http", "client": (peer, 4711), "scheme": scheme, "headers": raw}
    Proxies(None, read_trusted(trusted)).resolve(scope)
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return scope["client"][0], scope["scheme"], *hosts


def resolved_or_none(headers):
    """Return the client; None where the request is refused."""
    try:
        return resolved(headers)[0]
    except ValueError as error:
        assert str(error).startswith(("Forwarded", "The header"))  # noqa: PT017 - either may be
        return None


FORGED = [
    ("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil"),
    ("forwarded", "for=1.1.1.1;proto=https;host=evil"),
]  # fmt: skip


@pytest.mark.parametrize("peer", ["203.0.113.9", "127.0.0.1", "::1", "192.168.7.2", "2001:db8::1"])
@pytest.mark.parametrize("trusted", [TRUSTED, ""])
def test_nobody_else_is_believed(peer, trusted):
    assert resolved(FORGED, peer, trusted) == (peer, "http", "mill.test")


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ([], "10.0.0.1"),
        ([("x-forwarded-for", "203.0.113.9")], "203.0.113.9"),
        ([("x-forwarded-for", "1.1.1.1, 203.0.113.9")], "203.0.113.9"),
        ([("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9,10.1.1.1")],
         "203.0.113.9"),
        ([("x-forwarded-for", "203.0.113.9:52000")], "203.0.113.9"),
        ([("x-forwarded-for", "2001:db8::9")], "2001:db8::9"),
        ([("x-forwarded-for", "[2001:db8::9]:443")], "2001:db8::9"),
        ([("x-forwarded-for", "::ffff:203.0.113.9")], "203.0.113.9"),
        ([("x-forwarded-for", "10.2.2.2, 10.1.1.1")], "10.2.2.2"),
        ([("x-forwarded-for", "203.0.113.9, unknown")], "10.0.0.1"),
        ([("x-forwarded-for", "203.0.113.9, nonsense, 10.1.1.1")], "10.1.1.1"),
        ([("x-forwarded-for", "")], "10.0.0.1"),
        ([("x-forwarded-for", "203.0.113.9,")], "10.0.0.1"),
        ([("forwarded", 'for=1.1.1.1, For="[2001:db8::9]:4711";proto=http')], "2001:db8::9"),
        ([("forwarded", "for=203.0.113.9, for=10.1.1.1")], "203.0.113.9"),
        ([("forwarded", "for=1.1.1.1, for=_hidden")], "10.0.0.1"),
        ([("forwarded", 'for=1.1.1.1;x="a,b\\",for=2.2.2.2", for=203.0.113.9')], "203.0.113.9"),
        ([("forwarded", "proto=https")], "10.0.0.1"),
        ([("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "203.0.113.9")], "203.0.113.9"),
    ],
)  # fmt: skip
def test_the_first_from_the_right_that_is_no_proxy_is_the_client(headers, client):
    assert resolved(headers)[0] == client


def test_scheme_and_name_are_what_the_nearest_proxy_says():
    usual = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "http, HTTPS"),
             ("x-forwarded-host", "evil.example, mill.example.org")]  # fmt: skip
    assert resolved(usual)[1:] == ("https", "mill.example.org")
    far, near = "for=1.1.1.1;host=evil", 'for=203.0.113.9;proto=https;host="mill.example.org:8443"'
    standard = [("forwarded", f"{far}, {near}")]
    assert resolved(standard)[1:] == ("https", "mill.example.org:8443")
    assert resolved([("x-forwarded-proto", "ftp")])[1] == "http"
    assert resolved([("forwarded", "proto=https")])[1] == "https"


PROXYS = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")]


@pytest.mark.parametrize(
    ("passed_on", "set_by_the_proxy"),
    [
        ("for=1.1.1.1;proto=https", PROXYS),
        ("for=203.0.113.9;proto=http", PROXYS),
        ("for=203.0.113.9;proto=https;host=evil.example", PROXYS),
        ("for=203.0.113.9", PROXYS),
        ("for=203.0.113.9;host=evil", [*PROXYS[:1], ("x-forwarded-host", "mill.example.org")]),
    ],
)
def test_two_headers_that_do_not_say_the_same_are_refused(passed_on, set_by_the_proxy):
    """Most proxies pass on the kind that they do not set: of it nothing is believed."""
    with pytest.raises(ValueError, match="do not say the same"):
        resolved([("forwarded", passed_on), *set_by_the_proxy])
    same = [("forwarded", "for=203.0.113.9;proto=https"), *PROXYS]
    assert resolved(same)[:2] == ("203.0.113.9", "https")


def test_an_ipv4_client_of_an_ipv6_socket_has_one_spelling():
    assert resolved([], "::ffff:203.0.113.9")[0] == "203.0.113.9"
    assert resolved([("x-forwarded-for", "1.1.1.1")], "::ffff:10.0.0.1")[0] == "1.1.1.1"


ADDRESS = st.ip_addresses().map(str)
PUBLIC = ADDRESS.filter(
    lambda text: (
        not any(ipaddress.ip_address(text) in n for n in read_trusted(TRUSTED))
        and getattr(ipaddress.ip_address(text), "ipv4_mapped", None) is None
    )
)
JUNK = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@settings(max_examples=150, deadline=None)
@given(JUNK | st.lists(ADDRESS, max_size=4).map(", ".join), PUBLIC, st.integers(0, 3))
def test_whatever_a_client_writes_before_it_stays_itself(written, client, inner):
    """Each proxy of ours appends; the client wrote the rest."""
    chain = [client, *(f"10.9.9.{n}" for n in range(inner))]
    usual = ", ".join([*([written] if written else []), *chain])
    assert resolved([("x-forwarded-for", usual)])[0] == client
    nodes = [f'for="[{one}]"' if ":" in one else f"for={one}" for one in chain]
    standard = ", ".join([*([written] if written else []), *nodes])
    assert resolved_or_none([("forwarded", standard)]) in (client, None)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), JUNK), max_size=5), PUBLIC)
def test_no_header_of_a_stranger_changes_anything(headers, peer):
    assert resolved(headers, peer) == (peer, "http", "mill.test")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), JUNK), max_size=5))
def test_no_header_breaks_it(headers):
    if client := resolved_or_none(headers):
        ipaddress.ip_address(client)
        assert resolved(headers)[1] in ("http", "https")


@pytest.mark.parametrize("written", ['for="1.1.1.1', 'x="', "for", "for=1.1.1.1 for=2", "=", '"'])
@pytest.mark.parametrize("appended", ["for=203.0.113.9", 'for="[2001:db8::9]"'])
def test_what_breaks_the_grammar_hides_nothing(written, appended):
    with pytest.raises(ValueError, match="cannot be read"):
        resolved([("forwarded", f"{written}, {appended}")])


def test_the_setting_is_read_strictly():
    assert len(read_trusted("10.0.0.0/8,::1  fd00::/8")) == 3
    assert read_trusted(" ") == ()
    for wrong in ("10.0.0.1/8", "proxy.example", "*", "10.0.0.0/40"):
        with pytest.raises(ConfigurationError, match="MEDIAMILL_TRUSTED_PROXIES"):
            read_trusted(wrong)


def asking(web, peer, **headers):
    transport = httpx.ASGITransport(web, client=(peer, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://mill.test", headers=headers)


@pytest.fixture
def proxied(mill):
    """The application behind a proxy at 10.0.0.1."""
    given = mill.settings.model_copy(update={"trusted_proxies": "10.0.0.1"})
    before, mill.settings = mill.settings, given
    yield create_app(mill)
    mill.settings = before


async def test_audit_cookies_and_links_go_by_what_the_proxy_says(mill, proxied, ann):
    body = {"email": ann.email, "password": PASSWORD}
    said = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
    for peer, address, name in (
        ("10.0.0.1", "203.0.113.9", f"__Host-{SESSION_COOKIE}="),
        ("10.0.0.2", "10.0.0.2", f"{SESSION_COOKIE}="),
    ):
        async with asking(proxied, peer, **said) as client:
            answer = await client.post("/v1/auth/login", json=body)
            assert answer.status_code == 200, answer.text
        assert answer.headers["set-cookie"].startswith(name)
        over_https = "strict-transport-security" in answer.headers
        assert over_https is (peer == "10.0.0.1")
        act = (await acts(mill, about=ann.id, action="signed_in"))[0]
        assert act.address == address


async def test_the_name_that_a_proxy_says_must_be_ours_too(proxied):
    for name, status in (("evil.example", 421), ("mill.lan", 200)):
        async with asking(proxied, "10.0.0.1", **{"x-forwarded-host": name}) as client:
            assert (await client.get("/signin")).status_code == status
    async with asking(
        proxied, "10.0.0.1", **{"x-forwarded-for": "1.1.1.1", "forwarded": "for=2.2.2.2"}
    ) as client:
        answer = await client.get("/v1/me")
    assert answer.status_code == 400
    assert answer.headers["x-request-id"].startswith("req_")
