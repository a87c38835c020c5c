"""How the items of a list are written: their elements in order, learnt from an item, and a pattern of exactly that.

A platform writes all items of a list by one template of its own, so what one item looks like is what the others look
like. A pattern made of one reads the others in C, several times faster than a tree of them can be built. A form only
decides what is read quickly: its pattern takes nothing but elements in plain sight, as any XML parser would read them,
and whatever it does not take is left to the tree that is made of it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from app.upstream.markup import ReplyBounds, tree

SPACE = r"[ \t\n]*+"
_LETTER = r"[A-Za-z_\u00d8-\u00f6\u00f8-\u02ff]"
NAME = rf"{_LETTER}(?:{_LETTER}|[0-9.\-]){{0,63}}+"
# What needs a closer look or a repair matches nothing here.
_FORBIDDEN = r"\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff"
_PLAIN = rf"[^<&\]{_FORBIDDEN}]*+"
_DECIMAL = r"9|1[03]|3[2-9]|[4-9][0-9]|[1-9][0-9]{2,3}|[1-4][0-9]{4}|1[0-9]{5}"
_HEX = r"9|[aAdD]|[2-9a-fA-F][0-9a-fA-F]|[1-9a-fA-F][0-9a-fA-F]{2}|[1-9a-cA-C][0-9a-fA-F]{3}|1[0-9a-fA-F]{4}"
_WRITTEN = rf"&(?:(?P<name>amp|lt|gt|quot|apos)|#(?P<decimal>{_DECIMAL})|#x(?P<hex>{_HEX}));"
"""References to characters that XML allows, as far as they are of use."""
PLAIN_TEXT = rf"{_PLAIN}(?:(?:{re.sub(r'[?]P<[a-z]+>', '?:', _WRITTEN)}|\](?!\]>)){_PLAIN})*+"
_SECTION = rf"[^\]{_FORBIDDEN}]*+(?:\](?!\]>)[^\]{_FORBIDDEN}]*+)*+"
_NAMED = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}
_REFERENCE = re.compile(_WRITTEN)


class Writing(StrEnum):
    """How a leaf is written."""

    TEXT = "text"
    CDATA = "cdata"
    EMPTY = "empty"


class Leaf(NamedTuple):
    """An element with a text."""

    name: str
    writings: tuple[Writing, ...]
    optional: bool = False

    @property
    def groups(self) -> int:
        """How many groups of a pattern it takes."""
        return len(self.writings)

    @property
    def always_there(self) -> bool:
        """Whether its group always has a text, though perhaps an empty one."""
        return len(self.writings) == 1 and not self.optional


@dataclass(frozen=True)
class Nested:
    """Records within an item, which have leaves only: one or two names lead to them, the last may be repeated."""

    path: tuple[str, ...]
    leaves: tuple[Leaf, ...]

    @property
    def name(self) -> str:
        """The name below the item."""
        return self.path[0]

    @property
    def groups(self) -> int:
        """How many groups of a pattern it takes."""
        return sum(leaf.groups for leaf in self.leaves) + 1

    @cached_property
    def form(self) -> "ItemForm":
        """How one of the records is written."""
        return ItemForm(self.path[-1], self.leaves)


Part = Leaf | Nested


@dataclass(frozen=True)
class ItemForm:
    """How an item is written."""

    tag: str
    parts: tuple[Part, ...]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches an item and the space before it.

        There is a group for each writing of a leaf. Of nested records, the first has such groups, too, and one behind
        them has the text of all others.
        """
        return re.compile(_record(self.tag, self.parts, "("))


def resolved(text: str) -> str:
    """Return a text with the characters that its references stand for."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(reference: re.Match[str]) -> str:
    name, decimal, hexadecimal = reference.groups()
    return _NAMED[name] if name else chr(int(decimal) if decimal else int(hexadecimal, 16))


def _record(name: str, parts: Iterable[Part], group: str) -> str:
    tag = re.escape(name)
    inner = "".join(_pattern(part, group) for part in parts)
    # An element with nothing in it is no record.
    return f"{SPACE}<{tag}>(?!{SPACE}</{tag}>){inner}{SPACE}</{tag}>"


def _pattern(part: Part, group: str) -> str:
    name = re.escape(part.name)
    if isinstance(part, Leaf):
        ways = "|".join(_written(writing, name, group) for writing in part.writings)
        return f"(?:{SPACE}<{name}(?:{ways}))?+" if part.optional else f"{SPACE}<{name}(?:{ways})"
    # Most often there is one record. A group within a repeated one would hold the last one's text only.
    first, further = (_record(part.path[-1], part.leaves, each) for each in ("(", "(?:"))
    records = f"(?:{first})?+((?:{further})*+)"
    if len(part.path) == 1:
        return records
    return f"(?:{SPACE}<{name}(?:>{records}{SPACE}</{name}>|{SPACE}/>))?+"


def _written(writing: Writing, name: str, group: str) -> str:
    if writing is Writing.TEXT:
        return f">{group}{PLAIN_TEXT})</{name}>"
    if writing is Writing.CDATA:
        # A section within a section is unwrapped by `app.upstream.values.text`.
        return rf">{SPACE}<!\[CDATA\[(?!\s*+!){group}{_SECTION})\]\]>{SPACE}</{name}>"
    return f"{SPACE}/>{group})"


Cells = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive children of one form: for each, the groups of the form's pattern."""

    form: ItemForm
    rows: Sequence[Cells]
    has_references: bool
    text: str

    def nodes(self) -> list[Any]:
        """Return the children as trees."""
        content = tree("items", self.text, bounds=ReplyBounds(), note=lambda _: None)[self.form.tag]
        return content if isinstance(content, list) else [content]


@dataclass(frozen=True, slots=True)
class Tree:
    """Consecutive children of other forms, as the content of an element that has no others."""

    content: Any
