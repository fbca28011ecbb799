"""The web application as a whole: what it says of addresses and methods."""

import pytest


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/me", "DELETE, GET, PATCH"),
        ("POST", "/v1/files/file_00000000000000000000000000", "DELETE, GET, PATCH"),
        ("PUT", "/v1/files/delete", "POST"),
        ("DELETE", "/docs", "GET"),
    ],
)
async def test_a_method_that_is_not_taken_is_told_which_are(nobody, method, path, allowed):
    refused = await nobody.request(method, path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
