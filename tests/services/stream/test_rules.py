"""What is taken from which topic: how it is written, and what a message may say against it."""

import json
import os
from pathlib import Path

import pytest

from mediamill.adapters.stream.port import Message, Part
from mediamill.core.errors import (
    AddressRefused,
    ConfigurationError,
    Forbidden,
    InvalidInput,
    LimitExceeded,
    MediamillError,
    NotFound,
)
from mediamill.services.stream.customers import Customers, address_of
from mediamill.services.stream.envelopes import open_envelope
from mediamill.services.stream.fetching import allowed
from mediamill.services.stream.rules import TopicRule, read_rules
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Update
from mediamill.store.repositories.users import Email, Role, User, Users

PART = Part("cluster", "images", "topic-id", 3)
MOST = 1000


def message(value=b"data", key=b"a.png", **headers):
    pairs = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return Message(PART, 7, key, value, pairs)


def envelope(rule=None, **fields):
    rule = rule or TopicRule(customer="acme", format="json")
    return open_envelope(message(json.dumps(fields).encode()), rule, MOST)


def test_rules_are_read_from_a_line():
    rules = read_rules("images=customer:acme,template:thumbs,results:done; a.b=customers:acme|beta")
    assert rules["images"].template == "thumbs"
    assert rules["images"].dead_letters == "images.dead"
    assert rules["a.b"].customers == ("acme", "beta")


def test_rules_are_read_from_a_file(tmp_path):
    file = tmp_path / "topics.toml"
    file.write_text('[images]\ncustomer = "acme"\nbuckets = ["s3://in/a?region=eu-west-1"]\n')
    assert read_rules(str(file))["images"].buckets == ("s3://in/a?region=eu-west-1",)


@pytest.mark.parametrize(
    "text",
    [
        "images", "images=", "images=acme", "images=template:t", "images=customer:a,colour:red",
        "im ages=customer:a", "images=customer:a;images=customer:b",
        "images=customer:a,unknown:perhaps", "images=customer:a,results:r",
        "a=customer:x,dead_letters:b;b=customer:x", "a=customer:x,dead_letters:a",
        "a=customer:x,template:t,results:a", "/nowhere/topics.toml",
    ],
)  # fmt: skip
def test_a_wrong_rule_names_its_setting(text):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STREAM_TOPICS"):
        read_rules(text)


def test_bytes_with_headers():
    rule = TopicRule(customers=("acme",), tags=("stream",))
    wanted = open_envelope(
        message(name=b"b.png", customer=b"acme", tags=b"x,y", sha256=b"A" * 64), rule, MOST
    )
    assert wanted.name == "b.png"
    assert wanted.tags == ("stream", "x", "y")
    assert wanted.sha256 == "a" * 64
    assert wanted.data == b"data"


def test_names_are_the_key_or_the_place():
    rule = TopicRule(customer="acme")
    assert open_envelope(message(), rule, MOST).name == "a.png"
    assert open_envelope(message(key=b"\xff"), rule, MOST).name == "images-3-7"


def test_an_envelope():
    wanted = envelope(content_base64="ZGF0YQ==", name="n", tags=["t"], customer="acme")
    assert (wanted.data, wanted.name, wanted.tags) == (b"data", "n", ("t",))
    assert envelope(object="s3://b/k").place == "s3://b/k"


def test_json_is_told_by_its_header():
    rule = TopicRule(customer="acme")
    body = b'{"content_base64": "ZGF0YQ=="}'
    assert open_envelope(message(body), rule, MOST).data == body
    typed = message(body, content_type=b"application/json; charset=utf-8")
    assert open_envelope(typed, rule, MOST).data == b"data"
    never = TopicRule(customer="acme", format="binary")
    assert open_envelope(typed, never, MOST).data == body


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"content_base64": "a", "name": "x"}, {"content_base64": "####"},
        {"content_base64": "ZGF0YQ==", "object": "s3://a/b"},
        {"content_base64": "ZGF0YQ==", "owner": "somebody"}, {"content_base64": 7},
        {"content_base64": "ZGF0YQ==", "sha256": "abc"},
        {"content_base64": "ZGF0YQ==", "tags": ["a,b"]},
        {"content_base64": "ZGF0YQ==", "tags": [[[["a"]]]]},
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_refused(fields):
    with pytest.raises(InvalidInput):
        envelope(**fields)


@pytest.mark.parametrize("deep", ["[" * 200_000, '{"tags":' + "[" * 200_000, '{"a":' * 100_000])
def test_depth_does_no_harm(deep):
    rule = TopicRule(customer="acme", format="json")
    with pytest.raises(InvalidInput):
        open_envelope(message(deep.encode()), rule, 10 << 20)


def test_every_hostile_document_is_refused():
    folder = os.environ.get("MEDIAMILL_HOSTILE")
    if not folder:
        pytest.skip("MEDIAMILL_HOSTILE is not set")
    documents = [path.read_bytes() for path in sorted(Path(folder, "json").glob("*.json"))]
    assert len(documents) > 100
    rule = TopicRule(customer="acme", format="json")
    for document in documents:
        with pytest.raises(InvalidInput):
            open_envelope(message(document), rule, 10 << 20)


def test_too_large_an_envelope_is_not_even_read():
    with pytest.raises(LimitExceeded):
        envelope(content_base64="A" * 70_000)


def test_headers_that_are_no_text_are_refused():
    with pytest.raises(InvalidInput):
        open_envelope(message(name=b"\xff"), TopicRule(customer="acme"), MOST)
    with pytest.raises(InvalidInput):
        open_envelope(message(name=b"n" * 1001), TopicRule(customer="acme"), MOST)


@pytest.mark.parametrize(
    ("rule", "said", "whose"),
    [
        ({"customer": "acme"}, "", "acme"),
        ({"customer": "acme"}, "acme", "acme"),
        ({"customer": "acme"}, "beta", Forbidden),
        ({"customers": ["acme", "beta"]}, "beta", "beta"),
        ({"customers": ["acme", "beta"]}, "gamma", Forbidden),
        ({"customers": ["acme"]}, "", InvalidInput),
        ({"customer": "acme", "customers": ["beta"]}, "", "acme"),
        ({"customers": ["*"]}, "gamma", "gamma"),
    ],
)
def test_a_message_speaks_for_whom_its_topic_lets_it(rule, said, whose):
    given = message(customer=said.encode()) if said else message()
    if isinstance(whose, str):
        assert open_envelope(given, TopicRule(**rule), MOST).customer == whose
        return
    with pytest.raises(whose):
        open_envelope(given, TopicRule(**rule), MOST)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("s3://in/a/b.png", "b.png"), ("s3://in/a/c/d.png", "c/d.png"), ("s3://all/x", "x"),
        ("s3://in/ab/b.png", None), ("s3://in/a/../x", None), ("s3://in/a/%2e%2e/x", None),
        ("s3://in/a", None), ("s3://in/a/", None), ("s3://other/a/b", None),
        ("gs://in/a/b.png", None), ("s3://in/a/b?endpoint=http://169.254.169.254", None),
        ("s3://key:secret@in/a/b", None), ("http://169.254.169.254/latest", None),
        ("file:///etc/passwd", None), ("s3://in/a/b#c", None), ("/etc/passwd", None),
        ("s3://in/a//b", None), ("s3://[in/a", None), ("s3://in/a/\nb", None),
    ],
)  # fmt: skip
def test_objects_lie_where_the_topic_allows(address, key):
    rule = TopicRule(customer="acme", buckets=("s3://in/a?endpoint=https://ours", "s3://all"))
    if key is not None:
        assert allowed(address, rule)[1] == key
        return
    with pytest.raises(AddressRefused):
        allowed(address, rule)


@pytest.fixture
async def users():
    store = MemoryStore()
    yield Users(store)
    await store.close()


CREATE = TopicRule(customers=("*",), unknown="create")


async def test_a_customer_who_is_made_is_nobody_else(users):
    customers = Customers(users)
    acme = await customers.principal("Acme", CREATE)
    assert (await Customers(users).principal("acme", CREATE)).user == acme.user
    user = await users.get(acme.user)
    assert user.role is Role.USER
    assert user.password == ""
    assert "@" not in user.email  # so nobody registers, or signs in, as this one
    assert await users.store.get(Email, "first-user") is None


async def test_an_unknown_customer_is_refused_where_none_is_made(users):
    customers = Customers(users)
    for name in ("acme", "ann@example.org"):
        with pytest.raises(NotFound):
            await customers.principal(name, TopicRule(customer=name))


async def test_a_disabled_customer_is_refused(users):
    found = await Customers(users).principal("acme", CREATE)
    await users.store.transact(Update(User, (found.user,), set={"disabled": True}))
    with pytest.raises(Forbidden):
        await Customers(users).principal("acme", CREATE)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "stream:x", "ä", "-", "a" * 101, "a@", "x\0"])
def test_what_is_no_name_of_a_customer(name):
    with pytest.raises(MediamillError):
        address_of(name)
