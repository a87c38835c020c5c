"""Reading the export of readers (manual 3.4), whose form the manual does not tell.

It is taken as one address a line, with further columns behind a TAB, or as any XML that holds `<email>` elements. What
is no address is refused, and the export with it: what stands behind it may be missing.
"""

from collections.abc import Iterator
from typing import Any

from app.upstream.document import Document, UnexpectedForm
from app.upstream.sources import ADDRESS, ReadLines, Row

HEADINGS = frozenset({"email", "e-mail", "address", "邮件地址", "邮箱地址", "邮箱"})


def address_lines(_document: Document) -> ReadLines:
    """Return what makes rows of lines."""
    return lambda lines: _rows([line.partition("\t")[0].strip() for line in lines], "line")


def addresses_below(name: str, content: Any, document: Document) -> list[Row]:
    """Return the rows of what stands below a child of the root."""
    return _rows(list(_elements(content, name)), f"{document.root}/email")


def _rows(values: list[str], path: str) -> list[Row]:
    if not all(map(ADDRESS.fullmatch, values)):
        raise UnexpectedForm(f"a {path} that is no address")
    return [{"email": value} for value in values]


def _elements(node: Any, name: str) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _elements(each, name)
    elif isinstance(node, dict):
        for child, content in node.items():
            yield from _elements(content, name if child == "#text" else child)
    elif name == "email" and isinstance(node, str) and node.strip():
        yield node.strip()
