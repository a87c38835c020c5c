"""How the items of a list are written: their elements in order, learnt from an item, and a pattern of exactly that.

A platform writes all items of a list by one template of its own, so what one item looks like is what the others look
like. A pattern made of one reads the others in C, several times faster than a tree of them can be built. A form only
decides what is read quickly: its pattern takes nothing but elements in plain sight, as any XML parser would read them,
and whatever it does not take is left to `app.upstream.xml.parse`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache, reduce
from typing import NamedTuple

SPACE = r"[ \t\n]*+"
NAME = r"[A-Za-z_][A-Za-z0-9_.-]*+"
# What needs a closer look matches nothing here: brackets, control characters, references to characters.
_PLAIN = r"[^<&\]\x00-\x08\x0b-\x1f]*+"
PLAIN_TEXT = rf"{_PLAIN}(?:&(?!#){_PLAIN})*+"
_SECTION = r"[^\]\x00-\x08\x0b-\x1f]*+(?:\](?!\]>)[^\]\x00-\x08\x0b-\x1f]*+)*+"
_MARKUP = re.compile(rf"<!\[(CDATA)\[[^\]]*+(?:\](?!\]>)[^\]]*+)*+|<(/{NAME}|{NAME}(?:{SPACE}/)?)>")
_REFERENCES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_REFERENCE = re.compile("|".join(_REFERENCES))
_REMEMBERED = 128
_MOST_MARKUP = 400

Tokens = Iterator[tuple[str, str]]


class Unfit(Exception):
    """There is no form for this."""


class Writing(StrEnum):
    """How a leaf is written."""

    TEXT = "text"
    CDATA = "cdata"
    EMPTY = "empty"


class Leaf(NamedTuple):
    """An element with a text.

    Args:
        name: its name.
        writings: the ways in which it may be written.
        optional: whether it may be missing.
    """

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
    def form(self) -> "Form":
        """How one of the records is written."""
        return Form(self.path[-1], self.leaves)


Part = Leaf | Nested


@dataclass(frozen=True)
class Form:
    """How an item is written.

    Args:
        tag: its name.
        parts: its children, in their order.
    """

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
    return _REFERENCE.sub(lambda reference: _REFERENCES[reference[0]], text)


def form_of(tag: str, item: str) -> Form | None:
    """Return the form of an item, given as text; None where it is not simple enough."""
    markup = tuple(_MARKUP.findall(item))
    return _form(tag, markup) if len(markup) <= _MOST_MARKUP else None


@lru_cache(maxsize=_REMEMBERED)
def extended(form: Form, other: Form) -> Form | None:
    """Return a form that takes what either takes, and items without any of its leaves; None where they contradict."""
    try:
        return Form(form.tag, tuple(map(_loosened, _merged(form.parts, other.parts))))
    except Unfit:
        return None


# Compiling takes as long as reading some lists: what is remembered is how items are written, nothing they say.
@lru_cache(maxsize=_REMEMBERED)
def _form(tag: str, markup: tuple[tuple[str, str], ...]) -> Form | None:
    tokens = iter(markup)
    try:
        if next(tokens, None) != ("", tag):
            return None
        return Form(tag, _parts(_children(tokens, tag, levels=3)))
    except Unfit:
        return None


class _Node(NamedTuple):
    name: str
    writing: Writing | None
    children: tuple["_Node", ...] = ()


def _children(tokens: Tokens, name: str, *, levels: int) -> tuple[_Node, ...]:
    children: list[_Node] = []
    for cdata, markup in tokens:
        if markup == f"/{name}":
            return tuple(children)
        if cdata or not levels:
            raise Unfit
        children.append(_node(tokens, markup, levels=levels - 1))
    raise Unfit


def _node(tokens: Tokens, markup: str, *, levels: int) -> _Node:
    if markup.endswith("/"):
        return _Node(markup[:-1].rstrip(), Writing.EMPTY)
    cdata, follows = next(tokens, ("", ""))
    if cdata:
        if next(tokens, None) != ("", f"/{markup}"):
            raise Unfit
        return _Node(markup, Writing.CDATA)
    if follows == f"/{markup}":
        return _Node(markup, Writing.TEXT)
    if not levels or not follows or "/" in markup:
        raise Unfit
    first = _node(tokens, follows, levels=levels - 1)
    return _Node(markup, None, (first, *_children(tokens, markup, levels=levels)))


def _parts(nodes: Iterable[_Node]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for part in map(_part, nodes):
        if parts and parts[-1].name == part.name:
            parts[-1] = _with_sibling(parts[-1], part)
        else:
            parts.append(part)
    if len({part.name for part in parts}) < len(parts):
        raise Unfit
    return tuple(parts)


def _with_sibling(part: Part, sibling: Part) -> Part:
    if isinstance(part, Nested) and isinstance(sibling, Nested) and len(part.path) == len(sibling.path) == 1:
        return _joined(part, sibling)
    raise Unfit


def _part(node: _Node) -> Part:
    if node.writing:
        return Leaf(node.name, (node.writing,))
    if all(child.writing for child in node.children):
        return Nested((node.name,), _leaves(node))
    names = {child.name for child in node.children}
    if len(names) > 1:
        raise Unfit
    return Nested((node.name, *names), reduce(_merged_leaves, map(_leaves, node.children)))


def _leaves(node: _Node) -> tuple[Leaf, ...]:
    leaves = tuple(Leaf(child.name, (child.writing,)) for child in node.children if child.writing)
    if len({leaf.name for leaf in leaves}) < len(node.children):
        raise Unfit
    return leaves


def _merged_leaves(ours: tuple[Leaf, ...], theirs: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    in_both = {leaf.name for leaf in ours} & {leaf.name for leaf in theirs}
    merged = [part for part in _merged(ours, theirs) if isinstance(part, Leaf)]
    return tuple(leaf if leaf.name in in_both else leaf._replace(optional=True) for leaf in merged)


def _merged(ours: Sequence[Part], theirs: Sequence[Part]) -> tuple[Part, ...]:
    """Put what is new behind what it stands behind."""
    merged = list(ours)
    at = 0
    for part in theirs:
        place = next((index for index, each in enumerate(merged) if each.name == part.name), None)
        if place is None:
            merged.insert(at, part)
            at += 1
        elif place < at:
            raise Unfit
        else:
            merged[place] = _joined(merged[place], part)
            at = place + 1
    return tuple(merged)


def _loosened(part: Part) -> Part:
    # Where one element may be missing, so may others: many patterns would cost more than a tolerant one.
    if isinstance(part, Nested):
        return Nested(part.path, tuple(leaf._replace(optional=True) for leaf in part.leaves))
    return part._replace(optional=True)


def _joined(one: Part, other: Part) -> Part:
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        return Leaf(one.name, tuple(sorted({*one.writings, *other.writings})), one.optional or other.optional)
    if isinstance(one, Nested) and isinstance(other, Nested):
        if one.path != other.path:
            raise Unfit
        return Nested(one.path, _merged_leaves(one.leaves, other.leaves))
    # Where records may stand, no record at all looks like a leaf without a text.
    return one if isinstance(one, Nested) else other


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
