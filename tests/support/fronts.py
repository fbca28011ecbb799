"""The real nginx and Caddy with the files of `deploy/`, in front of a service of the test's own.

Of the files only what everybody has to change is changed: names of files, ports, and for Caddy
where its certificate comes from.
"""

import getpass
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.certificates import Certificates
from tests.support.daemons import Daemon, program
from tests.support.processes import free_port

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAME = "mill.example.org"
NGINX = """
user {user};
pid {folder}/pid;
error_log stderr warn;
worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused;
    scgi_temp_path {folder}/unused;
    uwsgi_temp_path {folder}/unused;
    include {folder}/mediamill.conf;
}}
"""
"""What Debian's /etc/nginx/nginx.conf does, in a folder of its own."""


@dataclass
class Front:
    """A proxy that runs: its port for HTTPS, for HTTP if it has one, and who signed for it."""

    port: int
    authority: Path
    folder: Path
    plain: int = 0
    said: list[str] = field(default_factory=list)

    def client(self, source: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        """Return a client that asks from an address of this machine by the proxy's public name."""
        trust = ssl.create_default_context(cafile=str(self.authority))
        trust.check_hostname = False  # it is for 127.0.0.1, which is asked by another name
        way = httpx.AsyncHTTPTransport(verify=trust, local_address=source)
        return httpx.AsyncClient(
            transport=way,
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"host": NAME, **headers},
            timeout=120,
        )


def replaced(text: str, changes: dict[str, str]) -> str:
    """Return a file of `deploy/` with what its reader has to change; each is there."""
    for old, new in changes.items():
        assert old in text, f"{old} is not in the example"
        text = text.replace(old, new)
    return text


@contextmanager
def nginx(folder: Path, upstream: int, made: Certificates, **faults: str) -> Iterator[Front]:
    """Run nginx with our example; `faults` are lines of it to be planted others for."""
    front = Front(free_port(), made.authority, folder, plain=free_port())
    changes = {
        "server 127.0.0.1:8750;": f"server 127.0.0.1:{upstream};",
        "listen 80;": f"listen 127.0.0.1:{front.plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{front.port} ssl;",
        "/etc/ssl/mill.pem": str(made.certificate),
        "/etc/ssl/mill.key": str(made.key),
        **faults,
    }
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "mediamill.conf").write_text(
        replaced((DEPLOY / "nginx/mediamill.conf").read_text(), changes)
    )
    main = folder / "nginx.conf"
    main.write_text(NGINX.format(folder=folder, user=getpass.getuser()))
    command = [program("nginx", "nginx-light"), "-p", folder, "-c", main, "-g", "daemon off;"]
    yield from _running(front, [*map(str, command)], {})


@contextmanager
def caddy(folder: Path, upstream: int, made: Certificates, **faults: str) -> Iterator[Front]:
    """Run Caddy with our example, likewise; its certificate is made here instead of fetched."""
    front = Front(free_port(), made.authority, folder)
    folder.mkdir()
    site = "{$MILL_NAME:mill.example.org} {\n"
    text = replaced(
        (DEPLOY / "caddy/Caddyfile").read_text(),
        {site: f"{site}\tbind 127.0.0.1\n\ttls {made.certificate} {made.key}\n", **faults},
    )
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
    (folder / "Caddyfile").write_text(options + text)
    variables = {
        "MILL_NAME": f"https://{NAME}:{front.port}, https://127.0.0.1:{front.port}",
        "MILL_SERVERS": f"127.0.0.1:{upstream}",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    command = [program("caddy", "caddy"), "run", "--config", str(folder / "Caddyfile")]
    yield from _running(front, [*command, "--adapter", "caddyfile"], variables)


def _running(front: Front, command: list[str], variables: dict[str, str]) -> Iterator[Front]:
    daemon = Daemon(command, front.port, front.folder, variables)
    daemon.start()
    try:
        yield front
    finally:
        daemon.end()


FRONTS = {"nginx": nginx, "caddy": caddy}
