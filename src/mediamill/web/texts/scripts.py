"""The texts that scripts of pages use, as one module that they import."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from mediamill.web.texts import Texts

VENDOR = "vendor"
"""The folder of scripts that others wrote."""
_USED = re.compile(r"""(?<![\w.$])t\(\s*(["'`])([\w.]+)\1""")
_BODY = """\
// The texts that scripts use, made when the service starts; texts/__init__.py says how they are.
const texts = %s;

export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return chosen(text, values).replace(/\\{\\{|\\}\\}|\\{(\\w+)\\}/g, (place, name) => {
    if (name === undefined) return place[0];
    if (!(name in values)) throw new Error(`the text ${key} wants ${name}`);
    const value = values[name];
    return Number.isInteger(value) ? value.toLocaleString("en") : String(value);
  });
}

function chosen(text, values) {
  if (typeof text === "string") return text;
  if ("one" in text && "other" in text) return values.count === 1 ? text.one : text.other;
  return text[values.which];
}
"""


def used_by(script: str) -> set[str]:
    """Return the keys that a script asks for, which it does by literals."""
    return {key for _, key in _USED.findall(script)}


def own_scripts(folder: Path) -> list[Path]:
    """Return the scripts that are ours."""
    return sorted(path for path in folder.rglob("*.js") if VENDOR not in path.parts)


def module(texts: Texts, keys: Iterable[str]) -> str:
    """Write the module; raises `KeyError` for a key that has no text."""
    held = {key: texts.all[key] for key in sorted(keys)}
    return _BODY % json.dumps(held, ensure_ascii=False, separators=(",", ":"))


def texts_module(texts: Texts, folder: Path) -> str:
    """Write the module for all scripts of a folder."""
    scripts = [path.read_text(encoding="utf-8") for path in own_scripts(folder)]
    return module(texts, set().union(*map(used_by, scripts)))
