"""Reading the export of readers (manual 3.4), whose form the manual does not tell.

It is taken as one address a line, with further columns behind a TAB, or as any XML that holds `<email>` elements.
"""

from collections.abc import Iterator
from typing import Any

from app.upstream.document import Document, DriftKind, UnexpectedForm

_LINE = "line"


def read_addresses(document: Document) -> list[str]:
    """Return the addresses of an export in their order.

    What holds no address, such as a heading, is passed over and counted as drift.

    Raises:
        UnexpectedForm: the reply says something and none of it is an address.
    """
    values = list(_elements(document.content, document.root)) if document.root else _cells(document)
    addresses = [value for value in values if "@" in value]
    if len(addresses) < len(values):
        document.note(DriftKind.UNREADABLE_VALUE, f"{document.root}/email" if document.root else _LINE)
    if document.content and not addresses and (values or document.root):
        raise UnexpectedForm("an export without a single address")
    return addresses


def _cells(document: Document) -> list[str]:
    return [line.partition("\t")[0].strip() for line in document.lines()]


def _elements(node: Any, name: str) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _elements(each, name)
    elif isinstance(node, dict):
        for child, content in node.items():
            yield from _elements(content, name if child == "#text" else child)
    elif name == "email" and isinstance(node, str) and node.strip():
        yield node.strip()
