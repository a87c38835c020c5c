"""How habits change a reply: its text, what its root holds, its elements, the texts of its leaves, its headers."""

import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

from app.sandbox.dialect import SandboxReply

Habit = Callable[[SandboxReply], SandboxReply]
Element = ElementTree.Element

ROOT = re.compile(r"(\s*(?:<\?xml[^>]*\?>)?\s*<([^\s<>/?!]+)[^<>]*>)(.*)(</\2>\s*)", re.DOTALL)


def is_xml(reply: SandboxReply) -> bool:
    return reply.body.lstrip().startswith(b"<")


def change_xml(change: Callable[[str], str]) -> Habit:
    """Change the text of XML replies."""
    return lambda reply: replace(reply, body=change(reply.body.decode()).encode()) if is_xml(reply) else reply


def change_inside(change: Callable[[str], str]) -> Habit:
    """Change what stands between the tags of the root of an answer; a `<result>` is none."""

    def apply(text: str) -> str:
        root = ROOT.fullmatch(text)
        return f"{root[1]}{change(root[3])}{root[4]}" if root and root[2] != "result" else text

    return change_xml(apply)


def change_export(change: Callable[[str], str]) -> Habit:
    """Change what the root of an XML answer holds, or the lines of a text export."""
    inside = change_inside(change)
    return lambda reply: inside(reply) if is_xml(reply) else replace(reply, body=change(reply.body.decode()).encode())


def change_tree(change: Callable[[Element], None]) -> Habit:
    """Change the elements of an XML reply; one that is not well-formed stays."""

    def apply(text: str) -> str:
        try:
            root = ElementTree.fromstring(text)  # noqa: S314 - the sandbox's own text
        except ElementTree.ParseError:
            return text
        before = ElementTree.tostring(root)
        change(root)
        return text if ElementTree.tostring(root) == before else ElementTree.tostring(root, "unicode")

    return change_xml(apply)


def change_leaves(change: Callable[[str], str], names: frozenset[str] | None = None) -> Habit:
    """Change the texts of an XML reply's leaves, of all or of some names."""

    def apply(root: Element) -> None:
        for element in root.iter():
            if len(element) == 0 and element.text and (names is None or element.tag in names):
                element.text = change(element.text)

    return change_tree(apply)


def put_behind(text: str) -> Habit:
    """Put text on a line of its own behind everything else."""
    return change_export(lambda before: f"{before}{'' if not before or before.endswith(chr(10)) else chr(10)}{text}")


def with_header(name: str, value: str, change: Callable[[bytes], bytes] = bytes) -> Habit:
    return lambda reply: replace(reply, body=change(reply.body), headers={**reply.headers, name: value})
