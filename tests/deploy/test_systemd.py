"""The units of systemd: understood by it, hardened, with room to drain."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mediamill.cli.root import COMMANDS
from mediamill.cli.service.server import DRAIN_SECONDS
from mediamill.core.settings import PREFIX, Settings
from tests.support.daemons import program
from tests.support.images import ROOT

PLACE = ROOT / "deploy/systemd"
UNITS = sorted(PLACE.glob("*.service"))
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
EXPOSED = 2.0
"""The most that `systemd-analyze security` may find, of ten: sockets and namespaces we need."""


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze", "systemd"), *map(str, arguments)]
    variables = {**os.environ, "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)


def installed(folder: Path, unit: Path, *changes: tuple[str, str]) -> Path:
    """Put a unit into a folder as it would be installed, with a program that is there."""
    text = unit.read_text().replace("/opt/mediamill/bin/mediamill", "/bin/true")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / unit.name.replace("@.", "@8761.")
    path.write_text(text)
    return path


def exposure(path: Path) -> float:
    """Return what `systemd-analyze security` finds of a unit that need not be installed."""
    told = analyze("security", "--offline=true", "--no-pager", path).stdout
    return float(re.findall(r"exposure level for \S+: ([\d.]+)", told)[0])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_is_understood_and_hardened(unit, tmp_path):
    path = installed(tmp_path, unit)
    told = analyze("verify", "--man=no", path)
    ours = [line for line in told.stderr.splitlines() if path.name in line]
    assert (told.returncode, ours) == (0, []), told.stderr
    assert exposure(path) <= EXPOSED


@pytest.mark.parametrize(
    "change",
    [("NoNewPrivileges=yes", "NoNewPrivilege=yes"), ("Type=exec", "Type=executable"),
     ("ExecStart=/bin/true", "ExecStart=/gone/mediamill"), ("KillMode=mixed", "KillMode=some")],
    ids=lambda change: change[1],
)  # fmt: skip
def test_what_systemd_does_not_understand_is_found(change, tmp_path):
    """The planted faults."""
    path = installed(tmp_path, PLACE / "mediamill.service", change)
    told = analyze("verify", "--man=no", path)
    assert told.returncode or path.name in told.stderr


@pytest.mark.parametrize(
    "line", ["ProtectSystem=strict", "CapabilityBoundingSet=", "User=mediamill",
             "SystemCallArchitectures=native"],
)  # fmt: skip
def test_a_protection_that_is_gone_is_found(line, tmp_path):
    """The planted faults."""
    path = installed(tmp_path, PLACE / "mediamill.service", (f"{line}\n", "\n"))
    assert exposure(path) > EXPOSED


def values(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_starts_what_there_is_and_lets_it_drain(unit):
    said = values(unit)
    (command,) = said["ExecStart"]
    assert command.split()[1] in COMMANDS
    assert int(said["TimeoutStopSec"][0]) > DRAIN_SECONDS + 5
    assert said["KillMode"] == ["mixed"], "its slots are ended by the process, not beside it"
    assert said["Restart"] == ["on-failure"], "who was drained stays down"
    variables = {one.partition("=")[0] for line in said["Environment"] for one in line.split()}
    assert {name for name in variables if name.startswith(PREFIX)} <= SETTINGS
    assert said["EnvironmentFile"] == ["/etc/mediamill/mediamill.env"]


def test_all_units_are_protected_alike():
    differ = {"Description", "ExecStart", "Environment"}
    one, *others = [
        {name: value for name, value in values(unit).items() if name not in differ}
        for unit in UNITS
    ]
    assert all(other == one for other in others)


def test_the_file_of_settings_names_what_there_is():
    text = (PLACE / "mediamill.env").read_text()
    named = {*re.findall(rf"^(?:# )?({PREFIX}\w+)=", text, re.MULTILINE)}
    assert named <= SETTINGS
    assert "MEDIAMILL_PUBLIC_URL" in named


def test_commands_are_given_the_same_settings_as_the_units():
    """One file, which names the home, too; and no page has another one."""
    text = (PLACE / "mediamill.env").read_text()
    homes = {re.findall(r"MEDIAMILL_HOME=(\S+)", unit.read_text())[0] for unit in UNITS}
    assert {*re.findall(r"^MEDIAMILL_HOME=(.+)$", text, re.MULTILINE)} == homes
    for page in (ROOT / "docs").rglob("*.md"):
        named = {*re.findall(r"/etc/\S*mediamill\S*\.env\b", page.read_text())}
        assert named <= {"/etc/mediamill/mediamill.env"}, page
    kept = re.findall(r"\$\{file:(/[^}]+)\}", text)
    assert kept
    assert all(path.startswith("/etc/mediamill/") for path in kept), "units load no credentials"


def test_what_the_units_need_is_installed():
    page = (ROOT / "docs/how-to/self-hosting.md").read_text()
    (extras,) = re.findall(r"pip install 'mediamill\[([a-z0-9,]+)\]'", page)
    schemes = re.findall(r"=(postgresql|s3):", (PLACE / "mediamill.env").read_text())
    assert {*schemes} <= {*extras.split(",")}


def test_the_user_is_one_that_systemd_can_make(tmp_path):
    (tmp_path / "etc").mkdir()
    done = subprocess.run(
        [program("systemd-sysusers", "systemd"), f"--root={tmp_path}", PLACE / "sysusers.conf"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "mediamill:" in (tmp_path / "etc/passwd").read_text()


def allowed(unit: Path) -> set[str]:
    """Return the system calls that a unit's filter lets through, groups resolved."""
    told = analyze("syscall-filter", "--no-pager").stdout
    groups: dict[str, set[str]] = {}
    for line in told.splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), set())
        elif (name := line.strip()) and not name.startswith("#"):
            members.add(name)

    def resolved(name: str) -> set[str]:
        if not name.startswith("@"):
            return {name}
        return {call for inner in groups[name] for call in resolved(inner)}

    (names,) = values(unit)["SystemCallFilter"]
    # what starts a program is let through whatever is listed
    return {call for name in ["@default", *names.split()] for call in resolved(name)}


@pytest.mark.image
def test_the_service_makes_no_call_that_the_units_forbid(tmp_path):
    """A clip becomes frames in a real service, with its slots; strace says what was called."""
    counted = tmp_path / "calls"
    command = [
        program("strace", "strace"), "-f", "-c", "-o", counted,
        sys.executable, "-m", "mediamill", "demo",
    ]  # fmt: skip
    variables = {**os.environ, "MEDIAMILL_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [*map(str, command)], cwd=tmp_path, env=variables, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = (line.split() for line in counted.read_text().splitlines()[2:])
    called = {row[-1] for row in rows if row and row[-1].isidentifier()} - {"total"}
    assert {"execve", "openat", "landlock_restrict_self"} <= called
    for unit in UNITS:
        assert called <= allowed(unit)
    # planted: a filter that lets less through
    assert not called <= allowed(UNITS[0]) - {"landlock_restrict_self"}
