"""Write the tables of docs/licences.md from what the packages themselves declare.

    python scripts/licences.py            write them
    python scripts/licences.py --check    tell what is out of date; 1 when something is

Both end with 1 when a licence is neither permissive nor an exception with its reason. What is read:
the metadata of each installed package that requirements/backends.txt names (`make .venv/.dev` has
them all), and the manifest of the scripts that our pages load.
"""

import json
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from locked import OURS, ROOT, Locked, on_linux, read, with_extras

PAGE = ROOT / "docs/licences.md"
MANIFEST = ROOT / "src/mediamill/web/static/vendor/manifest.json"

PERMISSIVE = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0",
    "MIT-CMU", "PSF-2.0", "Unlicense", "Zlib",
})  # fmt: skip
"""Identifiers of SPDX that ask for no more than to be named."""

EXCEPTIONS = {
    "certifi": ("MPL-2.0", "certificates of the web’s authorities: data that we do not change"),
    "psycopg": (
        "LGPL-3.0-only",
        "the client of PostgreSQL, in packages of its own, called through its public interface",
    ),
    "psycopg-binary": ("LGPL-3.0-only", "psycopg’s compiled half, in a package of its own"),
    "tqdm": ("MPL-2.0 AND MIT", "asked for by huggingface-hub; we call nothing of it"),
}
"""Package → its licence, and why it is taken all the same. Another licence of it is refused."""

DECLARED = {
    "apsw": ("Zlib", "“any-OSI”: any licence that the OSI approves, of which we take this one"),
    "async-timeout": ("Apache-2.0", "not installed: Python before 3.11.3 alone needs it"),
    "pypdfium2": (
        "Apache-2.0 OR BSD-3-Clause",
        "named in words; PDFium inside has parts under BSD-3-Clause, MIT, FreeType, IJG, zlib",
    ),
    "python-dateutil": ("Apache-2.0 OR BSD-3-Clause", "“Dual License”, told by its classifiers"),
}
"""Package whose metadata has no identifier → what its licence is, and how that is known."""

USES = {
    "aio-pika": "RabbitMQ",
    "aiobotocore": "AWS’s services",
    "aiosmtplib": "mail",
    "anyio": "tasks and streams",
    "apsw": "metadata, in the SQLite that it brings",
    "av": "video, by the FFmpeg that it brings",
    "botocore": "signing in to MSK",
    "certifi": "certificates of the web’s authorities",
    "charset-normalizer": "encodings of old text files",
    "click": "command line",
    "confluent-kafka": "Kafka, by the librdkafka that it brings",
    "cryptography": "sealing secrets",
    "duckdb": "SQL about figures",
    "fastapi": "API",
    "httpcore": "fetching, with pinned addresses",
    "httptools": "reading requests",
    "httpx": "HTTP",
    "huggingface-hub": "fetching models",
    "idna": "names of hosts",
    "jinja2": "pages and letters",
    "joserfc": "sign-in through an issuer",
    "jsonschema": "what models answer",
    "markdown-it-py": "showing what models answer",
    "msgspec": "records",
    "nats-py": "NATS",
    "numpy": "pixels",
    "obstore": "objects in buckets",
    "onnxruntime": "models on this machine",
    "opencv-python-headless": "pixels",
    "opentelemetry-exporter-otlp-proto-http": "traces",
    "opentelemetry-sdk": "traces",
    "pillow": "image formats",
    "pillow-heif": "HEIC pictures, by the libheif that it brings",
    "prometheus-client": "metrics",
    "psycopg": "PostgreSQL",
    "pwdlib": "passwords",
    "pyarrow": "the table of a health check, exported figures",
    "pybase64": "base64",
    "pydantic": "parameters",
    "pydantic-settings": "settings",
    "pypdfium2": "PDF, by the PDFium that it brings",
    "python-multipart": "forms",
    "pyyaml": "`data.yaml` of YOLO datasets",
    "redis": "Redis, Valkey",
    "rich": "what the command line shows",
    "segno": "QR codes",
    "simplejpeg": "JPEG",
    "standardwebhooks": "signatures of webhooks",
    "structlog": "logs",
    "tokenizers": "models on this machine",
    "uvicorn": "server",
    "uvloop": "event loop",
}
"""What each library is for that we ask for ourselves."""

WORDS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "MIT License": "MIT",
}
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
"""What older metadata says → SPDX."""
TOKEN = re.compile(r"[()]|[A-Za-z0-9.+-]+")


class Unclear(Exception):
    """A licence that nobody can read out of the metadata, or that nobody allowed."""


def main(words: list[str]) -> int:
    """Write or check the page, and tell which licences are not allowed."""
    wrong = list(problems())
    for problem in wrong:
        print(problem)
    if wrong:
        return 1
    before = PAGE.read_text()
    after = page(before)
    if before == after:
        print("The licences are as the page says, and allowed.")
        return 0
    if "--check" in words:
        print(f"{PAGE.relative_to(ROOT)} is out of date: run scripts/licences.py")
        return 1
    PAGE.write_text(after)
    print(f"{PAGE.relative_to(ROOT)} written")
    return 0


def problems() -> Iterator[str]:
    """Yield what is wrong with the licence of each package and script that we need."""
    for package in packages():
        try:
            told = licence(package.name)
        except Unclear as error:
            yield str(error)
            continue
        if not allowed(package.name, told):
            yield f"{package.name}: {told} is neither permissive nor among the exceptions"
    for name, told in assets():
        if not permissive(told):
            yield f"{name} (page): {told} is not permissive, and is handed out with the pages"
    known = {package.name for package in packages()}
    asked = {package.name for package in packages() if OURS in package.needed_by}
    yield from (f"{name}: USES does not say what it is for" for name in sorted(asked - USES.keys()))
    yield from (f"{name}: USES names it, and we do not" for name in sorted(USES.keys() - asked))
    for name in sorted((EXCEPTIONS.keys() | DECLARED.keys()) - known):
        yield f"{name}: scripts/licences.py names it, and nothing needs it"


def packages() -> list[Locked]:
    """Return the packages of the service on Linux, with all extras, each once."""
    return list({one.name: one for one in read("backends") if on_linux(one)}.values())


def assets() -> list[tuple[str, str]]:
    """Return the scripts of others in our pages, with their licences."""
    listed = json.loads(MANIFEST.read_text())["packages"]
    return sorted((name, about["license"]) for name, about in listed.items())


def licence(name: str) -> str:
    """Return the SPDX expression of a package; raises `Unclear`."""
    if name in DECLARED:
        return DECLARED[name][0]
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        raise Unclear(f"{name}: not installed, so nobody can read its licence") from None
    return _told(name, about)


def _told(name: str, about: metadata.PackageMetadata) -> str:
    if expression := about.get("License-Expression"):
        return str(expression)
    words = str(about.get("License") or "").strip()
    if words in WORDS or (words and all(_identifier(word) for word in TOKEN.findall(words))):
        return WORDS.get(words, words)
    ends = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or ()
            if line.startswith("License ::")]  # fmt: skip
    if len(ends) == 1 and ends[0] in CLASSIFIERS:
        return CLASSIFIERS[ends[0]]
    raise Unclear(f"{name}: its metadata does not say in SPDX’s words which licence it has")


def _identifier(word: str) -> bool:
    known = PERMISSIVE | {licence for licence, _ in EXCEPTIONS.values()}
    return word in {"AND", "OR", "(", ")", "MPL-2.0"} or word in known


def allowed(name: str, told: str) -> bool:
    """Tell whether a package may be needed under a licence."""
    return permissive(told) or (name in EXCEPTIONS and EXCEPTIONS[name][0] == told)


def permissive(expression: str) -> bool:
    """Tell whether an expression of SPDX lets one choose permissive licences alone."""
    tokens = TOKEN.findall(expression)
    return _either(tokens) and not tokens


def _either(tokens: list[str]) -> bool:
    fits = _both(tokens)
    while tokens[:1] == ["OR"]:
        del tokens[0]
        fits |= _both(tokens)
    return fits


def _both(tokens: list[str]) -> bool:
    fits = _one(tokens)
    while tokens[:1] == ["AND"]:
        del tokens[0]
        fits &= _one(tokens)
    return fits


def _one(tokens: list[str]) -> bool:
    word = tokens.pop(0) if tokens else ""
    if word == "(":
        fits = _either(tokens)
        return bool(tokens) and tokens.pop(0) == ")" and fits
    return word in PERMISSIVE


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    for name, rows in (("libraries", _libraries()), ("scripts", _scripts())):
        marks = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        made, count = marks.subn(lambda match, rows=rows: match[1] + rows + match[2], text)
        if count != 1:
            raise SystemExit(f"{PAGE} has no place for {name}")
        text = made
    return text


def _libraries() -> str:
    brought = with_extras()
    lines = ["| library | for | licence | who has it |", "|---|---|---|---|"]
    for package in sorted(packages(), key=lambda one: one.name):
        having = ", ".join(f"`{extra}`" for extra in brought[package.name]) or "everybody"
        use = USES.get(package.name) or "part of " + ", ".join(package.needed_by)
        lines.append(f"| {package.name} | {use} | {licence(package.name)} | {having} |")
    lines += ["", "What is not permissive, or not declared in the identifiers of SPDX:", ""]
    reasons = {name: f"{told}: {why}" for name, (told, why) in (EXCEPTIONS | DECLARED).items()}
    lines += [f"- {name}: {reason}." for name, reason in sorted(reasons.items())]
    return "\n".join(lines) + "\n"


def _scripts() -> str:
    lines = ["| script | licence |", "|---|---|"]
    lines += [f"| {name} | {told} |" for name, told in assets()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
