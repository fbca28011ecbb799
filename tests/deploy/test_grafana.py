"""Dashboards are those that the script writes, and every question in them can be asked."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.rules import wrong
from tests.deploy.test_prometheus import ROOT, promtool

PLACE = ROOT / "deploy" / "grafana"


def load():
    path = ROOT / "scripts" / "dashboards.py"
    spec = importlib.util.spec_from_file_location("dashboards", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


dashboards = load()


def filled(expr: str) -> str:
    """Return a query as Grafana asks it."""
    return expr.replace("$__rate_interval", "5m").replace("$instance", ".*")


@pytest.mark.parametrize("name", dashboards.DASHBOARDS)
def test_dashboards_are_written_and_ask_for_what_is_measured(name):
    made = json.loads((PLACE / "dashboards" / f"{name}.json").read_text())
    assert made == dashboards.dashboard(name), "run scripts/dashboards.py"
    assert [one["name"] for one in made["templating"]["list"]] == ["source", "instance"]
    assert len({panel["title"] for panel in made["panels"]}) == len(made["panels"])
    for panel in made["panels"]:
        assert panel["datasource"]["uid"] == "${source}"
        for target in panel["targets"]:
            assert [*wrong(target["expr"])] == [], panel["title"]
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            groups = re.findall(r"by \(([^()]*)\)", target["expr"])
            kept = {word.strip() for group in groups for word in group.split(",")}
            assert shown <= kept | {"instance", "place"}, panel["title"]


def test_panels_do_not_lie_upon_each_other():
    for name in dashboards.DASHBOARDS:
        taken = set()
        for panel in dashboards.dashboard(name)["panels"]:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken
            assert at["x"] + at["w"] <= dashboards.WIDTH
            taken |= cells


def test_prometheus_understands_every_question(tmp_path: Path):
    exprs = [
        filled(target["expr"])
        for name in dashboards.DASHBOARDS
        for panel in dashboards.dashboard(name)["panels"]
        for target in panel["targets"]
    ]
    rules = [{"record": f"a:{n}", "expr": expr} for n, expr in enumerate(exprs)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    checked = promtool("check", "rules", path)
    assert checked.returncode == 0, checked.stderr
    assert f"{len(exprs)} rules found" in checked.stdout
    rules[0]["expr"] = "sum by (mediamill_units"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    assert promtool("check", "rules", path).returncode != 0


def test_what_provisions_them_names_their_folder_and_a_prometheus():
    (provider,) = yaml.safe_load(
        (PLACE / "provisioning/dashboards/mediamill.yml").read_text()
    )["providers"]  # fmt: skip
    assert provider["options"]["path"] in (ROOT / "docs/reference/metrics.md").read_text()
    (source,) = yaml.safe_load(
        (PLACE / "provisioning/datasources/mediamill.yml").read_text()
    )["datasources"]  # fmt: skip
    assert source["type"] == "prometheus"
