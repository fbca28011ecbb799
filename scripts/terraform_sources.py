"""Write what Terraform and CloudFormation both say.

`python scripts/terraform_sources.py [--check]`

The templates of `infra/aws` are the one source: parameters and conditions, policies, variables of
functions, alarms, indexes, rules of lifecycles. Each module of `infra/terraform` has those of the
template of its name in `sources.tf` and `sources.json`, which this writes; what is written by hand
only says which resource takes what.

`terraform_texts.py` says how texts are told; `@{Subnets}@` is a parameter that is a list.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from terraform_texts import literal, loaded, translated

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "infra/aws"
MODULES = ROOT / "infra/terraform/modules"


def source_of(path: Path) -> dict[str, Any]:
    """Return the resources of a template, as Terraform's module reads them."""
    return {
        name: {
            **({"Condition": one["Condition"]} if "Condition" in one else {}),
            **translated(one.get("Properties", {})),
            "Type": one["Type"],
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
        for parameter, one in loaded(template).get("Parameters", {}).items():
            if _is_list(one):
                source = source.replace(f'"${{{parameter}}}"', f'"@{{{parameter}}}@"')
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
    own = {"Type": "String", "Description": "What names begin with."}
    wanted = {"Name": own if source else own | NAME_OF_ALL} | parameters
    given = {name: (_filled if source else _as_text)(name, one) for name, one in wanted.items()}
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


NAME_OF_ALL = {
    "Default": "mill",
    "AllowedPattern": "[a-z][a-z0-9-]{0,27}",
    "ConstraintDescription": "has at most 28 small letters, digits and hyphens, as a bucket's does",
}
"""What the root's name is, where CloudFormation has its stack's."""
HEAD = """# Written by scripts/terraform_sources.py from the template of this name: change that.

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
        rules.append(
            (f"contains({told}, {variable})", f"It must be one of {', '.join(map(str, values))}.")
        )
    for word, sign in (("MinValue", ">="), ("MaxValue", "<=")):
        if word in parameter:
            rules.append(
                (f"{variable} {sign} {parameter[word]}", f"It must be {sign} {parameter[word]}.")
            )
    if pattern := parameter.get("AllowedPattern"):
        told = json.dumps(literal(f"^(?:{pattern})$"))  # CloudFormation's is the whole value's
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


def _filled(name: str, parameter: dict[str, Any]) -> str:
    """Return what a text of JSON is filled with: what a text may have in it, told as JSON does."""
    told = _as_text(name, parameter)
    if parameter["Type"] != "String" or _is_switch(parameter):
        return told
    return f'trimsuffix(trimprefix(jsonencode({told}), "\\""), "\\"")'


def _expression(node: Any, conditions: dict[str, Any], parameters: dict[str, Any]) -> str:
    """Return a condition as an expression, with those that it names written out."""
    if not isinstance(node, dict):
        return json.dumps(literal(str(node)))  # CloudFormation compares texts
    ((name, given),) = node.items()
    if name == "Ref":
        return _compared(given, parameters)
    if name == "Condition":
        return f"({_expression(conditions[given], conditions, parameters)})"
    parts = [
        _expression(one, conditions, parameters)
        for one in given
        if isinstance(one, dict | str | int)
    ]
    told = {
        "Fn::Equals": " == ".join(parts),
        "Fn::Not": f"!({parts[0]})",
        "Fn::And": f"({' && '.join(parts)})",
        "Fn::Or": f"({' || '.join(parts)})",
        "Fn::Join": f"join({', '.join(parts)})",
    }
    if name not in told:
        raise ValueError(f"a condition has {name}: teach scripts/terraform_sources.py how")
    return told[name]


def _compared(name: str, parameters: dict[str, Any]) -> str:
    """Return a parameter as a text, which is what CloudFormation compares."""
    if name not in parameters:
        return PSEUDO_VALUES[name.removeprefix("AWS::")]
    told = _as_text(name, parameters[name])
    if parameters[name]["Type"] == "Number":
        return f"tostring({told})"
    return f"({told})" if " " in told else told


def _asserted(
    rules: dict[str, Any], conditions: dict[str, Any], parameters: dict[str, Any]
) -> Iterator[str]:
    """Yield a template's rules, as conditions of a resource that is nothing else."""
    if not rules:
        return
    yield from ("", 'resource "terraform_data" "rules" {', "  lifecycle {")
    for number, one in enumerate(
        (rule, told) for rule in rules.values() for told in rule["Assertions"]
    ):
        rule, told = one
        when = _expression(rule["RuleCondition"], conditions, parameters)
        yield from ("",) if number else ()
        yield "    precondition {"
        asked = _expression(told["Assert"], conditions, parameters)
        yield f"      condition = !({when}) || {asked}"
        words = _in_terraforms_names(told["AssertDescription"], parameters)
        yield f"      error_message = {json.dumps(words)}"
        yield "    }"
    yield from ("  }", "}")


def _in_terraforms_names(words: str, parameters: dict[str, Any]) -> str:
    """Return a message with variables' names and values where a template's were."""
    for name in sorted(parameters, key=len, reverse=True):
        if _is_switch(parameters[name]):
            for no, yes in (("no", "yes"), ("false", "true")):
                words = words.replace(f"{name}={no}", f"{snake(name)} = false")
                words = words.replace(f"{name}={yes}", f"{snake(name)} = true")
        words = re.sub(rf"\b{name}=(\w+)", rf'{snake(name)} = "\1"', words)
        if re.search("[a-z][A-Z]", name):
            words = re.sub(rf"\b{name}\b", snake(name), words)
    return words


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
