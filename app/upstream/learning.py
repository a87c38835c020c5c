"""Learning how the items of a list are written, from the items themselves."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, reduce
from typing import NamedTuple

from app.upstream.forms import NAME, SPACE, ItemForm, Leaf, Nested, Part, Writing

_MARKUP = re.compile(rf"<!\[(CDATA)\[[^\]]*+(?:\](?!\]>)[^\]]*+)*+|<(/{NAME}|{NAME}(?:{SPACE}/)?)>")
_REMEMBERED = 128
_MOST_MARKUP = 160

Tokens = Iterator[tuple[str, str]]


class Unfit(Exception):
    """There is no form for this."""


def form_of(tag: str, item: str) -> ItemForm | None:
    """Return the form of an item, given as text; None where it is not simple enough."""
    markup = tuple(_MARKUP.findall(item))
    return _form(tag, markup) if len(markup) <= _MOST_MARKUP else None


@lru_cache(maxsize=_REMEMBERED)
def extended(form: ItemForm, other: ItemForm) -> ItemForm | None:
    """Return a form that takes what either takes, and items without any of its leaves; None where they contradict."""
    try:
        return ItemForm(form.tag, tuple(map(_loosened, _merged(form.parts, other.parts))))
    except Unfit:
        return None


# Compiling takes as long as reading some lists: what is remembered is how items are written, nothing they say.
@lru_cache(maxsize=_REMEMBERED)
def _form(tag: str, markup: tuple[tuple[str, str], ...]) -> ItemForm | None:
    tokens = iter(markup)
    try:
        if next(tokens, None) != ("", tag):
            return None
        return ItemForm(tag, _parts(_children(tokens, tag, levels=3)))
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
