"""The example of docs/reference/metrics.md is one that Prometheus takes."""

import re

import yaml

from tests.deploy.test_prometheus import PLACE, ROOT, promtool


def test_the_example_is_one_that_prometheus_takes(tmp_path):
    (shown,) = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs/reference/metrics.md").read_text(), re.DOTALL
    )
    said = yaml.safe_load(shown)
    assert [job["job_name"] for job in said["scrape_configs"]] == ["mediamill"]
    path = tmp_path / "prometheus.yml"
    path.write_text(shown.replace("/etc/prometheus/mediamill", str(PLACE)))
    checked = promtool("check", "config", path)
    assert checked.returncode == 0, checked.stderr
    assert "alerts.yml" in checked.stdout
