"""`mediamill admin users erase` on the store of the settings, without a service."""

from tests.cli.conftest import Commands


def test_users_are_erased_and_kept(mediamill: Commands):
    mediamill.home.mkdir()
    for email, role in (("root@example.org", "admin"), ("ann@example.org", "user")):
        told = "a long enough secret\n"
        made = mediamill("admin", "users", "create", email, "--role", role, "--password-stdin",
                         told=told)  # fmt: skip
        assert made.returncode == 0, made.stderr
    erased = mediamill("admin", "users", "erase", "ann@example.org")
    assert erased.returncode == 0, erased.stderr
    assert erased.stdout.startswith("erasure_")
    kept = mediamill("admin", "users", "erase", "ann@example.org", "--undo")
    assert kept.stdout == "ann@example.org stays.\n", kept.stderr
    late = mediamill("admin", "users", "erase", "ann@example.org", "--undo")
    assert late.returncode != 0
    last = mediamill("admin", "users", "erase", "root@example.org")
    assert last.returncode != 0
    assert "last administrator" in last.stderr
