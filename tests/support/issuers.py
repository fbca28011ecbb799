"""Real issuers on 127.0.0.1: npm's `oidc-provider`, and Cognito as ministack does it."""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin

import httpx
from joserfc import jwk

from tests.support.buckets import bucket_server
from tests.support.daemons import Daemon, program
from tests.support.npm import installed
from tests.support.processes import free_port

HERE = Path(__file__).parent / "oidc_provider"
SECRET = "only-for-tests-0123456789-0123456789"
RESOURCE = "https://mill.test/api"
PROGRAM, MACHINE, OURS = "program", "machine", "mediamill"


def key_pair(kid: str, alg: str = "RS256") -> jwk.Key:
    """Make a private key that an issuer signs with."""
    told = {"kid": kid, "alg": alg, "use": "sig"}
    if alg.startswith("ES"):
        return jwk.ECKey.generate_key("P-256", told, private=True)
    return jwk.RSAKey.generate_key(2048, told, private=True)


@dataclass
class Provider:
    """A running `oidc-provider`; may be stopped, and started again with other keys."""

    folder: Path
    redirects: list[str]
    port: int = field(default_factory=free_port)
    keys: list[jwk.Key] = field(default_factory=lambda: [key_pair("first")])
    daemon: Daemon | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, **options: str) -> str:
        """Return what MEDIAMILL_IDENTITY_URL says."""
        told = {"client_id": OURS, "client_secret": SECRET, "label": "Example SSO", **options}
        return f"oidc+{self.issuer}?{urlencode({k: v for k, v in told.items() if v})}"

    def start(self) -> None:
        secret = {"client_secret": SECRET}
        code = {"redirect_uris": self.redirects, "response_types": ["code"]}
        leaving = {"post_logout_redirect_uris": [
            each.replace("/auth/oidc/callback", "/signin") for each in self.redirects]}  # fmt: skip
        machine = {"grant_types": ["client_credentials"], "redirect_uris": [],
                   "response_types": []}  # fmt: skip
        both = {"grant_types": ["authorization_code", "refresh_token"]}
        given = {
            "modules": str(installed(HERE, "oidc")), "issuer": self.issuer, "port": self.port,
            "keys": [key.as_dict(private=True) for key in self.keys],
            "clients": [{"client_id": OURS, **secret, **code, **leaving},
                        {"client_id": PROGRAM, **secret, **code, **both},
                        {"client_id": MACHINE, **secret, **machine}],
        }  # fmt: skip
        command = [program("node", "nodejs"), str(HERE / "server.mjs"), json.dumps(given)]
        self.daemon = Daemon(command, self.port, self.folder, {"NODE_ENV": "test"})
        self.daemon.start()

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.end()
            self.daemon = None


@contextmanager
def provider(folder: Path, *redirects: str) -> Iterator[Provider]:
    """Run an issuer for the length of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Provider(folder, [*redirects])
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def approved(client: httpx.AsyncClient, url: str, who: str, until: str) -> str:
    """Go through the issuer's pages as a person would; return where it sends the browser back."""
    response = await client.get(url)
    for _ in range(12):
        if response.is_redirect:
            onward = urljoin(str(response.url), response.headers["location"])
            if onward.startswith(until):
                return onward
            response = await client.get(onward)
            continue
        form = re.search(r'action="([^"]+)"[^>]*method="post"', response.text)
        prompt = re.search(r'name="prompt" value="(\w+)"', response.text)
        assert form, response.text[:2000]
        assert prompt, response.text[:2000]
        body = {"prompt": prompt[1], "login": who, "password": "any"}
        onward = urljoin(str(response.url), form[1])
        response = await client.post(onward, data=body)
    raise AssertionError("the issuer's pages do not end")


# -- Cognito ------------------------------------------------------------------------------------


@dataclass
class Cognito:
    """A user pool, its clients, and one user in a group."""

    endpoint: str
    state: Path
    client: Any
    pool: str
    ours: str
    other: str

    @property
    def issuer(self) -> str:
        return f"https://cognito-idp.us-east-1.amazonaws.com/{self.pool}"

    def url(self, **options: str) -> str:
        """Return what MEDIAMILL_IDENTITY_URL says: names of AWS, addresses of the emulator."""
        known = f"{self.endpoint}/{self.pool}/.well-known"
        told = {"client_id": self.ours, "discovery": f"{known}/openid-configuration",
                "jwks": f"{known}/jwks.json", "groups": "cognito:groups", **options}  # fmt: skip
        return f"oidc+{self.issuer}?{urlencode({k: v for k, v in told.items() if v})}"

    def tokens(self, client: str = "") -> dict[str, str]:
        """Sign the user in; return the tokens as Cognito names them."""
        answer = self.client.initiate_auth(
            ClientId=client or self.ours, AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ann", "PASSWORD": "Right-horse-7"},
        )  # fmt: skip
        return answer["AuthenticationResult"]

    def key(self, use: str = "access") -> jwk.Key:
        """Return what the pool signs with, so that a token can be made that is wrong in one way."""
        return jwk.import_key(
            (self.state / "cognito-pool-keys" / f"{self.pool}-{use}.pem").read_bytes(), "RSA"
        )


@contextmanager
def cognito(folder: Path) -> Iterator[Cognito]:
    """Run ministack with a user pool."""
    import boto3

    with bucket_server("ministack", folder, services="cognito-idp") as server:
        client = boto3.client(
            "cognito-idp", endpoint_url=server.endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
        pool = client.create_user_pool(PoolName="people")["UserPool"]["Id"]
        flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        ids = [
            client.create_user_pool_client(
                UserPoolId=pool, ClientName=name, ExplicitAuthFlows=flows,
                CallbackURLs=["http://mill.test/auth/oidc/callback"],
                SupportedIdentityProviders=["COGNITO"], AllowedOAuthFlowsUserPoolClient=True,
                AllowedOAuthFlows=["code"], AllowedOAuthScopes=["openid", "email", "profile"],
            )["UserPoolClient"]["ClientId"]
            for name in ("mediamill", "another")
        ]  # fmt: skip
        mail = [{"Name": "email", "Value": "ann@example.org"},
                {"Name": "email_verified", "Value": "true"}]  # fmt: skip
        client.admin_create_user(UserPoolId=pool, Username="ann", UserAttributes=mail)
        client.admin_set_user_password(
            UserPoolId=pool, Username="ann", Password="Right-horse-7", Permanent=True
        )
        client.create_group(UserPoolId=pool, GroupName="chiefs")
        client.admin_add_user_to_group(UserPoolId=pool, Username="ann", GroupName="chiefs")
        try:
            yield Cognito(server.endpoint, folder / "state", client, pool, *ids)
        finally:
            client.close()


def claims_of(token: str) -> dict[str, Any]:
    """Read a token's claims without judging it."""
    said = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
