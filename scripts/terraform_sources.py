"""Write what Terraform and CloudFormation both say: `python scripts/terraform_sources.py [--check]`.

The templates of `infra/aws` are the one source: parameters and conditions, policies, variables of
functions, alarms, indexes, rules of lifecycles. Each module of `infra/terraform` has those of the
template of its name in `sources.tf` and `sources.json`, which this writes; what is written by hand
only says which resource takes what.

Texts become templates of Terraform's (`templatestring`): `!Ref Table` is `${Table}`, `!GetAtt
Table.Arn` is `${Table_Arn}`, `!Ref AWS::Region` is `${Region}`, and `!If` between two texts is
`%{ if HasEndpoint }…%{ else }…%{ endif }`. An `!If` between anything else is an object `{If, Then,
Else}`, of which Terraform takes one; null stands for `AWS::NoValue`. `@{Subnets}@` is a parameter
that is a list.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "infra/aws"
MODULES = ROOT / "infra/terraform/modules"


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the long ones."""


def _short(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _short)  # type: ignore[no-untyped-call]  # of types-PyYAML


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
    match name:
        case "Ref":
            return None if given == "AWS::NoValue" else named(given)
        case "Fn::GetAtt":
            return named(".".join(given) if isinstance(given, list) else given)
        case "Fn::Sub":
            return _substituted(given)
        case "Fn::Join":
            return _joined(*given)
        case "Fn::Select":
            return _selected(*given)
        case "Fn::If":
            return _either(*given)
        case _ if name.startswith("Fn::"):
            return {name: translated(given)}
    return _NONE


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


def source_of(path: Path) -> dict[str, Any]:
    """Return the resources of a template, as Terraform's module reads them."""
    return {
        name: {
            "Type": one["Type"],
            **({"Condition": one["Condition"]} if "Condition" in one else {}),
            **translated(one.get("Properties", {})),
        }
        for name, one in loaded(path)["Resources"].items()
        if one["Type"] != "AWS::CloudFormation::Stack"
    }


def written() -> dict[Path, str]:
    """Return what each file has to say."""
    whole = loaded(TEMPLATES / "template.yaml")
    files = {MODULES.parent / "sources.tf": declared(whole, "")}
    for folder in (folder for folder in sorted(MODULES.iterdir()) if folder.is_dir()):
        template = template_of(folder.name)
        source = json.dumps(source_of(template), indent=1, ensure_ascii=False) + "\n"
        for name, one in loaded(template).get("Parameters", {}).items():
            if _is_list(one):
                source = source.replace(f'"${{{name}}}"', f'"@{{{name}}}@"')
        files[folder / "sources.json"] = source
        files[folder / "sources.tf"] = declared(loaded(template), source)
    return files


def template_of(module: str) -> Path:
    """Return the template that a module is made from."""
    alarms = ROOT / "deploy/cloudwatch/alarms.yml"
    return alarms if module == "alarms" else TEMPLATES / f"{module}.yaml"


def declared(template: dict[str, Any], source: str) -> str:
    """Return variables for a template's parameters, and its conditions, in Terraform's language.

    `local.given` is what texts of `sources.json` are filled with, beside the module's resources;
    `local.here` has the resources whose conditions hold.
    """
    parameters = template.get("Parameters", {})
    name = {"Type": "String", "Description": "What names begin with."}
    wanted = {"Name": name if source else {**name, "Default": "mill"}} | parameters
    given = {f"{name}": _as_text(name, one) for name, one in wanted.items()}
    given["StackName"] = "var.name"
    for name in re.findall(r"\$\{(\w+)_joined\}", source):
        given[f"{name}_joined"] = f'join(",", var.{snake(name)})'
    for sign, name in _splits(template):
        for part in sorted(set(re.findall(rf"\$\{{{name}_part(\d)\}}", source))):
            given[f"{name}_part{part}"] = f'try(split("{sign}", var.{snake(name)})[{part}], "")'
    lines = [HEAD, *(_variable(name, one) for name, one in wanted.items()), PSEUDO]
    lines += ["locals {", *([SOURCE] if source else [])]
    conditions = template.get("Conditions", {})
    given |= {name: _expression(one, conditions, wanted) for name, one in conditions.items()}
    lines += ["  given = {"]
    lines += [f"    {name} = {value}" for name, value in (PSEUDO_VALUES | given).items()]
    lines += ["  }", "}", *_asserted(template.get("Rules", {}), conditions, wanted)]
    return _aligned("\n".join(lines) + "\n")


HEAD = """# Written by scripts/terraform_sources.py from the template of this name: change that instead.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
"""
PSEUDO = """data "aws_region" "here" {}
data "aws_partition" "here" {}
data "aws_caller_identity" "here" {}
"""
SOURCE = """  source = jsondecode(file("${path.module}/sources.json"))

  # a text that is nothing but a list becomes the list
  text = {
    for name, one in local.source : name => replace(
      replace(jsonencode(one), "\\"@{", "$${jsonencode("), "}@\\"", ")}"
    )
  }
  here = { for name, one in local.source : name => one if try(local.given[one.Condition], true) }
"""
PSEUDO_VALUES = {
    "AccountId": "data.aws_caller_identity.here.account_id",
    "Partition": "data.aws_partition.here.partition",
    "Region": "data.aws_region.here.name",
    "URLSuffix": "data.aws_partition.here.dns_suffix",
}


def snake(name: str) -> str:
    """Return a parameter's name as Terraform's variables are written."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _variable(name: str, parameter: dict[str, Any]) -> str:
    kind, default = parameter["Type"], parameter.get("Default")
    of_type, told = "string", json.dumps(default, ensure_ascii=False)
    if _is_switch(parameter):
        of_type, told = "bool", json.dumps(default in ("yes", "true"))
    elif kind == "Number":
        of_type = "number"
    elif _is_list(parameter):
        of_type = "list(string)"
        told = json.dumps([part for part in str(default or "").split(",") if part])
    lines = [
        f'variable "{snake(name)}" {{',
        f"  description = {json.dumps(literal(parameter['Description']), ensure_ascii=False)}",
        f"  type = {of_type}",
    ]
    if default is not None:
        lines.append(f"  default = {told}")
    if parameter.get("NoEcho"):
        lines.append("  sensitive = true")
    for rule, words in _rules(f"var.{snake(name)}", parameter):
        lines += ["", "  validation {", f"    condition = {rule}"]
        lines += [f"    error_message = {json.dumps(words)}", "  }"]
    return "\n".join([*lines, "}", ""])


def _is_list(parameter: dict[str, Any]) -> bool:
    return str(parameter["Type"]).startswith(("CommaDelimitedList", "List<"))


def _is_switch(parameter: dict[str, Any]) -> bool:
    return set(parameter.get("AllowedValues", ())) in ({"yes", "no"}, {"true", "false"})


def _rules(variable: str, parameter: dict[str, Any]) -> list[tuple[str, str]]:
    rules = []
    if (values := parameter.get("AllowedValues")) and not _is_switch(parameter):
        told = json.dumps(values)
        rules.append((f"contains({told}, {variable})", f"It must be one of {', '.join(map(str, values))}."))
    for word, sign in (("MinValue", ">="), ("MaxValue", "<=")):
        if word in parameter:
            rules.append((f"{variable} {sign} {parameter[word]}", f"It must be {sign} {parameter[word]}."))
    if pattern := parameter.get("AllowedPattern"):
        told = json.dumps(literal(pattern))
        words = " ".join(parameter.get("ConstraintDescription", f"must match {pattern}").split())
        rules.append((f"can(regex({told}, {variable}))", f"It {literal(words)}."))
    return rules


def _as_text(name: str, parameter: dict[str, Any]) -> str:
    """Return a variable as the template's parameter has it."""
    variable = f"var.{snake(name)}"
    if _is_switch(parameter):
        yes, no = ("yes", "no") if "yes" in parameter["AllowedValues"] else ("true", "false")
        return f'{variable} ? "{yes}" : "{no}"'
    return variable


def _expression(node: Any, conditions: dict[str, Any], parameters: dict[str, Any]) -> str:
    """Return a condition as an expression, with those that it names written out."""
    if isinstance(node, dict):
        ((name, given),) = node.items()
        match name:
            case "Fn::Equals":
                left, right = (_expression(one, conditions, parameters) for one in given)
                return f"{left} == {right}"
            case "Fn::Not":
                return f"!({_expression(given[0], conditions, parameters)})"
            case "Fn::And" | "Fn::Or":
                sign = " && " if name == "Fn::And" else " || "
                parts = (_expression(one, conditions, parameters) for one in given)
                return f"({sign.join(parts)})"
            case "Condition":
                return f"({_expression(conditions[given], conditions, parameters)})"
            case "Ref" if given in parameters:
                told = _as_text(given, parameters[given])
                number = parameters[given]["Type"] == "Number"
                return f"tostring({told})" if number else f"({told})" if " " in told else told
            case "Ref":
                return str(PSEUDO_VALUES[given.removeprefix("AWS::")])
            case "Fn::Join":
                return f"join({json.dumps(given[0])}, {_expression(given[1], conditions, parameters)})"
        raise ValueError(f"a condition has {name}: teach scripts/terraform_sources.py how")
    return json.dumps(literal(str(node)))  # CloudFormation compares texts


def _asserted(
    rules: dict[str, Any], conditions: dict[str, Any], parameters: dict[str, Any]
) -> Iterator[str]:
    """Yield a template's rules, as conditions of a resource that is nothing else."""
    if not rules:
        return
    yield from ("", 'resource "terraform_data" "rules" {', "  lifecycle {")
    for number, one in enumerate((rule, told) for rule in rules.values() for told in rule["Assertions"]):
        rule, told = one
        when = _expression(rule["RuleCondition"], conditions, parameters)
        yield from ("",) if number else ()
        yield "    precondition {"
        yield f"      condition = !({when}) || {_expression(told['Assert'], conditions, parameters)}"
        yield f"      error_message = {json.dumps(told['AssertDescription'])}"
        yield "    }"
    yield from ("  }", "}")


def _splits(template: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the parameters of which texts take a part, with what is between the parts."""
    pattern = r'\{"Fn::Split": \["(.)", \{"Ref": "(\w+)"\}\]\}'
    return sorted(set(re.findall(pattern, json.dumps(template))))


def _aligned(text: str) -> str:
    """Return it as `terraform fmt` has it: signs of neighbouring lines in one column."""
    lines, block = [], []
    for line in [*text.split("\n"), ""]:
        found = re.match(r"^(\s*)([\w]+) = (.*)$", line)
        if found and not line.endswith("{"):
            block.append(found.groups())
            continue
        wide = max((len(name) for _, name, _ in block), default=0)
        lines += [f"{space}{name:<{wide}} = {value}" for space, name, value in block]
        block = []
        lines.append(line)
    return "\n".join(lines[:-1])


def main() -> int:
    """Write the files, or say which are not what they should be: 1 if any."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--check", action="store_true", help="Write nothing")
    check = options.parse_args().check
    stale = [
        (path, text)
        for path, text in written().items()
        if not path.exists() or path.read_text() != text
    ]
    for path, text in stale:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is not what the template says: run scripts/terraform_sources.py.")
        else:
            path.write_text(text)
            print(f"{name} is written.")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
