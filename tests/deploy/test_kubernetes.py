"""The manifests: by the schemas of Kubernetes, by its restricted profile, with what there is."""

import copy
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from mediamill.cli.service.server import DRAIN_SECONDS
from mediamill.core.settings import PREFIX, Settings
from tests.deploy.rules import wrong
from tests.support.images import DOCKERFILE, ROOT
from tests.support.kustomizing import containers, pod, rendered

PLACE = ROOT / "deploy/kubernetes"
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
PORTS = {
    int(port)
    for line in re.findall(r"^EXPOSE (.*)$", DOCKERFILE.read_text(), re.MULTILINE)
    for port in line.split()
}
OPERATORS = {
    "ScaledObject": (
        "keda.sh/v1alpha1",
        {"scaleTargetRef", "pollingInterval", "cooldownPeriod", "minReplicaCount",
         "maxReplicaCount", "fallback", "advanced", "triggers"},
    ),
    "PodMonitor": ("monitoring.coreos.com/v1", {"selector", "podMetricsEndpoints"}),
    "PrometheusRule": ("monitoring.coreos.com/v1", {"groups"}),
    "Gateway": ("gateway.networking.k8s.io/v1", {"gatewayClassName", "listeners"}),
    "HTTPRoute": ("gateway.networking.k8s.io/v1", {"parentRefs", "rules"}),
}  # fmt: skip
"""What is no part of Kubernetes: the version, and the fields of `spec` that we use."""

UNWANTED = {
    "automountServiceAccountToken": "is given a token of the cluster",
    "enableServiceLinks": "is given variables of services, whose names may be settings of ours",
}
"""What Kubernetes does unless it is told not to."""
PROBES = {
    "startupProbe": "/health/live", "livenessProbe": "/health/live",
    "readinessProbe": "/health/ready",
}  # fmt: skip


@pytest.fixture
def whole(tmp_path):
    """All of it: the example with every component that it names or could."""
    folder = tmp_path / "kubernetes"
    shutil.copytree(PLACE, folder)
    example = folder / "example/kustomization.yaml"
    example.write_text(example.read_text().replace("  # - ../ingest", "  - ../ingest"))
    return rendered(folder / "example")


def judged(documents, known=()):
    """Return what is wrong with a set of manifests; what is known is right, and not asked again."""
    found = []
    for document in documents:
        if document in known:
            continue
        name = f"{document['kind']} {document['metadata']['name']}"
        found += [f"{name}: {problem}" for problem in [*by_schema(document), *of_pod(document)]]
    return [*found, *selected(documents), *routed(documents)]


def by_schema(document):
    kind = document["kind"]
    if kind in OPERATORS:
        version, fields = OPERATORS[kind]
        if document["apiVersion"] != version or not document["spec"].keys() <= fields:
            yield "has fields that we do not know"
        return
    try:
        kubernetes_validate.validate(document, "1.37", strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"not by the schema: {error.message}"


def of_pod(document):
    spec = pod(document)
    if spec is None:
        return
    context = spec.get("securityContext", {})
    if not (context.get("runAsNonRoot") and context.get("runAsUser") == 10001):
        yield "may run as root"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has all system calls"
    yield from (told for flag, told in UNWANTED.items() if spec.get(flag) is not False)
    if not spec["terminationGracePeriodSeconds"] > DRAIN_SECONDS + 5:
        yield "is killed while it drains"
    for harmful in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(harmful):
            yield f"has {harmful}"
    volumes = {one["name"]: one for one in spec["volumes"]}
    if any("hostPath" in one for one in volumes.values()):
        yield "sees files of its machine"
    for container in containers(document):
        yield from of_container(container, volumes)


def of_container(container, volumes):
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "its root may be written"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "has capabilities"
    if not all(container["resources"].get(one) for one in ("requests", "limits")):
        yield "has no limits"
    if {one["name"] for one in container["volumeMounts"]} != volumes.keys():
        yield "mounts what is not there, or not what is"
    if not {"/var/lib/mediamill", "/tmp"} <= {
        one["mountPath"] for one in container["volumeMounts"]
    }:
        yield "has nowhere to write"
    if not re.search(r":\d+\.\d+\.\d+$|@sha256:", container["image"]):
        yield "its image is of no version"
    yield from of_ports(container)


def of_ports(container):
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    if not set(ports.values()) <= PORTS:
        yield "names a port that the image has not"
    for probe, path in PROBES.items():
        asked = container.get(probe, {}).get("httpGet", {})
        if asked.get("path") != path or asked.get("port") not in ports:
            yield f"{probe} asks nobody"


def selected(documents):
    """What selects, targets and is named must be there."""
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in documents if pod(one)]
    named = {(one["kind"], one["metadata"]["name"]) for one in documents}
    for document in documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        spec = document.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector") or {}
        labels = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
        if selector and not any(labels.items() <= one.items() for one in pods):
            yield f"{name}: selects nobody"
        for container in containers(document):
            for source in container["envFrom"]:
                if ("ConfigMap", source["configMapRef"]["name"]) not in named:
                    yield f"{name}: its settings are not there"
        if target := spec.get("scaleTargetRef"):
            yield from (f"{name}: {problem}" for problem in scaled(documents, target))


def routed(documents):
    """What a gateway lets in: whole bodies, under one name, and nobody to the numbers."""
    gateways = {one["metadata"]["name"]: one for one in documents if one["kind"] == "Gateway"}
    services = {
        (one["metadata"]["name"], port["port"])
        for one in documents if one["kind"] == "Service" for port in one["spec"]["ports"]
    }  # fmt: skip
    for route in (one["spec"] for one in documents if one["kind"] == "HTTPRoute"):
        for parent in route["parentRefs"]:
            listeners = gateways[parent["name"]]["spec"]["listeners"]
            if parent["sectionName"] not in {one["name"] for one in listeners}:
                yield "HTTPRoute: hears nobody"
        told = {
            match["path"]["value"]: [(one["name"], one["port"]) for one in rule["backendRefs"]]
            if "backendRefs" in rule else []
            for rule in route["rules"] for match in rule.get("matches", ())
        }  # fmt: skip
        if not {one for given in told.values() for one in given} <= services:
            yield "HTTPRoute: leads nowhere"
        if told.get("/") and told.get("/metrics", ["all that / leads to"]):
            yield "HTTPRoute: shows the numbers to the world"
        if any("backendRefs" in rule and "timeouts" not in rule for rule in route["rules"]):
            yield "HTTPRoute: ends what takes long"


def scaled(documents, target):
    wanted = (target.get("kind", "Deployment"), target["name"])
    there = [one for one in documents if (one["kind"], one["metadata"]["name"]) == wanted]
    if not there:
        yield "scales nobody"
    elif "replicas" in there[0]["spec"]:
        yield "somebody else says how many there are"


def test_the_manifests_are_right(whole):
    assert judged(whole) == []
    kinds = {document["kind"] for document in whole}
    assert kinds >= {
        "Deployment", "PodDisruptionBudget", "NetworkPolicy", "HorizontalPodAutoscaler",
        *OPERATORS,
    }  # fmt: skip


def of(documents, kind, name):
    (found,) = (one for one in documents if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


def worker_of(documents):
    return of(documents, "Deployment", "mediamill-worker")["spec"]


def inside(documents):
    return worker_of(documents)["template"]["spec"]


PLANTED = {
    "not by the schema": lambda d: worker_of(d).update(replcas=2),
    "may run as root": lambda d: inside(d)["securityContext"].pop("runAsNonRoot"),
    "variables of services": lambda d: inside(d).pop("enableServiceLinks"),
    "a token of the cluster": lambda d: inside(d).pop("automountServiceAccountToken"),
    "killed while it drains": lambda d: inside(d).update(terminationGracePeriodSeconds=30),
    "root may be written": lambda d: inside(d)["containers"][0]["securityContext"].pop(
        "readOnlyRootFilesystem"
    ),
    "has capabilities": lambda d: inside(d)["containers"][0]["securityContext"].pop("capabilities"),
    "readinessProbe asks nobody": lambda d: inside(d)["containers"][0]["readinessProbe"][
        "httpGet"
    ].update(port="http"),
    "has no limits": lambda d: inside(d)["containers"][0]["resources"].pop("limits"),
    "of no version": lambda d: inside(d)["containers"][0].update(image="mediamill"),
    "selects nobody": lambda d: of(d, "Service", "mediamill-api")["spec"]["selector"].update(a="b"),
    "shows the numbers": lambda d: of(d, "HTTPRoute", "mediamill")["spec"]["rules"].pop(0),
    "leads nowhere": lambda d: of(d, "Service", "mediamill-api")["spec"]["ports"][0].update(port=1),
    "ends what takes long": lambda d: of(d, "HTTPRoute", "mediamill")["spec"]["rules"][1].pop(
        "timeouts"
    ),
    "hears nobody": lambda d: of(d, "Gateway", "mediamill")["spec"]["listeners"].pop(),
    "somebody else says": lambda d: worker_of(d).update(replicas=2),
    "fields that we do not know": lambda d: of(d, "ScaledObject", "mediamill-worker")[
        "spec"
    ].update(maxReplicas=3),
}


@pytest.mark.parametrize("told", PLANTED)
def test_what_is_wrong_is_found(whole, told):
    """The planted faults."""
    documents = copy.deepcopy(whole)
    PLANTED[told](documents)
    assert any(told in problem for problem in judged(documents, known=whole))


def test_settings_are_ours_and_hold_no_secret(whole):
    (settings,) = (one["data"] for one in whole if one["kind"] == "ConfigMap")
    ours = {name: value for name, value in settings.items() if name.startswith(PREFIX)}
    assert ours.keys() <= SETTINGS
    Settings(**{name.removeprefix(PREFIX).lower(): value for name, value in ours.items()})
    files = {*re.findall(r"\$\{file:/run/secrets/mediamill/([a-z-]+)\}", " ".join(ours.values()))}
    guide = (ROOT / "docs/how-to/kubernetes.md").read_text()
    assert files == {*re.findall(r"--from-\w+=([a-z-]+)=", guide)}
    for text in ours.values():
        assert not re.search(r"://[^/@\s$]+:[^/@\s$]+@", text), "a password"
    for spec in filter(None, map(pod, whole)):
        (volume,) = (one for one in spec["volumes"] if one["name"] == "secrets")
        assert volume["secret"]["secretName"] == "mediamill"


def test_workers_are_counted_by_what_is_measured(whole):
    (trigger,) = of(whole, "ScaledObject", "mediamill-worker")["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    assert [*wrong(trigger["metadata"]["query"])] == []
    (slots,) = (
        one["value"]
        for one in inside(whole)["containers"][0]["env"]
        if one["name"] == "MEDIAMILL_SLOTS"
    )
    assert trigger["metadata"]["threshold"] == slots


def test_numbers_have_the_name_that_alerts_look_for(whole):
    ports = {}
    for document in whole:
        for container in containers(document):
            labels = document["spec"]["template"]["metadata"]["labels"]
            role = labels["app.kubernetes.io/component"]
            ports[role] = {one["name"] for one in container["ports"]}
    for name, roles in {
        "mediamill-api": ["api"],
        "mediamill-workers": ["worker", "ingest"],
    }.items():
        (endpoint,) = of(whole, "PodMonitor", name)["spec"]["podMetricsEndpoints"]
        assert all(endpoint["port"] in ports[role] for role in roles)
        (label,) = endpoint["relabelings"]
        assert (label["targetLabel"], label["replacement"]) == ("job", "mediamill")


def test_prometheus_finds_what_it_is_to_ask(whole):
    """By the label that the operator's usual chart looks for, on what the operator reads."""
    for document in whole:
        if document["kind"] in ("PodMonitor", "PrometheusRule"):
            assert document["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_alerts_are_those_of_prometheus(whole):
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    assert of(whole, "PrometheusRule", "mediamill")["spec"] == alerts
    script = ROOT / "scripts/kubernetes_rules.py"
    done = subprocess.run([sys.executable, script, "--check"], check=False)
    assert done.returncode == 0


def test_alerts_that_changed_alone_are_found(tmp_path):
    """The planted fault."""
    script = tmp_path / "scripts/kubernetes_rules.py"
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    script.parent.mkdir()
    shutil.copy(ROOT / "scripts/kubernetes_rules.py", script)
    with (tmp_path / "deploy/prometheus/alerts.yml").open("a") as alerts:
        alerts.write("# changed\n")
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, check=False)
    assert done.returncode == 1


def test_kubectl_comes_to_the_same(tmp_path):
    """Where there is one: the suite itself needs none."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl to compare with")
    done = subprocess.run(
        [kubectl, "kustomize", PLACE / "example"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    plain = re.sub(r"\b(mediamill-settings)-[a-z0-9]{10}\b", r"\1", done.stdout)

    def sorted_of(documents):
        return sorted(documents, key=lambda one: (one["kind"], one["metadata"]["name"]))

    assert sorted_of(yaml.safe_load_all(plain)) == sorted_of(rendered(Path(PLACE / "example")))
