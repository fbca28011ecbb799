"""What the options of a move mean beside the settings: which bytes go where, what is set later."""

import pytest

from mediamill.blobs.keys import RESULTS
from mediamill.core.errors import ConfigurationError
from mediamill.core.settings import Settings
from mediamill.core.urls import shown
from mediamill.moving.places import Places, Targets

ONE = "s3://one/a?region=eu-west-1"
TWO = "s3://two/a?region=eu-west-1"


def settings(tmp_path, **more: str) -> Settings:
    return Settings(home=tmp_path, **more)


def routed(places: Places, key: str) -> list[str]:
    return [route.target for route in places.routes if route.takes(key)]


@pytest.mark.embedded("it names its own places")
@pytest.mark.parametrize(
    ("to", "originals", "results", "later"),
    [
        (Targets(blobs=ONE), [ONE], [ONE], {"MEDIAMILL_BLOBS_URL": ONE}),
        (Targets(blobs=ONE, results=ONE), [ONE], [ONE], {"MEDIAMILL_BLOBS_URL": ONE}),
        (
            Targets(blobs=ONE, results=TWO),
            [ONE],
            [TWO],
            {"MEDIAMILL_BLOBS_URL": ONE, "MEDIAMILL_RESULTS_URL": TWO},
        ),
        (Targets(results=TWO), [], [TWO], {"MEDIAMILL_RESULTS_URL": TWO}),
    ],
)
def test_from_one_place_for_all_bytes(tmp_path, to, originals, results, later):
    places = Places(settings(tmp_path), to)
    assert routed(places, "files/file_1") == routed(places, "uploads/u/1-1") == originals
    assert all(routed(places, f"{prefix}/x") == results for prefix in RESULTS)
    assert places.afterwards() == later


@pytest.mark.embedded("it names its own places")
def test_from_two_places(tmp_path):
    here = settings(tmp_path, results_url=TWO)
    both = Places(here, Targets(blobs=ONE, results="s3://three"))
    assert [(route.target, route.results) for route in both.routes] == [
        (ONE, None), ("s3://three", None),
    ]  # fmt: skip
    originals = Places(here, Targets(blobs=ONE))
    assert [route.target for route in originals.routes] == [ONE]
    assert originals.afterwards() == {"MEDIAMILL_BLOBS_URL": ONE, "MEDIAMILL_RESULTS_URL": TWO}
    assert originals.staying.pop("MEDIAMILL_STORE_URL").startswith("sqlite:")
    assert originals.staying["MEDIAMILL_RESULTS_URL"] == TWO
    assert both.staying.keys() == {"MEDIAMILL_STORE_URL"}
    together = Places(here, Targets(blobs=ONE, results=ONE))
    assert [route.target for route in together.routes] == [ONE, ONE]


def test_a_password_is_not_shown(tmp_path):
    rest = "@db.example.org:5432/mill?sslmode=require"
    url = "postgresql://mill:se%40cret" + rest
    assert shown(url) == "postgresql://mill:***" + rest
    assert "cret" not in str(Places(settings(tmp_path), Targets(url)).afterwards())
    for plain in (
        "sqlite:////a/b.db",
        "s3://a/b?endpoint=http://127.0.0.1:1",
        "postgresql://a@b/c",
    ):
        assert shown(plain) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3://a/b", "s3://a/b/c"),
        ("s3://a", "s3://a/c?region=x"),
        ("s3://a/b?endpoint=http://h", "s3://a/b/?endpoint=http://h&checksum=none"),
        ("file:///a/b", "file://localhost/a/b"),
    ],
)
def test_a_place_in_another_is_the_same_place(tmp_path, one, other):
    for here, there in ((one, other), (other, one)):
        with pytest.raises(ConfigurationError, match="same place"):
            Places(settings(tmp_path, blobs_url=here), Targets(blobs=there))
    apart = settings(tmp_path, blobs_url="s3://a/b?endpoint=http://h")
    Places(apart, Targets(blobs="s3://a/b?endpoint=http://other"))
    Places(apart, Targets(blobs="s3://a/bc?endpoint=http://h"))
