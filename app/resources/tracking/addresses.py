"""Reading the export of readers (manual 3.4), whose form the manual does not tell.

It is taken as one address a line, with further columns behind a TAB, or as any XML that holds `<email>` elements. What
holds no address, such as a heading, is passed over and counted as drift.
"""

import re
from collections.abc import Iterator
from typing import Any

from app.upstream.document import Document, DriftKind
from app.upstream.rows import Row
from app.upstream.sources import ReadLines

# As loose as an address may be here, and no looser: prose with an @ in it, or several addresses, are none.
_ADDRESS = re.compile(r'[^\s@,;"<>\[\]]+@[^\s@,;"<>\[\]]+')


def address_lines(document: Document) -> ReadLines:
    """Return what makes rows of lines."""
    return lambda lines: _rows([line.partition("\t")[0].strip() for line in lines], document, "line")


def addresses_below(name: str, content: Any, document: Document) -> list[Row]:
    """Return the rows of what stands below a child of the root."""
    return _rows(list(_elements(content, name)), document, f"{document.root}/email")


def _rows(values: list[str], document: Document, path: str) -> list[Row]:
    rows: list[Row] = [{"email": value} for value in values if _ADDRESS.fullmatch(value)]
    if len(rows) < len(values):
        document.note(DriftKind.UNREADABLE_VALUE, path)
    return rows


def _elements(node: Any, name: str) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _elements(each, name)
    elif isinstance(node, dict):
        for child, content in node.items():
            yield from _elements(content, name if child == "#text" else child)
    elif name == "email" and isinstance(node, str) and node.strip():
        yield node.strip()
