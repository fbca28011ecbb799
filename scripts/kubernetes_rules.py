"""Write the alerts as the Prometheus operator takes them: `python scripts/kubernetes_rules.py`.

`deploy/prometheus/alerts.yml` is where they are changed; `--check` says whether what lies in
`deploy/kubernetes/monitoring/rules.yaml` is made of it.
"""

import sys
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
ALERTS = DEPLOY / "prometheus/alerts.yml"
RULES = DEPLOY / "kubernetes/monitoring/rules.yaml"
HEAD = """\
# Written by scripts/kubernetes_rules.py from deploy/prometheus/alerts.yml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mediamill
spec:
"""


def main(arguments: list[str]) -> int:
    """Write the file, or compare it; 1 when it is another."""
    made = written(ALERTS.read_text())
    if "--check" not in arguments:
        RULES.write_text(made)
        return 0
    same = RULES.is_file() and RULES.read_text() == made
    if not same:
        print(f"{RULES.name} is not made of {ALERTS.name}: python {sys.argv[0]}", file=sys.stderr)
    return int(not same)


def written(alerts: str) -> str:
    """Return the resource with the groups of a file of rules, which is indented below it."""
    lines = (f"  {line}" if line.strip() else "" for line in alerts.splitlines())
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
