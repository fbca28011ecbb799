"""Where templates and scripts say something, and by which texts; read as a browser would."""

import re
from html.parser import HTMLParser

from jinja2 import nodes

from mediamill.web.pages.rendering import environment

GAP = "\ue000"
"""Stands for what is filled in."""
SAID = {"aria-label", "aria-description", "title", "placeholder", "alt", "label", "summary"}
"""Attributes that people read or hear."""
CODE = {"code", "kbd", "samp", "pre", "script", "style"}
"""Elements whose words are no language of people."""
NAMES = {"Mediamill", "SHA-256"}
KEYS = re.compile(
    r"(?:Arrow(?:Left|Right|Up|Down)|Page(?:Up|Down)|Enter|Escape|Tab|Home|End|Delete|Backspace"
    r"|Space|Shift|Control|Meta|Alt|Accept|(?:[A-Z][a-z]+-)+[A-Z][a-z]+|[A-Z][a-z]+(?:[A-Z][a-z]*)+"
    r"|Bearer|Date|Event|True|False|None)$"
)
"""Names of keys, headers, kinds of events and values of programs, which scripts compare with."""
_LETTERS = re.compile(r"[^\W\d_]{2}")
_SENTENCE = re.compile(r"^\W*[A-Z][a-z’]+(?:[ ,.!?:…]|$)")
_SMALL_WORDS = re.compile(
    r"(?:^|\s)(?:the|of|is|are|was|to|and|for|in|not|no|has|have|this|it|with|from|at|by|or|than|"
    r"only|left|selected|until|since|more|each)(?:[\s,.:]|$)"
)
_SPOKEN = re.compile(
    r"\.(?:textContent|innerText|title|placeholder|alt|ariaLabel)\s*\+?=(?!=)\s*"
    r"|\b(?:textContent|placeholder|alt)\"?:\s*|\"(?:aria-label|title)\":\s*"
    r"""|setAttribute\(\s*["'](?:aria-label|title|placeholder|alt)["'],\s*"""
    r"|\b(?:toast|new Option)\(\s*"
)
"""What comes before something that people read."""
_TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|(?P<template>`)"""
    r"""|(?P<regex>(?<=[=(,:!&|?{};\[\n])\s*/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/[a-z]*)""",
    re.DOTALL,
)


def sentence_like(text: str) -> bool:
    """Tell whether a literal of a program reads as language."""
    if KEYS.match(text):
        return False
    words = _without_names(text.replace("·", " "))
    return bool(_SENTENCE.match(words) or (" " in words and _SMALL_WORDS.search(words)))


# -- templates ----------------------------------------------------------------------------------


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.inside: list[str] = []
        self.found: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag, attributes):
        if tag not in {"input", "img", "br", "link", "meta", "hr", "source", "col", "wbr"}:
            self.inside.append(tag)
        for name, value in attributes:
            self.attributes.append(value or "")
            button = name == "value" and ("type", "submit") in attributes
            if name in SAID or button:
                self._note(value or "")

    def handle_endtag(self, tag):
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data):
        if not CODE & set(self.inside):
            self._note(data)

    def _note(self, text):
        rest = _without_names(text)
        if _LETTERS.search(rest):
            self.found.append(rest)


def _without_jinja(source: str) -> tuple[str, list[str]]:
    """Return a template as HTML, with a numbered gap for each expression, and the expressions."""
    held: list[str] = []
    source = re.sub(r"\{% block width %\}\w*\{% endblock %\}", "", source)  # names of classes

    def gap(match):
        if match[0].startswith("{{"):
            held.append(match[0])
            return f"{GAP}{len(held) - 1}{GAP}"
        return ""

    return re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", gap, source, flags=re.DOTALL), held


def literals_of_template(source: str) -> list[str]:
    """Return what a template says in its own words."""
    html, _ = _without_jinja(source)
    reader = _Reader()
    reader.feed(html)
    tree = environment.parse(source)
    asked = {id(node) for call, _, _ in _calls(tree) for node in call.find_all(nodes.Const)}
    constants = [
        node.value
        for node in tree.find_all(nodes.Const)
        if isinstance(node.value, str) and id(node) not in asked
    ]
    return reader.found + [text for text in constants if sentence_like(text)]


def in_attributes(source: str) -> set[str]:
    """Return the keys of texts that stand in attributes."""
    html, held = _without_jinja(source)
    reader = _Reader()
    reader.feed(html)
    gaps = [
        int(gap) for value in reader.attributes for gap in re.findall(rf"{GAP}(\d+){GAP}", value)
    ]
    return {key for gap in gaps for key in re.findall(r"""\bt\(\s*["']([\w.]+)""", held[gap])}


def asked_by_template(source: str) -> list[tuple[str | None, set[str]]]:
    """Return the texts that a template asks for, None for a key that it computes, and values."""
    return [(key, values) for _, key, values in _calls(environment.parse(source))]


def _calls(tree):
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "t":
            key = call.args[0]
            literal = key.value if isinstance(key, nodes.Const) else None
            yield call, literal, {one.key for one in call.kwargs}


# -- scripts ------------------------------------------------------------------------------------


def strings_of_script(source: str) -> list[str]:
    """Return the string literals of a script, with gaps for what is filled in."""
    found, place = [], 0
    while token := _TOKENS.search(source, place):
        place = token.end()
        if token["string"]:
            found.append(token["string"][1:-1])
        elif token["template"]:
            text, place = _template(source, place, found)
            found.append(text)
    return found


def _template(source, place, found):
    """Read a template literal from after its first backquote."""
    text = ""
    while source[place] != "`":
        if source[place] == "\\":
            text += source[place + 1]
            place += 2
        elif source.startswith("${", place):
            end = closing(source, place + 1)
            found += strings_of_script(source[place + 2 : end])
            text, place = text + GAP, end + 1
        else:
            text += source[place]
            place += 1
    return text, place + 1


def closing(source: str, opening: int) -> int:
    """Return where the bracket that opens at a place is closed."""
    pairs, depth, place = {"(": ")", "{": "}", "[": "]"}, 0, opening
    opens, closes = source[opening], pairs[source[opening]]
    while place < len(source):
        token = _TOKENS.match(source, place)
        if token and token["template"]:
            _, place = _template(source, token.end(), [])
            continue
        if token and not token["regex"]:
            place = token.end()
            continue
        depth += (source[place] == opens) - (source[place] == closes)
        if not depth:
            return place
        place += 1
    raise ValueError(source[opening : opening + 60])


def literals_of_script(source: str) -> list[str]:
    """Return what a script says in its own words: sentences anywhere, and all that is shown."""
    classes = set(re.findall(r"\bclass (\w+)", source))
    sentences = [it for it in strings_of_script(source) if sentence_like(it) and it not in classes]
    return sentences + _shown_by_script(source)


def _shown_by_script(source: str) -> list[str]:
    """Return literals with letters that stand where people read: in elements and notices."""
    spoken = [_expression(source, one.end()) for one in _SPOKEN.finditer(source)]
    for one in re.finditer(r"(?<!function )\bmade\(", source):
        place, end, arguments = one.end(), closing(source, one.end() - 1), []
        while place < end:
            arguments.append(_expression(source, place))
            place += len(arguments[-1]) + 1
        spoken += arguments[2:]
    literals = [it for one in spoken for it in strings_of_script(_without_calls(one))]
    return [it for it in literals if _LETTERS.search(_without_names(it))]


def _without_names(text):
    """Leave out what is filled in, and what has the same name in every language."""
    return re.sub(rf"{GAP}(?:\d+{GAP})?|\b(?:{'|'.join(NAMES)})\b", "", text).strip()


def _expression(source, place):
    """Return a script from a place to the end of what begins there."""
    start = place
    while place < len(source) and source[place] not in ",;)}]":
        token = _TOKENS.match(source, place)
        if token and token["template"]:
            _, place = _template(source, token.end(), [])
        elif token and not token["regex"]:
            place = token.end()
        elif source[place] in "([{":
            place = closing(source, place) + 1
        else:
            place += 1
    return source[start:place]


def _without_calls(expression):
    """Leave out what is compared, looked up, or given to functions: nobody reads that."""
    while call := re.search(r"(?:\w|\])\(|[\w\])]\[", expression):
        end = closing(expression, call.end() - 1)
        expression = expression[: call.end() - 1] + expression[end + 1 :]
    return re.sub(r"""\[[^\[\]]*\]\.map\b|[!=]==?\s*["'][^"']*["']""", "", expression)


def asked_by_script(source: str) -> list[tuple[str | None, set[str] | None]]:
    """Return the texts that a script asks for, None for a key that it computes, and values.

    Values are None where they come from elsewhere.
    """
    asked = []
    for call in re.finditer(r"(?<![\w.$])(?<!function )t\(", source):
        end = closing(source, call.end() - 1)
        inside = source[call.end() : end]
        key = re.match(r"""\s*["']([\w.]+)["']""", inside)
        values = inside[key.end() :].strip(" ,\n") if key else ""
        given = None if re.match(r"\w", values) else set(_names(values))
        asked.append((key and key[1], given))
    return asked


def _names(values):
    """Yield the names in an object that stands in a script: `{ count: n, name }`."""
    if not values.startswith("{"):
        return
    place, begins = 1, True
    while place < len(values) - 1:
        token = _TOKENS.match(values, place)
        if token and token["template"]:
            _, place = _template(values, token.end(), [])
        elif token and not token["regex"]:
            place = token.end()
        elif values[place] in "([{":
            place = closing(values, place) + 1
        elif begins and (name := re.match(r"\w+", values[place:])):
            yield name[0]
            begins, place = False, place + name.end()
        else:
            begins = values[place] == "," or (begins and values[place].isspace())
            place += 1
