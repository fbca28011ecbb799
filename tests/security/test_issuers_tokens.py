"""S4: tokens that are wrong in one way, at each kind of identity backend.

Each attack comes with the same token without the flaw, signed with the same key, which is taken:
so it is the flaw that is refused. The issuers are real, and so are the keys they sign with. At
`local:` no signed token is anybody's.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from joserfc import jwk, jws

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.support.issuers import (
    MACHINE,
    RESOURCE,
    SECRET,
    Provider,
    claims_of,
    key_pair,
)
from tests.web.conftest import client_of, person

Claims = dict[str, Any]
STRANGER = key_pair("first")
"""A key that no issuer here has; it calls itself as one that the issuer has."""


@dataclass(frozen=True)
class Kit:
    """What is known of an issuer: a token that it made, and what it signs with."""

    token: str
    id_token: str
    key: jwk.Key
    kid: str
    header: Claims

    def made(self, header: Claims | None = None, **changes: Any) -> str:
        """Make a token like the issuer's, with other claims; `None` leaves one out."""
        claims = {**claims_of(self.token), **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        return signed({**self.header, **(header or {})}, claims, self.key)


def signed(header: Claims, claims: Claims, key: jwk.Key) -> str:
    """Sign what no library would write."""
    header = {name: value for name, value in header.items() if value is not None}
    said = f"{text(header)}.{text(claims)}"
    algorithm = jws.JWSRegistry.algorithms[header["alg"]]
    return f"{said}.{text(algorithm.sign(said.encode(), key))}"


def text(data: bytes | Claims) -> str:
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def hashed(kit: Kit, key: bytes, **header: Any) -> str:
    """Make a token whose "secret" is something public."""
    head = text({**kit.header, "alg": "HS256", **header})
    said = f"{head}.{text(claims_of(kit.token))}"
    return f"{said}.{text(hmac.digest(key, said.encode(), hashlib.sha256))}"


def unsigned(kit: Kit, alg: str) -> str:
    return f"{text({**kit.header, 'alg': alg})}.{text(claims_of(kit.token))}."


def stolen(kit: Kit, **header: Any) -> str:
    """Make a token of ours, signed with a key that the header brings, or says where it is."""
    return signed({**kit.header, **header}, claims_of(kit.token), STRANGER)


def mistyped(name: str, value: Any) -> Callable[[Kit], str]:
    """Make tokens whose header is what nobody writes; the signature is right."""

    def made(kit: Kit) -> str:
        said = f"{text({**kit.header, name: value})}.{text(claims_of(kit.token))}"
        algorithm = jws.JWSRegistry.algorithms[kit.header["alg"]]
        return f"{said}.{text(algorithm.sign(said.encode(), kit.key))}"

    return made


def touched(kit: Kit) -> str:
    """Change what a token says, and leave its signature."""
    head, _, signature = kit.token.split(".")
    return f"{head}.{text({**claims_of(kit.token), 'sub': 'somebody-else'})}.{signature}"


def spoilt(kit: Kit) -> str:
    head, said, signature = kit.token.split(".")
    other = "A" if signature[20] != "A" else "B"
    return f"{head}.{said}.{signature[:20]}{other}{signature[21:]}"


NOW = time.time


def public(key: jwk.Key) -> Claims:
    return key.as_dict(private=False)


PUBLIC = public(STRANGER)
ATTACKS: dict[str, Callable[[Kit], str]] = {
    # the twelve of RELIABILITY.md
    "alg none": lambda kit: unsigned(kit, "none"),
    "HS256 with the public key": lambda kit: hashed(kit, kit.key.as_pem(private=False)),
    "kid path": lambda kit: hashed(kit, b"", kid="../../../../../../dev/null"),
    "jku": lambda kit: stolen(kit, jku="http://127.0.0.1:9/jwks.json", kid="theirs"),
    "expired": lambda kit: kit.made(exp=int(NOW()) - 61),
    "not yet": lambda kit: kit.made(nbf=int(NOW()) + 120),
    "other audience": lambda kit: kit.made(aud="https://other.example.org", client_id="other"),
    "other issuer's name": lambda kit: kit.made(iss="https://issuer.example.org"),
    "typ": lambda kit: kit.made({"typ": "logout+jwt"}),
    "id token": lambda kit: kit.id_token,
    "bad signature": spoilt,
    "other issuer's key": stolen,
    # and their kin
    "alg None": lambda kit: unsigned(kit, "NonE"),
    "HS256 with the JWK": lambda kit: hashed(kit, json.dumps(public(kit.key)).encode()),
    "HS256 with the client secret": lambda kit: hashed(kit, SECRET.encode()),
    "kid SQL": lambda kit: stolen(kit, kid="x' UNION SELECT 'first"),
    "kid a number": lambda kit: stolen(kit, kid=1),
    "embedded key": lambda kit: stolen(kit, jwk=PUBLIC),
    "embedded key by its name": lambda kit: stolen(kit, jwk={**PUBLIC, "kid": kit.kid}),
    "x5u": lambda kit: stolen(kit, x5u="http://127.0.0.1:9/x.pem"),
    "x5c": lambda kit: stolen(kit, x5c=[base64.b64encode(STRANGER.as_der(private=False)).decode()]),
    "no kid": lambda kit: stolen(kit, kid=None),
    "unknown crit": lambda kit: kit.made({"crit": ["exp"]}),
    "crit that the library knows": lambda kit: kit.made({"crit": ["b64"], "b64": True}),
    "other claims, same signature": touched,
    "no signature": lambda kit: kit.token.rpartition(".")[0] + ".",
    "never expires": lambda kit: kit.made(exp=None),
    "expires as text": lambda kit: kit.made(exp=str(int(NOW()) + 600)),
    "expires true": lambda kit: kit.made(exp=True),
    "from the future": lambda kit: kit.made(iat=int(NOW()) + 120),
    "nobody": lambda kit: kit.made(sub=None),
    "nobody by name": lambda kit: kit.made(sub=""),
    "no issuer": lambda kit: kit.made(iss=None),
    "issuer with a slash": lambda kit: kit.made(iss=claims_of(kit.token)["iss"] + "/"),
    "id token, said": lambda kit: kit.made(token_use="id"),
    "refresh token, said": lambda kit: kit.made(token_use="refresh"),
    "id token as Keycloak's": lambda kit: kit.made(typ="ID"),
    "nonce": lambda kit: kit.made(nonce="n"),
    "at_hash": lambda kit: kit.made(at_hash="x"),
    "bound to a key": lambda kit: kit.made(cnf={"jkt": "x"}),
    "logout token": lambda kit: kit.made(events={"https://example.org/logout": {}}),
    "too long": lambda kit: kit.made(padding="x" * 20_000),
}  # fmt: skip
TWELVE = [*ATTACKS][:12]
ODD: dict[str, Any] = {"a list": [], "an object": {}, "true": True, "400 digits": 10**399}
"""Values of kinds that none of these have: no answer may be a defect of ours."""
ATTACKS |= {f"{name} is {kind}": mistyped(name, value) for kind, value in ODD.items()
            for name in ("alg", "kid", "typ")}  # fmt: skip
ATTACKS |= {f"{name} {kind}, signed": lambda kit, said={name: value}: kit.made(**said)
            for kind, value in ODD.items() for name in ("iss", "sub", "exp", "iat", "nbf", "aud",
                                                        "token_use", "typ")
            if (name, kind) != ("aud", "a list")}  # fmt: skip


async def ask(client: httpx.AsyncClient, token: str, path: str = "/v1/me") -> int:
    response = await client.get(path, headers={"authorization": f"Bearer {token}"})
    assert token not in response.text
    return response.status_code


async def accepted(client: httpx.AsyncClient, kit: Kit) -> dict[str, int]:
    """Try every attack, and everything that is like one without its flaw."""
    controls = {"as issued": kit.token, "signed again": kit.made(),
                "with x5t": kit.made({"x5t": "x"}), "soon expired":
                kit.made(exp=int(NOW()) - 30, nbf=int(NOW()) + 30),
                "typ in capitals": kit.made({"typ": (kit.header.get("typ") or "JWT").upper()}),
                "not so long": kit.made(padding="x" * 8_000)}  # fmt: skip
    for name, token in controls.items():
        assert await ask(client, token) == 200, name
    answers = {name: await ask(client, attack(kit)) for name, attack in ATTACKS.items()}
    assert await ask(client, kit.token) == 200  # also afterwards
    return answers


def service(tmp_path, url: str) -> Any:
    return App.open(Settings(home=tmp_path, identity_url=url, slots=1, min_free_bytes=0))


async def program_token(issuer: Provider, **more: str) -> str:
    body = {"grant_type": "client_credentials", "resource": RESOURCE, "scope": "api", **more}
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        answer = await client.post(f"{issuer.issuer}/token", data=body, auth=(MACHINE, SECRET))
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


async def kit_of(issuer: Provider) -> Kit:
    token, key = await program_token(issuer), issuer.keys[0]
    now = int(NOW())
    said = {"iss": issuer.issuer, "sub": MACHINE, "aud": "mediamill", "iat": now,
            "exp": now + 600, "nonce": "n", "at_hash": "x"}  # fmt: skip
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    id_token = signed({"alg": "RS256", "kid": key.kid, "typ": "JWT"}, said, key)
    return Kit(token, id_token, key, key.kid, header)


async def test_an_issuers_wrong_tokens_are_nobodys(tmp_path, issuer):
    kit = await kit_of(issuer)
    async with (
        await service(tmp_path, issuer.url(audience=RESOURCE)) as mill,
        client_of(create_app(mill)) as client,
    ):
        answers = await accepted(client, kit)
        id_token = kit.made({"typ": "JWT"}, scope=None, client_id=None)
        assert await ask(client, id_token) == 401  # nothing proves that it is for access
    assert answers == dict.fromkeys(ATTACKS, 401)
    assert len(TWELVE) == 12


@pytest.mark.embedded("the token is refused before any store is asked")
async def test_where_nobody_else_signs_in_no_signed_token_is_anybodys(tmp_path, issuer):
    """Also none that is signed with what the service signs with itself."""
    async with await service(tmp_path, "local:") as mill:
        web = create_app(mill)
        async with person(web, "ann") as ann, client_of(web) as client:
            kit = await kit_of(issuer)
            key = (tmp_path / "secret").read_bytes()
            hers = replace(kit, token=kit.made(sub=ann.id))
            forged = {"ours": hashed(hers, key), "as issued": kit.token, "hers": hers.token}
            tokens = forged | {name: attack(hers) for name, attack in ATTACKS.items()}
            answers = {name: await ask(client, token) for name, token in tokens.items()}
            assert answers == dict.fromkeys(tokens, 401)
            assert await ask(client, ann.token) == 200


async def test_a_check_that_is_left_out_is_noticed(tmp_path, issuer, monkeypatch):
    """Each part of the judgement is what refuses some of the attacks."""
    kit = await kit_of(issuer)
    monkeypatch.setattr("mediamill.adapters.identity.oidc.check_access", lambda *_: None)
    async with (
        await service(tmp_path, issuer.url(audience=RESOURCE)) as mill,
        client_of(create_app(mill)) as client,
    ):
        answers = await accepted(client, kit)
    let = {name for name, status in answers.items() if status == 200}
    odd = {f"{name} {kind}, signed" for name in ("aud", "token_use", "typ") for kind in ODD}
    assert let == {"other audience", "id token", "id token, said", "refresh token, said", "nonce",
                   "id token as Keycloak's", "at_hash", "bound to a key", "logout token",
                   } | odd & ATTACKS.keys()  # fmt: skip
