"""`mediamill health`: what a container's engine is told, whatever runs in the container."""

import json
import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from mediamill.cli.root import root
from tests.support.certificates import certificates
from tests.support.processes import free_port

READY = {"status": 200, "body": json.dumps({"ok": True, "checks": {"store": "ok"}})}
NOT_READY = {"status": 503, "body": json.dumps({"ok": False, "checks": {"store": "away"}})}


@contextmanager
def answering(answers, certificate=None):
    """Serve answers by their path at a port of this machine; give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.get(self.path, {"status": 404, "body": "no"})
            self.send_response(answer["status"])
            self.end_headers()
            self.wfile.write(answer["body"].encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # who speaks plainly to HTTPS is no matter
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def health(tmp_path, *words, **settings):
    given = {f"MEDIAMILL_{name.upper()}": str(value) for name, value in settings.items()}
    return CliRunner().invoke(
        root, ["health", *words], env={"MEDIAMILL_HOME": str(tmp_path), **given}
    )


@pytest.mark.parametrize(("answer", "code"), [(READY, 0), (NOT_READY, 1)])
def test_it_tells_what_the_api_says(tmp_path, answer, code):
    with answering({"/health/ready": answer}) as port:
        told = health(tmp_path, port=port)
    assert (told.exit_code, json.loads(told.stdout)) == (code, json.loads(answer["body"]))


def test_a_worker_by_itself_is_asked_where_its_numbers_are(tmp_path):
    with answering({"/health/ready": NOT_READY}) as port:
        told = health(tmp_path, port=free_port(), metrics_port=port, metrics_host="0.0.0.0")
    assert told.exit_code == 1
    assert "away" in told.stdout


def test_the_api_comes_first(tmp_path):
    with answering({"/health/ready": READY}) as api, answering({}) as numbers:
        told = health(tmp_path, port=api, host="0.0.0.0", metrics_port=numbers)
    assert told.exit_code == 0


def test_nobody_there_is_not_well(tmp_path):
    told = health(tmp_path, port=free_port())
    assert told.exit_code == 4
    assert "Nobody answers" in told.stderr


def test_one_that_hangs_is_asked_once(tmp_path, monkeypatch):
    monkeypatch.setattr("mediamill.cli.health.SECONDS", 0.3)
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        monkeypatch.setattr(
            "http.client.HTTPSConnection.request", lambda *_, **__: asked.append("HTTPS")
        )
        told = health(tmp_path, "--port", str(hanging.getsockname()[1]))
    assert (told.exit_code, asked) == (4, [])


def test_life_alone_can_be_asked_for(tmp_path):
    with answering({"/health/live": READY, "/health/ready": NOT_READY}) as port:
        assert health(tmp_path, "--live", "--port", str(port)).exit_code == 0
        assert health(tmp_path, "--port", str(port)).exit_code == 1


def test_https_is_asked_whatever_its_certificate_is_for(tmp_path):
    with answering({"/health/ready": READY}, certificates(tmp_path / "tls")) as port:
        assert health(tmp_path, port=port).exit_code == 0


def test_no_secret_is_looked_up(tmp_path):
    """An engine asks each quarter of a minute; a keeper that is away is no reason to restart."""
    with answering({"/health/ready": READY}) as port:
        told = health(tmp_path, port=port, store_url="${file:/gone/store}")
    assert told.exit_code == 0, told.output
