"""A fast way from XML to the dictionaries that xmltodict makes, for documents in which nothing is special.

The library calls back into Python for every tag and every piece of text; here the tree is built in C and walked once,
which takes a seventh of the time. What is special - namespaces, a document type - is left to the library, which stays
the reference: both give the same for every document that both take.
"""

from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLParser

_SPECIAL = ("<!DOCTYPE", "xmlns", "xml:")


class Special(Exception):
    """Not a document for this module: special in some way, or not well-formed."""


class TooDeep(Exception):
    """There are more levels of elements than allowed."""


def parse_plain(text: str, *, levels: int) -> tuple[str, Any]:
    """Parse a document in which nothing is special.

    Args:
        text: the document, without an XML declaration.
        levels: how many levels of elements there may be.

    Returns:
        The root element's name and its content, as `xmltodict.parse` gives them.

    Raises:
        Special: the library must look at it.
        TooDeep: there are more levels.
    """
    if any(mark in text for mark in _SPECIAL):
        raise Special
    parser = XMLParser(encoding="utf-8")  # noqa: S314 - without a document type there are no entities
    try:
        parser.feed(text.encode("utf-8", "replace"))
        root: Element = parser.close()
    except ParseError:
        raise Special from None
    return root.tag, _content(root, levels - 1)


def _content(element: Element, levels: int) -> Any:
    if levels < 0:
        raise TooDeep
    content: dict[str, Any] = {f"@{name}": value for name, value in element.items()}
    data = element.text or ""
    for child in element:
        if len(child) or child.keys():
            value = _content(child, levels - 1)
        elif levels:
            text = child.text
            value = (text.strip() or None) if text else None
        else:
            raise TooDeep
        name = child.tag
        if name not in content:
            content[name] = value
        elif isinstance(several := content[name], list):
            several.append(value)
        else:
            content[name] = [several, value]
        if child.tail:
            data += child.tail
    data = data.strip()
    if not content:
        return data or None
    if data:
        content["#text"] = data
    return content
