"""Logging: one JSON line per event, whoever logs, and no secret in any."""

import io
import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from mediamill.core.logs import HIDDEN, configure_logging, hide_secrets

SECRET = "mmt_" + "aB3-_" * 8
"""What an API token looks like."""


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    yield io.StringIO()
    logging.captureWarnings(capture=False)


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
"""What an issuer's token looks like."""


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_events_are_json_lines_with_their_context(stream: io.StringIO):
    configure_logging("json", "info", stream)
    log = structlog.get_logger("mediamill.test")
    log.debug("not shown", action="hidden")
    log.info("item failed", action="item_failed", job="job_1", seconds=0.5)
    (line,) = lines(stream)
    assert line["message"] == "item failed"
    assert line["action"] == "item_failed"
    assert line["job"] == "job_1"
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_the_standard_library_goes_the_same_way(stream: io.StringIO):
    configure_logging("json", "info", stream)
    logging.getLogger("uvicorn.error").warning("cannot %s", "bind")
    (line,) = lines(stream)
    assert line["message"] == "cannot bind"
    assert line["logger"] == "uvicorn.error"


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_leaves(stream: io.StringIO, form: str):
    configure_logging(form, "info", stream)
    log = structlog.get_logger("mediamill.test")
    log.info("a", action="a", password="hunter22", nested={"api_key": "hunter22"}, list=[SECRET])
    told = f"the link ?token={SECRET} by {TOKEN}"
    log.info(told, action="b", url="postgresql://u:hunter22@db/x")
    logging.getLogger("other").error("Authorization: Bearer %s", "hunter22hunter22")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("failed", action="c")
    text = stream.getvalue()
    assert "hunter22" not in text
    assert SECRET not in text
    assert TOKEN not in text
    assert text.count(HIDDEN) >= 6


def test_no_address_of_mail_leaves(stream: io.StringIO):
    """What a mail server answers repeats it."""
    configure_logging("json", "info", stream)
    log = structlog.get_logger("mediamill.test")
    told = "mx.example.org says: 550 5.1.1 <ann.smith@example.org>: unknown; ann+x%40example.co.uk"
    log.error("mail given up", action="a", error=f"{told}, Änn@exämple.org")
    log.error("b", action="b", error="RCPT TO:<ann@localhost> and <o'neil@[192.0.2.7]> refused")
    logging.getLogger("other").error("for %s", "ann@example.org")
    text = stream.getvalue()
    assert [line["action"] for line in lines(stream)[:2]] == ["a", "b"]
    for known in ("smith", "ann+x", "Änn", "neil", "for ann", "<ann"):
        assert known not in text
    assert "550 5.1.1" in text


@pytest.mark.parametrize("name", ["ann@example.org.png", "ann@example.org-2x.png", "ann@png.org"])
def test_no_address_of_mail_leaves_in_a_name(stream: io.StringIO, name: str):
    configure_logging("json", "info", stream)
    structlog.get_logger("mediamill.test").info("a", action="a", name=name)
    assert "ann" not in stream.getvalue()


@pytest.mark.parametrize("text", ["eyJ-", "a@b-", "a@b.png", "%40"])
def test_a_long_text_costs_no_more_than_its_length(text: str):
    """It is processor time: where each place is read to the end it is half a minute."""
    began = time.process_time()
    hide_secrets(None, "", {"error": text * 100_000})
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "kept",
    ["https://db.example.org/a@b", "vendor/model@3f2a1b", "postgresql://mill@db.example.org/x",
     "mill@sha256:aabb", "@app.get", "a@b", "photo@2x.png", "see icon@3x.jpeg.",
     "mediamill@worker.service failed"],
)  # fmt: skip
def test_what_is_no_address_of_mail_stays(stream: io.StringIO, kept: str):
    configure_logging("json", "info", stream)
    structlog.get_logger("mediamill.test").info("a", action="a", url=kept)
    assert lines(stream)[0]["url"] == kept


def test_the_id_of_a_token_is_no_secret(stream: io.StringIO):
    configure_logging("json", "info", stream)
    log = structlog.get_logger("mediamill.test")
    log.info("signed in", action="signed_in", token="token_01KAHRQPV0V3E3M2X5E2C8T2QG")
    assert lines(stream)[0]["token"] == "token_01KAHRQPV0V3E3M2X5E2C8T2QG"


def test_text_is_for_people(stream: io.StringIO):
    configure_logging("text", "debug", stream)
    structlog.get_logger("mediamill.test").debug("looking", action="look")
    assert "looking" in stream.getvalue()
    assert "action=look" in stream.getvalue()
