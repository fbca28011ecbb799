"""What is generated is up to date, and the description is one that generators can use."""

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mediamill.client import connecting, routes
from mediamill.client.calling import Route
from mediamill.client.resources.base import operation, sequence
from mediamill.web.app import description

ROOT = Path(__file__).resolve().parents[2]
CLI = ROOT / "src/mediamill/cli"
HTTP = {"httpx", "requests", "urllib.request", "http.client"}
SPEAKING = {"health.py", "service/welcome.py", "service/examining.py"}
"""They look whether a service answers, and whether its certificate is good: no calls of the API."""


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_types_and_routes_are_up_to_date():
    for name, text in script("client_models").fresh().items():
        found = (ROOT / "src/mediamill/client" / name).read_text()
        assert found == text, f"{name} is out of date: run scripts/client_models.py"


def test_the_reference_is_up_to_date():
    reference = script("client_reference")
    assert reference.PAGE.read_text() == reference.page(), "run scripts/client_reference.py"


def test_every_noun_of_the_client_is_on_the_page():
    reference = script("client_reference")
    client = connecting.Mediamill("http://127.0.0.1:9")
    mine = {type(one) for one in vars(client).values() if hasattr(one, "_drive")}
    client.close()
    assert mine == set(reference.RESOURCES)
    for resource in mine:
        for name, call in vars(resource).items():
            if isinstance(call, operation | sequence):
                assert call.__doc__, f"{resource.__name__}.{name} says nothing of itself"


def parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from parts(one)


def test_names_of_schemas_are_names():
    schemas = description()["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"([A-Z][a-z0-9]*)+", name)] == []
    assert {"FileList", "UploadedView", "JobList"} <= set(schemas)
    for part in parts(description()):
        if isinstance(ref := part.get("$ref"), str):
            assert ref.rpartition("/")[2] in schemas


def test_whole_numbers_say_how_wide_they_are():
    numbers = [one for one in parts(description()) if one.get("type") == "integer"]
    assert len(numbers) > 100
    assert all(one.get("format") == "int64" for one in numbers)


def test_every_post_that_takes_a_key_gets_one():
    keyed = {name for name, one in vars(routes).items() if isinstance(one, Route) and one.keyed}
    assert {"submit_job", "upload_file", "create_project", "issue_token"} <= keyed
    assert not {"ask_again", "check_files", "login"} & keyed
    assert connecting.route_of("POST", "/v1/jobs").keyed
    assert connecting.route_of("POST", "/v1/jobs/job_1/retry?only=failed").keyed
    assert not connecting.route_of("POST", "/v1/captions/rerun").keyed
    assert not connecting.route_of("GET", "/v1/jobs").keyed


def test_both_clients_are_opened_alike():
    blocking, awaited = (inspect.signature(one) for one in (
        connecting.Mediamill, connecting.AsyncMediamill))  # fmt: skip
    assert blocking == awaited


def test_the_command_line_has_no_http_of_its_own():
    for path in CLI.rglob("*.py"):
        found = [*ast.walk(ast.parse(path.read_text()))]
        names = {one.name for node in found if isinstance(node, ast.Import) for one in node.names}
        names |= {node.module for node in found if isinstance(node, ast.ImportFrom)}
        if str(path.relative_to(CLI)) not in SPEAKING:
            assert not names & HTTP, path
