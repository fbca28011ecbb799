"""The bill of materials: valid CycloneDX, and all that the locks and the pages name."""

import hashlib
import json
import tomllib

import pytest
import sbom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from locked import extras, locked, on_linux, read, with_extras

from tests.release.conftest import ROOT, TIME


@pytest.fixture(scope="module")
def bill(released):
    return json.loads(released.one("*.cdx.json").read_text())


@pytest.fixture(scope="module")
def validator():
    return JsonStrictValidator(SchemaVersion.V1_6)


def test_it_is_valid(bill, validator):
    assert validator.validate_str(json.dumps(bill)) is None


@pytest.mark.parametrize(
    "plant",
    [
        lambda bill: bill["components"][0]["hashes"][0].update(content="short"),
        lambda bill: bill["components"][0].update(scope="perhaps"),
        lambda bill: bill["components"][0].pop("name"),
        lambda bill: bill["components"][0].update(licence="MIT"),
        lambda bill: bill.update(serialNumber="urn:uuid:1"),
    ],
)
def test_one_that_is_not_valid_would_be_found(bill, validator, plant):
    wrong = json.loads(json.dumps(bill))
    plant(wrong)
    assert validator.validate_str(json.dumps(wrong)) is not None


def test_it_has_each_locked_library_with_its_files(bill):
    listed = {one["bom-ref"]: one for one in bill["components"]}
    wanted = [one for one in read("backends") if on_linux(one)]
    assert listed.keys() == {sbom.reference(one) for one in wanted}
    assert len(listed) == len(bill["components"]) > 80
    for one in wanted:
        component = listed[sbom.reference(one)]
        assert {told["content"] for told in component["hashes"]} == set(one.hashes) != set()
        assert component["licenses"][0]["expression"]


def test_what_all_need_is_required_and_what_extras_bring_optional(bill):
    scopes = {one["name"]: one["scope"] for one in bill["components"]}
    assert scopes["fastapi"] == scopes["pydantic-core"] == "required"
    assert scopes["psycopg"] == scopes["aiobotocore"] == "optional"
    told = {one["name"]: one.get("properties", []) for one in bill["components"]}
    assert {"name": "mediamill:extra", "value": "postgresql"} in told["psycopg"]
    assert told["fastapi"] == []


def test_it_has_what_others_made_inside_the_wheel(bill, released):
    bundle, passwords = bill["metadata"]["component"]["components"]
    manifest = json.loads((released.tree / sbom.VENDOR / "manifest.json").read_text())
    assert {part["name"] for part in bundle["components"]} == manifest["packages"].keys()
    assert bundle["hashes"][0]["content"] == manifest["sha256"]["uppy.js"]
    content = (released.tree / sbom.PASSWORDS).read_bytes()
    assert passwords["hashes"][0]["content"] == hashlib.sha256(content).hexdigest()


def test_dependencies_are_known_and_all_are_reached(bill):
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    known = {one["bom-ref"] for one in bill["components"]}
    reached, waiting = set(), [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        if (ref := waiting.pop()) not in reached:
            reached.add(ref)
            waiting += needs[ref]
    assert reached - {bill["metadata"]["component"]["bom-ref"]} == known


def test_the_serial_number_is_of_the_content(released):
    first, again = sbom.written(released.tree, TIME), sbom.written(released.tree, TIME)
    assert first == again
    later = json.loads(sbom.written(released.tree, TIME + 1))
    assert later["serialNumber"] != json.loads(first)["serialNumber"]


def test_a_lock_file_is_read_whole():
    one, two = locked(
        "Some_Thing[x]==1.0 ; sys_platform == 'win32' \\\n"
        f"    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
        "    # via\n    #   mediamill (pyproject.toml)\n    #   Other.Thing\n"
        f"two==2 \\\n    --hash=sha256:{'c' * 64}\n    # via some-thing\n"
    )
    assert (one.name, one.version, one.hashes) == ("some-thing", "1.0", ("a" * 64, "b" * 64))
    assert one.needed_by == ("mediamill", "other-thing")
    assert not on_linux(one)
    assert (two.marker, two.needed_by) == ("", ("some-thing",))
    assert on_linux(two)


def test_extras_bring_what_the_project_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras().keys() == project["optional-dependencies"].keys()
    brought = with_extras()
    assert brought["psycopg-binary"] == ["postgresql"]
    assert brought["fastapi"] == []
    assert all(brought[one.name] == [] for one in read("runtime"))
