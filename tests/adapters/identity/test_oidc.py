"""An issuer that changes its keys, goes away, says too much, or is not who it should be."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from time import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwk, jws
from joserfc.errors import SecurityWarning
from tests.security.test_issuers_tokens import program_token
from tests.support.issuers import RESOURCE, SECRET, approved, key_pair, provider
from tests.support.listening import listening
from tests.support.processes import free_port

from mediamill.adapters.identity.address import Address
from mediamill.adapters.identity.oidc import OidcIdentity
from mediamill.adapters.identity.opening import probe_identity
from mediamill.adapters.identity.port import Challenge
from mediamill.core.errors import ConfigurationError, MediamillError, Unauthenticated, Unavailable
from mediamill.core.sourced import Fixed

CALLBACK = "http://mill.test/auth/oidc/callback"
CHALLENGE = Challenge("s" * 43, CALLBACK, nonce="n" * 43, verifier="v" * 43)


def now() -> int:
    return int(time() * 1000)


@dataclass
class Clock:
    """Monotonic seconds, moved by hand."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


def identity_of(url, clock=None):
    address = Address.of(url)
    return OidcIdentity(address, Fixed(url), clock or Clock())


# -- a real one that changes and goes away --------------------------------------------------------


async def test_keys_change_while_we_look(tmp_path):
    """A new key is taken on sight and the old one gone; what was known is good for an hour."""
    clock = Clock()
    with provider(tmp_path, CALLBACK) as issuer:
        identity = identity_of(issuer.url(audience=RESOURCE), clock)
        old = await program_token(issuer)
        assert (await identity.bearer(old, now())).subject == "machine"
        issuer.stop()
        issuer.keys = [key_pair("second", "ES256")]
        issuer.start()
        fresh = await program_token(issuer)
        clock.at += 31
        assert (await identity.bearer(fresh, now())).subject == "machine"
        with pytest.raises(Unauthenticated):
            await identity.bearer(old, now())
        issuer.stop()
        clock.at += 3500
        assert (await identity.bearer(fresh, now())).subject == "machine"
        with pytest.raises(Unavailable):  # not 401: whose key that is cannot be asked
            await identity.bearer(old, now())
        clock.at += 101
        with pytest.raises(Unavailable):
            await identity.bearer(fresh, now())


async def test_an_old_key_is_gone_in_ten_minutes_and_who_was_away_is_back(documents, key):
    clock, other = Clock(), key_pair("other")
    both = [one.as_dict(private=False) for one in (key, other)]
    documents.tell("/keys", {"keys": both})
    identity = identity_of(documents.url(), clock)
    await identity.bearer(token_of(documents, key), now())
    documents.tell("/keys", {"keys": both[1:]})
    clock.at += 599
    await identity.bearer(token_of(documents, key), now())  # nobody asked since
    clock.at += 2
    with pytest.raises(Unauthenticated):
        await identity.bearer(token_of(documents, key), now())
    documents.tell("/keys", {}, 503)
    clock.at += 3601
    for _ in range(3):
        with pytest.raises(Unavailable):
            await identity.bearer(token_of(documents, other, "other"), now())
    asked = documents.asked.count("/keys")
    documents.tell("/keys", {"keys": both})
    clock.at += 31
    await identity.bearer(token_of(documents, key), now())
    assert documents.asked.count("/keys") == asked + 1 == 4


class Renewed:
    """A setting whose secret was changed where it is kept."""

    setting = "MEDIAMILL_IDENTITY_URL"

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new, self.asked = old, new, 0

    async def current(self) -> str:
        return self.new if self.asked else self.old

    async def renewed(self) -> str:
        self.asked += 1
        return self.new


async def test_a_secret_that_was_rotated_is_asked_for_again(issuer):
    source = Renewed(issuer.url(client_secret="of yesterday"), issuer.url())
    identity = await OidcIdentity.open(source)
    for _ in range(2):
        async with httpx.AsyncClient(trust_env=False, verify=False) as there:
            url = await approved(there, await identity.begin(CHALLENGE), "bea", CALLBACK)
        answer = {name: said[0] for name, said in parse_qs(urlsplit(url).query).items()}
        person = await identity.finish(answer, CHALLENGE, now())
        assert (person.subject, person.email) == ("bea", "bea@example.org")
        assert source.asked == 1
    assert SECRET not in repr(identity._address)


# -- one of our own, that says what we like -------------------------------------------------------


@dataclass
class Documents:
    """A small issuer: gives documents by path, and counts what it is asked for."""

    port: int = field(default_factory=free_port)
    said: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    hanging: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, **options: str) -> str:
        told = "".join(f"&{name}={value}" for name, value in options.items())
        return f"oidc+{self.base}?client_id=mediamill{told}"

    def tell(self, path: str, document: object, status: int = 200) -> None:
        self.said[path] = (status, json.dumps(document).encode())

    def describe(self, **changes: object) -> None:
        names = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
        document = {name: f"{self.base}/{path}" for name, path in names.items()}
        self.tell("/.well-known/openid-configuration",
                  {"issuer": self.base, **document, **changes})  # fmt: skip

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.answer(reader, writer)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        self.asked.append(path)
        length = [line for line in head.splitlines() if line.lower().startswith("content-length")]
        if length:
            body = await reader.readexactly(int(length[0].split(":")[1]))
            self.forms.append({n: v[0] for n, v in parse_qs(body.decode()).items()})
        if self.hanging:
            await self.over.wait()
        status, text = self.said.get(path, (404, b"{}"))
        extra = "Location: /moved\r\n" if status == 302 else ""
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n{extra}"
                     "Set-Cookie: a=b\r\nConnection: close\r\n\r\n".encode() + text)  # fmt: skip
        await writer.drain()


@pytest.fixture
async def documents():
    made = Documents()
    made.describe()
    async with listening(made.serve, port=made.port):
        yield made


@pytest.fixture(scope="module")
def key():
    return key_pair("k")


def token_of(documents, key, kid="k", **claims):
    header = {"alg": "RS256", "kid": kid, "typ": "at+jwt"}
    said = {"iss": documents.base, "sub": "x", "client_id": "mediamill", "exp": time() + 600,
            **claims}  # fmt: skip
    return jws.serialize_compact(header, json.dumps(said), key)


async def test_made_up_keys_make_nobody_ask_often(documents, key):
    clock = Clock()
    documents.tell("/keys", {"keys": [key.as_dict(private=False)]})
    identity = identity_of(documents.url(), clock)
    await identity.bearer(token_of(documents, key), now())
    assert documents.asked.count("/keys") == 1
    for second in range(300):  # one in a second, ten at once now and then
        clock.at += 1
        times = 10 if second % 50 == 0 else 1
        tries = [identity.bearer(token_of(documents, key, f"made up {n}"), now())
                 for n in range(times)]  # fmt: skip
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert all(isinstance(answer, Unauthenticated) for answer in answers)
    assert documents.asked.count("/keys") <= 1 + 300 // 30
    await identity.bearer(token_of(documents, key), now())


async def test_many_at_once_ask_once(documents, key):
    documents.tell("/keys", {"keys": [key.as_dict(private=False)]})
    identity = identity_of(documents.url())
    tries = [identity.bearer(token_of(documents, key), now()) for _ in range(20)]
    assert {person.subject for person in await asyncio.gather(*tries)} == {"x"}
    assert documents.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_one_that_hangs_delays_nobody_who_is_known(documents, key, monkeypatch):
    monkeypatch.setattr("mediamill.adapters.identity.calls.SECONDS", 60)
    clock = Clock()
    documents.tell("/keys", {"keys": [key.as_dict(private=False)]})
    identity = identity_of(documents.url(), clock)
    await identity.bearer(token_of(documents, key), now())
    documents.hanging, clock.at = True, clock.at + 700
    first = asyncio.create_task(identity.bearer(token_of(documents, key), now()))
    while len(documents.asked) < 3:
        await asyncio.sleep(0.01)
    await identity.bearer(token_of(documents, key), now())
    assert not first.done()  # that one waits for the issuer, which does not answer
    documents.tell("/keys", {}, 500)
    documents.over.set()
    assert (await first).subject == "x"


async def test_one_that_hangs_is_not_waited_for_long(documents, key, monkeypatch):
    clock = Clock()
    documents.tell("/keys", {"keys": [key.as_dict(private=False)]})
    identity = identity_of(documents.url(), clock)
    await identity.bearer(token_of(documents, key), now())
    monkeypatch.setattr("mediamill.adapters.identity.calls.SECONDS", 0.3)
    documents.hanging, clock.at = True, clock.at + 700
    async with asyncio.timeout(60):
        assert (await identity.bearer(token_of(documents, key), now())).subject == "x"


@pytest.mark.parametrize(
    "strange",
    [
        {"kty": "oct", "kid": "k", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "kid": "k"},
        {"kty": "EC", "kid": "k", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA", "kid": 7},
        "k",
        None,
    ],
)
async def test_strange_keys_are_as_good_as_absent(documents, key, strange):
    good = key.as_dict(private=False)
    documents.tell("/keys", {"keys": [strange, {**good, "kid": "other", "use": "enc"}, good]})
    identity = identity_of(documents.url())
    assert (await identity.bearer(token_of(documents, key), now())).subject == "x"
    with pytest.raises(Unauthenticated):
        await identity.bearer(token_of(documents, key, "other"), now())


async def test_a_short_key_is_as_good_as_absent(documents):
    with pytest.warns(SecurityWarning):
        short = jwk.RSAKey.import_key(rsa.generate_private_key(65537, 1024), {"kid": "k"})
    documents.tell("/keys", {"keys": [short.as_dict(private=False)]})
    with pytest.raises(Unauthenticated, match="does not have"):
        await identity_of(documents.url()).bearer(token_of(documents, short), now())


async def test_a_key_is_for_the_algorithm_that_it_names(documents, key):
    documents.tell("/keys", {"keys": [{**key.as_dict(private=False), "alg": "PS256"}]})
    with pytest.raises(Unauthenticated):
        await identity_of(documents.url()).bearer(token_of(documents, key), now())


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"issuer": "https://evil.example"}, ConfigurationError),
        ({"issuer": None}, ConfigurationError),
        ({"token_endpoint": "http://evil.example/token"}, ConfigurationError),
        ({"token_endpoint": None}, ConfigurationError),
        ({"authorization_endpoint": "javascript:alert(1)"}, ConfigurationError),
        ({"jwks_uri": "file:///etc/passwd"}, ConfigurationError),
    ],
)
async def test_a_description_that_leads_elsewhere(documents, key, document, error):
    documents.describe(**document)
    documents.tell("/keys", {"keys": [key.as_dict(private=False)]})
    with pytest.raises(error) as caught:
        await everything(identity_of(documents.url()))
    assert "MEDIAMILL_IDENTITY_URL" in caught.value.message


async def everything(identity):
    await identity.begin(CHALLENGE)
    await identity.probe()
    await identity.finish({"code": "c"}, CHALLENGE, now())


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b"{}"), (302, b"{}"), (500, b"{}"), (200, b"no json"), (200, b"[1]"),
     (200, b"{" + b'"a": 1, ' * 60_000 + b'"b": 2}'), (200, b"[" * 50_000)],
)  # fmt: skip
async def test_no_description(documents, status, body):
    """Nothing moved is followed, nothing endless read."""
    documents.said["/.well-known/openid-configuration"] = (status, body)
    with pytest.raises(Unavailable):
        await identity_of(documents.url()).begin(CHALLENGE)
    assert documents.asked == ["/.well-known/openid-configuration"]


async def test_documents_may_be_elsewhere(documents, key):
    """As with Cognito's emulator, and names that only containers know."""
    documents.describe(issuer="https://sso.example.org")
    documents.tell("/other/keys", {"keys": [key.as_dict(private=False)]})
    where = f"{documents.base}/.well-known/openid-configuration"
    url = (f"oidc+https://sso.example.org?client_id=mediamill&discovery={where}"
           f"&jwks={documents.base}/other/keys")  # fmt: skip
    identity = identity_of(url)
    token = token_of(documents, key, iss="https://sso.example.org")
    assert (await identity.bearer(token, now())).issuer == "https://sso.example.org"
    assert documents.asked == ["/other/keys"]
    assert (await identity.begin(CHALLENGE)).startswith(f"{documents.base}/auth?")
    assert "https://sso.example.org answers" in str(await probe_identity(url))


# -- id tokens ------------------------------------------------------------------------------------


def id_token(documents, key, **changes):
    claims = {"iss": documents.base, "sub": "x", "aud": "mediamill", "iat": time(),
              "exp": time() + 60, "nonce": CHALLENGE.nonce, **changes}  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    return jws.serialize_compact({"alg": "RS256", "kid": "k"}, json.dumps(claims), key)


async def came_back(documents, key, **changes):
    documents.tell("/keys", {"keys": [key.as_dict(private=False)]})
    tokens = {"id_token": id_token(documents, key, **changes), "access_token": "opaque"}
    documents.tell("/token", tokens)
    return await identity_of(documents.url()).finish({"code": "c"}, CHALLENGE, now())


async def test_a_right_id_token_is_taken(documents, key):
    person = await came_back(
        documents, key, email="a@example.org", email_verified=True, name="A\nB"
    )
    assert (person.subject, person.email, person.name) == ("x", "a@example.org", "A B")
    assert documents.forms == [{
        "grant_type": "authorization_code", "code": "c", "redirect_uri": CALLBACK,
        "code_verifier": CHALLENGE.verifier, "client_id": "mediamill",
    }]  # fmt: skip
    assert (await came_back(documents, key, aud=["mediamill", "b"], azp="mediamill")).email == ""
    assert (await came_back(documents, key, exp=time() - 30, iat=time() + 30)).admin is None


@pytest.mark.parametrize(
    "changes",
    [{"nonce": "of another"}, {"nonce": None}, {"aud": "other"}, {"aud": ["mediamill", "b"]},
     {"azp": "other"}, {"iss": "https://evil.example"}, {"exp": 1}, {"iat": None},
     {"iat": 99_999_999_999}, {"sub": None}, {"at_hash": "wrong"}, {"token_use": "access"},
     {"aud": None}, {"aud": {"a": 1}}],
)  # fmt: skip
async def test_a_wrong_id_token_is_not(documents, key, changes):
    with pytest.raises(Unauthenticated):
        await came_back(documents, key, **changes)


async def test_what_userinfo_says_of_somebody_else_does_not_count(documents, key):
    documents.describe(userinfo_endpoint=f"{documents.base}/userinfo")
    told = {"email": "a@example.org", "email_verified": True}
    documents.tell("/userinfo", {"sub": "another", **told})
    assert (await came_back(documents, key)).email == ""
    documents.tell("/userinfo", {"sub": "x", **told})
    assert (await came_back(documents, key)).email == "a@example.org"
    documents.tell("/userinfo", {"sub": "x", "email": "a@example.org"})
    assert (await came_back(documents, key, email_verified=True)).email == ""


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [(400, {"error": "invalid_grant"}, Unauthenticated), (200, {}, Unauthenticated),
     (200, {"id_token": 7}, Unauthenticated), (401, {}, ConfigurationError),
     (400, {"error": "invalid_client"}, ConfigurationError), (503, {}, Unavailable)],
)  # fmt: skip
async def test_a_code_that_is_not_taken(documents, status, said, error):
    documents.tell("/token", said, status)
    with pytest.raises(error) as caught:
        await identity_of(documents.url()).finish({"code": "c"}, CHALLENGE, now())
    assert isinstance(caught.value, MediamillError)


@pytest.mark.parametrize("methods", [None, ["client_secret_basic"], ["client_secret_post"]])
async def test_the_secret_goes_as_the_issuer_wants_it(documents, key, methods):
    if methods:
        documents.describe(token_endpoint_auth_methods_supported=methods)
    documents.tell("/token", {}, 400)
    url = documents.url(client_secret="s%2Bs")
    with pytest.raises(Unauthenticated):
        await identity_of(url).finish({"code": "c"}, CHALLENGE, now())
    sent = documents.forms[0].get("client_secret")
    assert sent == ("s+s" if methods == ["client_secret_post"] else None)
