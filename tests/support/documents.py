"""Documents read in the ways there are: in runs and as trees by the gateway, and by the library as the reference."""

from zoneinfo import ZoneInfo

import xmltodict

from app.upstream.document import Document
from app.upstream.envelope import WireReply, merged, open_document
from app.upstream.reader import XmlReader

SHANGHAI = ZoneInfo("Asia/Shanghai")


def in_runs(text: str) -> Document:
    """Read a document as the gateway does."""
    return open_document(WireReply(200, {}, text.encode("utf-8", "surrogatepass")), Document("", None, SHANGHAI))


def as_trees(text: str) -> Document:
    """Read a document in the gateway's slower way only."""
    reader = XmlReader(max_length=len(text) + 1, tag="")
    reader.feed(text.removeprefix("\ufeff"))
    reader.end()
    content: dict[str, object] = {}
    while (found := reader.next()) is not None:
        merged(content, found)
    found_content = content.get("#text") if content.keys() <= {"#text"} else content
    document = Document(reader.root, found_content, SHANGHAI, is_whole=reader.is_whole)
    for kind in reader.repairs:
        document.note(kind, reader.root)
    return document


def by_reference(text: str) -> Document:
    """Read a well-formed document with the library."""
    ((root, content),) = xmltodict.parse(text, xml_attribs=False).items()
    return Document(root, content, SHANGHAI)
