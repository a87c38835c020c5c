"""Finding where an element ends, without reading it."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""[^<]+|(?P<end></[^<>]*>)|(?P<start><[^<>!?/"'](?:[^<>"']|"[^<"]*"|'[^<']*')*+>)"""
    r"|<!\[CDATA\[.*?\]\]>|<!--.*?-->|<\?.*?\?>",
    re.DOTALL,
)


@dataclass(slots=True)
class Scan:
    """How far the search for the end of a child has come: how many characters, and how many levels deep."""

    at: int = 0
    depth: int = 0


def child_end(text: str, start: int, scan: Scan) -> int | None:
    """Find where the next child, comment or processing instruction, or the root itself, ends.

    Args:
        text: the text.
        start: where the search began.
        scan: how far it has come; its depth is negative behind the root's end.

    Returns:
        The place; None where it takes more text.
    """
    while token := _TOKEN.match(text, start + scan.at):
        scan.at = token.end() - start
        kind = token.lastgroup
        if kind == "start":
            scan.depth += not token[0].endswith("/>")
        elif kind == "end":
            scan.depth -= 1
        if scan.depth <= 0 and token[0].startswith("<"):
            return start + scan.at
    return None
