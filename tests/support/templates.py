"""CloudFormation's templates as plain data, and as `aws cloudformation package` sends them.

`package` leaves templates as they are but for the addresses of nested ones; so does `packaged`,
which besides leaves out what the emulator does not have (`LEFT_OUT`).
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra/aws"
NESTED = "AWS::CloudFormation::Stack"
Template = dict[str, Any]

LEFT_OUT = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudTrail::Trail",
    "AWS::EC2::EIP",
    "AWS::EC2::FlowLog",
    "AWS::EC2::NatGateway",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::GuardDuty::Detector",
    "AWS::MSK::Cluster",
    "AWS::MSK::Configuration",
    "AWS::SecretsManager::RotationSchedule",
    "AWS::WAFv2::LoggingConfiguration",
}
"""Kinds of resources that the emulator's CloudFormation does not make."""


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the long ones."""


def _long(loader: Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if tag in {"Ref", "Condition"}:
        return {tag: value}
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{tag}": value}


Loader.add_multi_constructor("!", _long)


def read(path: Path) -> Template:
    """Read a template."""
    found: Template = yaml.load(path.read_text(), Loader)
    return found


def all_templates() -> dict[str, Template]:
    """Return the templates of `infra/aws` by their names."""
    return {path.stem: read(path) for path in sorted(FOLDER.glob("*.yaml"))}


def resources(kind: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the template's name, the resource's and the resource, of one kind or of all."""
    for stem, template in all_templates().items():
        for name, one in template["Resources"].items():
            if kind in {"", one["Type"]}:
                yield stem, name, one


Differ = Callable[[str, Template], None]
Send = Callable[[str, bytes], str]


def packaged(path: Path, send: Send, differ: Differ) -> str:
    """Send what a template nests, by name and content; return its text with the addresses.

    `send` returns the address; `differ` changes a template of a name to what the emulator needs.
    """
    template = read(path)
    for one in template["Resources"].values():
        if one["Type"] == NESTED:
            inner = (path.parent / one["Properties"]["TemplateURL"]).resolve()
            text = packaged(inner, send, differ).encode()
            name = f"{inner.stem}-{hashlib.sha256(text).hexdigest()[:16]}.template"
            one["Properties"]["TemplateURL"] = send(name, text)
    gone = {name for name, one in template["Resources"].items() if one["Type"] in LEFT_OUT}
    template["Resources"] = {
        name: _without(one, gone) for name, one in template["Resources"].items() if name not in gone
    }
    differ(path.stem, template)
    return json.dumps(template)


def _without(value: Any, gone: set[str]) -> Any:
    """Return a value whose references to what is left out are texts."""
    if isinstance(value, list):
        return [_without(one, gone) for one in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("Ref") in gone or next(iter(value.get("Fn::GetAtt", [])), None) in gone:
        return "left-out"
    kept = {key: _without(one, gone) for key, one in value.items()}
    if isinstance(needed := kept.get("DependsOn"), str) and needed in gone:
        del kept["DependsOn"]
    return kept
