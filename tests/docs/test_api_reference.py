"""The reference of the API names the errors that routes raise, and where no token will do."""

import sys

import pytest
from fastapi.routing import iter_route_contexts

from mediamill.core.errors import Conflict, Gone, NotFound, Throttled
from mediamill.web.app import routes
from mediamill.web.views.common import Listed
from tests.docs.blocks import DOCS, ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import api_errors

PAGE = (DOCS / "reference/api.md").read_text()
SECTIONS = dict(part.split("\n", 1) for part in PAGE.split("\n### ")[1:])


class Below:
    """Something that is called."""

    def find(self) -> None:
        raise Gone("Gone.")

    def told(self) -> None:
        """Do nothing; raises `Throttled`."""


class Above:
    """Something that calls it."""

    def __init__(self, below: Below) -> None:
        self.other = self.below = below

    def act(self) -> None:
        self.below.find()
        self.other.told()

    def caught(self) -> None:
        try:
            self.below.find()
        except NotFound:
            raise Conflict("Taken.") from None


@pytest.mark.parametrize(("name", "found"), [("act", {Gone, Throttled}), ("caught", {Conflict})])
def test_errors_are_found_where_they_are_raised(name, found, monkeypatch):
    monkeypatch.setattr(api_errors, "PACKAGE", __name__.partition(".")[0])
    assert api_errors.raised(getattr(Above, name), Above) == found


@pytest.mark.parametrize(
    ("route", "code"),
    [
        ("POST /v1/auth/register", "conflict"),
        ("POST /v1/auth/login", "unauthenticated"),
        ("POST /v1/auth/redeem", "unauthenticated"),
        ("GET /v1/links/{token}", "forbidden"),
        ("GET /v1/thumbnails/{token}", "forbidden"),
        ("PATCH /v1/files/{file_id}", "outdated"),
        ("PATCH /v1/uploads/{upload_id}", "locked"),
        ("POST /v1/files", "quota_exceeded"),
        ("POST /v1/admin/users", "confirmation_needed"),
    ],
)
def test_what_a_route_was_seen_to_answer_is_named(route, code):
    assert f"errors.md#{code})" in SECTIONS[route]


def test_where_no_token_will_do_none_is_shown():
    marked = {name for name, text in SECTIONS.items() if "$SESSION" in text}
    asked = {
        f"{method} {route.path_format}"
        for route in iter_route_contexts(routes())
        for method in route.methods or ()
        if "confirmation_needed" in api_errors.codes_of(route.dependant)
    }
    # changing one's address alone takes a session; what is beside it does not
    assert {one for one in asked if one in SECTIONS} - marked <= {"PATCH /v1/me", "POST /v1/tokens"}
    assert {"POST /v1/auth/confirm", "DELETE /v1/me", "POST /v1/admin/invitations"} <= marked


def test_the_head_of_the_page_tells_how_lists_go_on():
    assert ", ".join(f"`{name}`" for name in ("data", "has_more")) + " and `after`" in PAGE
    assert [*Listed.model_fields] == ["data", "has_more", "after"]
