"""Write the dashboards of deploy/grafana from the panels below.

`python scripts/dashboards.py` writes them, `--check` tells which are out of date. Grafana 10 and 11
read this form (schema 39). Each dashboard asks which Prometheus it shows, and which processes.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT, SHORT = 24, 8, 4
HERE = 'job="mediamill",instance=~"$instance"'
ALL = 'job="mediamill"'
"""Of numbers that every server of the API shows alike: the largest is taken."""


@dataclass(frozen=True)
class Panel:
    """A graph, or one number (`stat`); each query with what its lines are called."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    stat: bool = False
    about: str = ""
    stacked: bool = False


def rate(metric: str, by: str = "", more: str = "") -> str:
    """Sum what a counter grew by in a second."""
    summed = f"sum by ({by}) " if by else "sum"
    return f"{summed}(rate({metric}{{{HERE}{more}}}[$__rate_interval]))"


def quantile(part: float, metric: str, by: str = "", more: str = "") -> str:
    """Tell under what time so large a part of a histogram was."""
    labels = ", ".join(filter(None, (by, "le")))
    summed = f"sum by ({labels}) (rate({metric}_bucket{{{HERE}{more}}}[$__rate_interval]))"
    return f"histogram_quantile({part}, {summed})"


def largest(metric: str, by: str = "", more: str = "") -> str:
    """Take what all servers tell alike."""
    return f"max{f' by ({by}) ' if by else ''}({metric}{{{ALL}{more}}})"


def grown(metric: str, by: str, time: str) -> str:
    """Tell what a counter that all servers show alike grew by in a time."""
    return f"max by ({by}) (increase({metric}{{{ALL}}}[{time}]))"


def growing(metric: str, by: str) -> str:
    """Tell what it grows by in a second."""
    return f"max by ({by}) (rate({metric}{{{ALL}}}[$__rate_interval]))"


def _taken(metric: str) -> str:
    return f"sum by (topic) ({growing(metric, PARTITION)})"


PARTITION = "topic, partition"
ENDS = f"mediamill_certificate_expires_timestamp_seconds{{{ALL}}}"
SEEN = largest("mediamill_stream_seen_timestamp_seconds", PARTITION)
TAKEN = largest("mediamill_budget_taken_dollars")
IN_USE = f'sum by (instance) (mediamill_slots{{{HERE},state="busy"}})'
REQUESTS, SECONDS = "mediamill_http_requests_total", "mediamill_http_request_seconds"
FREE, SIZE = (f"mediamill_disk_{what}_bytes{{{HERE}}}" for what in ("free", "size"))
MEMORY = "mediamill_machine_memory_bytes"
BUSY = rate("mediamill_machine_cpu_seconds_total", "instance")
CPUS = f"sum by (instance) (mediamill_machine_cpus{{{HERE}}})"
AVAILABLE, TOTAL = (f'sum by (instance) ({MEMORY}{{{HERE},state="{state}"}})'
                    for state in ("available", "total"))  # fmt: skip
FAILED = rate("mediamill_items_total", "operation", ',outcome="failed"')
NO_HEALTH = ',route!~"/health/.*"'
SERVER = NO_HEALTH + ',status=~"5.."'

DASHBOARDS: dict[str, tuple[str, Sequence[Panel]]] = {
    "overview": (
        "Mediamill: overview",
        [
            Panel(
                "Processes that are ready",
                [(f"sum(mediamill_ready{{{HERE}}})", "ready")],
                stat=True,
            ),
            Panel("Requests a second", [(rate(REQUESTS), "requests")], "reqps", stat=True),
            Panel(
                "Failed requests a second",
                [(rate(REQUESTS, more=SERVER), "5xx")],
                "reqps",
                stat=True,
            ),
            Panel(
                "Workers that work",
                [(largest("mediamill_workers", more=',state="running"'), "workers")],
                stat=True,
            ),
            Panel(
                "Longest wait",
                [(largest("mediamill_units_waiting_seconds"), "waits")],
                "s",
                stat=True,
            ),
            Panel(
                "Days of the certificate",
                [(f"(min({ENDS}) - time()) / 86400", "days")],
                "d",
                stat=True,
            ),
            Panel(
                "Traffic: requests by route",
                [(f"topk(12, {rate(REQUESTS, 'route')})", "{{route}}")],
                "reqps",
                stacked=True,
            ),
            Panel(
                "Errors: by route and status",
                [(rate(REQUESTS, "route, status", ',status=~"5..|499"'), "{{route}} {{status}}")],
                "reqps",
            ),
            Panel(
                "Time: all routes",
                [
                    (quantile(part, SECONDS), name)
                    for part, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))
                ],
                "s",
            ),
            Panel(
                "Time: 99 % by route",
                [(f"topk(12, {quantile(0.99, SECONDS, 'method, route')})", "{{method}} {{route}}")],
                "s",
            ),
            Panel("Saturation: processors", [(f"{BUSY} / {CPUS}", "{{instance}}")], "percentunit"),
            Panel(
                "Saturation: memory in use",
                [(f"1 - {AVAILABLE} / {TOTAL}", "{{instance}}")],
                "percentunit",
            ),
            Panel(
                "Saturation: disks in use",
                [(f"1 - {FREE} / {SIZE}", "{{instance}} {{place}}")],
                "percentunit",
            ),
            Panel(
                "Saturation: slots in use",
                [(f"{IN_USE} / sum by (instance) (mediamill_slots{{{HERE}}})", "{{instance}}")],
                "percentunit",
            ),
            Panel(
                "Memory of processes",
                [(f"process_resident_memory_bytes{{{HERE}}}", "{{instance}}")],
                "bytes",
            ),
            Panel(
                "Descriptors in use",
                [(f"process_open_fds{{{HERE}}} / process_max_fds{{{HERE}}}", "{{instance}}")],
                "percentunit",
            ),
            Panel(
                "Store: 99 % of calls",
                [(quantile(0.99, "mediamill_store_seconds", "operation"), "{{operation}}")],
                "s",
            ),
            Panel(
                "Store: errors, and what was asked again",
                [
                    (
                        rate("mediamill_store_errors_total", "operation, error"),
                        "{{operation}}: {{error}}",
                    ),
                    (rate("mediamill_store_retries_total", "reason"), "again: {{reason}}"),
                ],
                "ops",
            ),
            Panel(
                "Bytes that come in",
                [
                    (rate("mediamill_upload_bytes_total"), "through the API"),
                    (rate("mediamill_direct_upload_bytes_total"), "to the bucket"),
                ],
                "Bps",
            ),
            Panel("Versions", [(f"count by (version) (mediamill_info{{{HERE}}})", "{{version}}")]),
        ],
    ),
    "work": (
        "Mediamill: work",
        [
            Panel("Open jobs", [(largest("mediamill_open_jobs"), "jobs")], stat=True),
            Panel(
                "Kept",
                [(f"sum({largest('mediamill_kept_bytes', 'what')})", "bytes")],
                "bytes",
                stat=True,
            ),
            Panel("Files", [(largest("mediamill_kept_files"), "files")], stat=True),
            Panel("Accounts", [(largest("mediamill_accounts"), "accounts")], stat=True),
            Panel(
                "Age of the last backup, and export of figures",
                [
                    (f"time() - {largest('mediamill_backup_timestamp_seconds')}", "backup"),
                    (
                        f"time() - {largest('mediamill_analytics_export_timestamp_seconds')}",
                        "export",
                    ),
                ],
                "s",
                stat=True,
            ),
            Panel(
                "Files that are overdue",
                [(f"sum({largest('mediamill_retention_overdue_files', 'source')})", "files")],
                stat=True,
            ),
            Panel(
                "Units that are ready",
                [(largest("mediamill_units", "class", ',state="ready"'), "{{class}}")],
                stacked=True,
                about="500 is the most that is counted of a class.",
            ),
            Panel(
                "Units that run",
                [(largest("mediamill_units", "class", ',state="running"'), "{{class}}")],
                stacked=True,
            ),
            Panel(
                "How long the oldest has waited",
                [(largest("mediamill_units_waiting_seconds", "class"), "{{class}}")],
                "s",
            ),
            Panel("Workers", [(largest("mediamill_workers", "state"), "{{state}}")], stacked=True),
            Panel(
                "Units that ended",
                [(rate("mediamill_unit_seconds_count", "kind"), "{{kind}}")],
                "ops",
                stacked=True,
            ),
            Panel(
                "Units that did not end well",
                [
                    (
                        rate("mediamill_unit_seconds_count", "kind, outcome", ',outcome!="done"'),
                        "{{kind}}: {{outcome}}",
                    )
                ],
                "ops",
            ),
            Panel(
                "Time of units, 95 %",
                [(quantile(0.95, "mediamill_unit_seconds", "kind"), "{{kind}}")],
                "s",
            ),
            Panel(
                "Leases that ran out",
                [(rate("mediamill_unit_leases_expired_total", "class"), "{{class}}")],
                "ops",
            ),
            Panel(
                "Items",
                [(rate("mediamill_items_total", "operation"), "{{operation}}")],
                "ops",
                stacked=True,
            ),
            Panel(
                "Share of items that fail",
                [(f"{FAILED} / {rate('mediamill_items_total', 'operation')}", "{{operation}}")],
                "percentunit",
            ),
            Panel("Mails", [(rate("mediamill_mails_total", "outcome"), "{{outcome}}")], "ops"),
            Panel(
                "Events and webhooks",
                [(rate("mediamill_events_total", "channel, outcome"), "{{channel}}: {{outcome}}")],
                "ops",
            ),
            Panel(
                "What is kept",
                [(largest("mediamill_kept_bytes", "what"), "{{what}}")],
                "bytes",
                stacked=True,
            ),
            Panel(
                "What retention removed",
                [
                    (
                        growing("mediamill_retention_bytes_total", "source"),
                        "{{source}}",
                    )
                ],
                "Bps",
            ),
        ],
    ),
    "models": (
        "Mediamill: models",
        [
            Panel(
                "Spent today",
                [(largest("mediamill_spend_today_dollars"), "today")],
                "currencyUSD",
                stat=True,
            ),
            Panel(
                "Spent this month",
                [(f"sum({largest('mediamill_spend_month_dollars', 'provider')})", "month")],
                "currencyUSD",
                stat=True,
            ),
            Panel(
                "Of the budget",
                [
                    (
                        f"{TAKEN} / {largest('mediamill_budget_dollars')}",
                        "taken",
                    )
                ],
                "percentunit",
                stat=True,
            ),
            Panel(
                "Providers that rest",
                [(f"sum({largest('mediamill_provider_resting', 'provider')})", "rest")],
                stat=True,
            ),
            Panel(
                "Calls",
                [(rate("mediamill_model_calls_total", "provider"), "{{provider}}")],
                "ops",
                stacked=True,
            ),
            Panel(
                "Calls by what came of them",
                [
                    (
                        rate("mediamill_model_calls_total", "provider, outcome"),
                        "{{provider}}: {{outcome}}",
                    )
                ],
                "ops",
            ),
            Panel(
                "Time of calls, half",
                [(quantile(0.5, "mediamill_model_call_seconds", "provider"), "{{provider}}")],
                "s",
            ),
            Panel(
                "Time of calls, 95 %",
                [(quantile(0.95, "mediamill_model_call_seconds", "provider"), "{{provider}}")],
                "s",
            ),
            Panel(
                "Dollars an hour",
                [
                    (
                        f"3600 * {rate('mediamill_model_cost_dollars_total', 'provider')}",
                        "{{provider}}",
                    )
                ],
                "currencyUSD",
                stacked=True,
            ),
            Panel(
                "This month by provider",
                [(largest("mediamill_spend_month_dollars", "provider"), "{{provider}}")],
                "currencyUSD",
                stacked=True,
            ),
            Panel(
                "Calls that may be under way",
                [(largest("mediamill_provider_permits", "provider"), "{{provider}}")],
            ),
            Panel(
                "Who rests", [(largest("mediamill_provider_resting", "provider"), "{{provider}}")]
            ),
        ],
    ),
    "stream": (
        "Mediamill: stream",
        [
            Panel(
                "Messages that wait",
                [(f"sum({largest('mediamill_stream_behind_messages', PARTITION)})", "wait")],
                stat=True,
            ),
            Panel(
                "Longest since a look",
                [
                    (
                        f"time() - min({SEEN})",
                        "since",
                    )
                ],
                "s",
                stat=True,
            ),
            Panel(
                "Dead letters in a day",
                [
                    (
                        f"sum({grown('mediamill_stream_dead_letters_total', PARTITION, '1d')})",
                        "letters",
                    )
                ],
                stat=True,
            ),
            Panel(
                "Messages that wait, by partition",
                [
                    (
                        largest("mediamill_stream_behind_messages", PARTITION),
                        "{{topic}} {{partition}}",
                    )
                ],
            ),
            Panel(
                "Since the last look",
                [
                    (
                        f"time() - {largest('mediamill_stream_seen_timestamp_seconds', PARTITION)}",
                        "{{topic}} {{partition}}",
                    )
                ],
                "s",
            ),
            Panel(
                "Files that came in",
                [(_taken("mediamill_stream_files_total"), "{{topic}}")],
                "ops",
                stacked=True,
            ),
            Panel(
                "Dead letters",
                [(_taken("mediamill_stream_dead_letters_total"), "{{topic}}")],
                "ops",
            ),
        ],
    ),
}


def main() -> int:
    """Write every dashboard anew; with `--check` only tell what would change."""
    check = "--check" in sys.argv[1:]
    stale = [name for name in DASHBOARDS if not _written(name)]
    for name in stale:
        print(f"{name}.json {'is out of date: run scripts/dashboards.py' if check else 'written'}")
        if not check:
            (FOLDER / f"{name}.json").write_text(text_of(name))
    return 1 if check and stale else 0


def _written(name: str) -> bool:
    path = FOLDER / f"{name}.json"
    return path.exists() and path.read_text() == text_of(name)


def text_of(name: str) -> str:
    """Return a dashboard as its file has it."""
    return json.dumps(dashboard(name), indent=2, ensure_ascii=False) + "\n"


def dashboard(name: str) -> dict[str, Any]:
    """Make a dashboard."""
    title, panels = DASHBOARDS[name]
    return {
        "uid": f"mediamill-{name}",
        "title": title,
        "tags": ["mediamill"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "tags": ["mediamill"],
                "title": "Mediamill",
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": [*_variables()]},
        "annotations": {"list": []},
        "panels": [*_placed(panels)],
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    yield {
        "name": "instance", "label": "Processes", "type": "query", "datasource": SOURCE,
        "query": {"query": f"label_values(mediamill_info{{{ALL}}}, instance)", "refId": "A"},
        "refresh": 2, "includeAll": True, "multi": True, "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def _placed(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    """Lay single numbers in one row at the top, graphs two in a row."""
    stats = [panel for panel in panels if panel.stat]
    for place, panel in enumerate(stats):
        each = WIDTH // len(stats)
        yield _panel(panel, place * each, 0, each, SHORT, place)
    graphs = [panel for panel in panels if not panel.stat]
    for place, panel in enumerate(graphs):
        x, y = (place % 2) * WIDTH // 2, SHORT + place // 2 * HEIGHT
        yield _panel(panel, x, y, WIDTH // 2, HEIGHT, len(stats) + place)


def _panel(panel: Panel, x: int, y: int, width: int, height: int, place: int) -> dict[str, Any]:
    shown: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if not panel.stat:
        fill = {"fillOpacity": 30, "stacking": {"mode": "normal"}} if panel.stacked else {}
        shown["custom"] = {"lineWidth": 1, "fillOpacity": 0, **fill}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    tooltip = {"mode": "multi", "sort": "desc"}
    return {
        "id": place + 1,
        "title": panel.title,
        **({"description": panel.about} if panel.about else {}),
        "type": "stat" if panel.stat else "timeseries",
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        "fieldConfig": {"defaults": shown, "overrides": []},
        "options": {} if panel.stat else {"legend": legend, "tooltip": tooltip},
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": SOURCE, "expr": expr, "legendFormat": name}
            for n, (expr, name) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
