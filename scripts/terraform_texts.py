"""Read CloudFormation's templates, and tell what they say in the words of Terraform's.

Texts become templates of Terraform's (`templatestring`): `!Ref Table` is `${Table}`, `!GetAtt
Table.Arn` is `${Table_Arn}`, `!Ref AWS::Region` is `${Region}`, and `!If` between two texts is
`%{ if HasEndpoint }…%{ else }…%{ endif }`. An `!If` between anything else is an object `{If, Then,
Else}`, of which Terraform takes one; null stands for `AWS::NoValue`.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the long ones."""


def _short(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    raise ValueError(f"what is after !{suffix}?")


Loader.add_multi_constructor("!", _short)


def loaded(path: Path) -> dict[str, Any]:
    """Return a template with its functions in their long form."""
    found: dict[str, Any] = yaml.load(path.read_text(), Loader)  # noqa: S506 - a safe loader's child
    return found


def literal(text: str) -> str:
    """Return a text as one of Terraform's templates that says the same."""
    return text.replace("${", "$${").replace("%{", "%%{")


def named(name: str) -> str:
    """Return what Terraform calls a parameter, a resource or its attribute."""
    return "${" + re.sub(r"\W+", "_", name.removeprefix("AWS::")) + "}"


def translated(node: Any) -> Any:
    """Return a part of a template without CloudFormation's functions."""
    if isinstance(node, dict):
        if len(node) == 1 and (told := _function(*next(iter(node.items())))) is not _NONE:
            return told
        return {key: translated(value) for key, value in node.items()}
    if isinstance(node, list):
        return [translated(one) for one in node]
    return literal(node) if isinstance(node, str) else node


_NONE = object()


def _function(name: str, given: Any) -> Any:
    if name in FUNCTIONS:
        return FUNCTIONS[name](given)
    return {name: translated(given)} if name.startswith("Fn::") else _NONE


def _substituted(given: Any) -> str:
    text, values = given if isinstance(given, list) else (given, {})

    def one(found: re.Match[str]) -> str:
        if found[1].startswith("!"):
            return "$${" + found[1][1:] + "}"
        return str(translated(values[found[1]])) if found[1] in values else named(found[1])

    return re.sub(r"\$\{([^}]+)\}", one, text.replace("%{", "%%{"))


def _joined(between: str, parts: Any) -> Any:
    told = translated(parts)
    if isinstance(told, list) and all(isinstance(one, str) for one in told):
        return literal(between).join(told)
    if isinstance(told, str):  # a parameter that is a list
        return told.removesuffix("}") + "_joined}"
    return {"Fn::Join": [between, told]}


def _selected(index: Any, parts: Any) -> Any:
    """Return `!Select [1, !Split ["/", !Ref Cluster]]` as `${Cluster_part1}`."""
    inner = parts.get("Fn::Split", [None, parts])[1] if isinstance(parts, dict) else parts
    if isinstance(inner, dict) and isinstance(told := translated(inner), str):
        return told.removesuffix("}") + f"_part{index}}}"
    return {"Fn::Select": [index, translated(parts)]}


def _either(condition: str, true: Any, false: Any) -> Any:
    then, otherwise = translated(true), translated(false)
    if all(isinstance(one, str | int) for one in (then, otherwise)):
        return f"%{{ if {condition} }}{then}%{{ else }}{otherwise}%{{ endif }}"
    return {"If": condition, "Then": then, "Else": otherwise}


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "Ref": lambda given: None if given == "AWS::NoValue" else named(given),
    "Fn::GetAtt": lambda given: named(".".join(given) if isinstance(given, list) else given),
    "Fn::Sub": _substituted,
    "Fn::Join": lambda given: _joined(*given),
    "Fn::Select": lambda given: _selected(*given),
    "Fn::If": lambda given: _either(*given),
}
"""How each of CloudFormation's functions is told; others are left as they are."""
