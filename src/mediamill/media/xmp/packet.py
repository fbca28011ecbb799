"""XMP packets (ISO 16684-1) of the properties by which IPTC's Photo Metadata describe a picture.

`dc:description` (Description), `Iptc4xmpCore:AltTextAccessibility` (Alt Text) and `dc:subject`
(Keywords), of the IPTC Photo Metadata Standard 2025.1. Its older form, IIM, is written by nobody
whose file has none yet (Metadata Working Group, Guidelines 2.0, 3.3.1), and knows no alt-text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

_BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_END = '<?xpacket end="w"?>'
_SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}
_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (2.2) cannot have, escaped or not."""


@dataclass(frozen=True)
class Description:
    """What is said of a picture: texts by language (BCP 47), the first being the default."""

    description: Mapping[str, str] = field(default_factory=dict)
    alt: Mapping[str, str] = field(default_factory=dict)
    keywords: Sequence[str] = ()


def packet(said: Description) -> bytes:
    """Return the packet, UTF-8; properties of which nothing is said are left out."""
    spaces = " ".join(f'xmlns:{name}="{address}"' for name, address in _SPACES.items())
    lines = [
        _BEGIN,
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">',
        f"<rdf:RDF {spaces}>",
        '<rdf:Description rdf:about="">',
        *_texts("dc:description", said.description),
        *_texts("Iptc4xmpCore:AltTextAccessibility", said.alt),
        *_bag("dc:subject", said.keywords),
        "</rdf:Description>",
        "</rdf:RDF>",
        "</x:xmpmeta>",
        _END,
    ]
    return "\n".join(lines).encode()


def _texts(name: str, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield a text in several languages; who looks for none of them takes the default."""
    if texts:
        given = [("x-default", next(iter(texts.values()))), *texts.items()]
        lines = (f"<rdf:li xml:lang={quoteattr(tag)}>{_safe(text)}</rdf:li>" for tag, text in given)
        yield from (f"<{name}>", "<rdf:Alt>", *lines, "</rdf:Alt>", f"</{name}>")


def _bag(name: str, words: Sequence[str]) -> Iterator[str]:
    if words:
        lines = (f"<rdf:li>{_safe(word)}</rdf:li>" for word in words)
        yield from (f"<{name}>", "<rdf:Bag>", *lines, "</rdf:Bag>", f"</{name}>")


def _safe(text: str) -> str:
    return escape(_IN_XML.sub("", text))
