"""What models that talk have in common: how a question is put to them.

What is asked about comes first, each part as its own block, then the instruction, which is ours or
the caller's: models do best so, and nothing of a file stands where instructions do. The `system`
text is the question's, never anything of a file.
"""

from typing import Annotated

import msgspec

from mediamill.adapters.providers.port import Kind, Question

GO_ON = (
    "Your answer was cut off. Go on exactly where it stopped, with the next character, and repeat "
    "nothing of it. Say nothing about this."
)
DESCRIBE = "Describe this picture in one sentence."
LONGEST_NAME = 200
"""Characters of names that servers give: they are among the keys of what was spent."""
Tokens = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
"""What a server may say that a call used: no model takes or makes more at once."""


def instruction_of(question: Question, *, schema_in_words: bool) -> str:
    """Return what is to be done, with the schema where it is not told otherwise."""
    text = question.instruction
    if not text and question.kind is Kind.CAPTION:
        text = DESCRIBE
    if question.schema is None or not schema_in_words:
        return text
    schema = msgspec.json.encode(question.schema).decode()
    told = "Answer with one JSON document that fits this JSON Schema, and nothing else:"
    return f"{text}\n\n{told}\n{schema}".lstrip()


def continuing(begun: str) -> str:
    """Return what was begun as a model may go on with it: without white space at its end."""
    return begun.rstrip()


def gone_on(begun: str, text: str) -> str:
    """Return what follows `begun`, which a model was given by `continuing`."""
    return text.lstrip() if begun != begun.rstrip() else text


def named(name: str | None) -> str:
    """Return a name that a server gives its model or a call, as a row takes it."""
    return "".join(filter(str.isprintable, (name or "")[:LONGEST_NAME]))


def strict(schema: object) -> bool:
    """Tell whether a schema is one that OpenAI's strict mode takes: all required, nothing more.

    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if isinstance(schema, list):
        return all(map(strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        names = schema.get("properties")
        if not isinstance(names, dict) or schema.get("additionalProperties") is not False:
            return False
        if set(schema.get("required", ())) != set(names):
            return False
    unknown = {"oneOf", "allOf", "not", "if", "patternProperties", "dependentRequired"}
    return not unknown & schema.keys() and all(map(strict, schema.values()))
