"""Incremental XML: a document's text in pieces in, the children of its root out, as xmltodict would give them.

A document of a million records is a million times the same few tags. So the first record of a form is read by the
reference parser (`app.upstream.xml.parse`), and a pattern of exactly that form is made of it, which then matches the
records that follow it. Whatever the pattern does not match, down to a comment or a nested element, goes to the
reference parser again, one child of the root at a time. Thus the two can only agree, and at most one child is held.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.upstream.document import UnexpectedForm
from app.upstream.forms import PLAIN_TEXT, SPACE, resolved
from app.upstream.scanning import Scan, child_end
from app.upstream.xml import parse

Cells = Sequence[str]

_MAX_SHAPES = 8
_RUN = 512
_TEXT = rf"({PLAIN_TEXT})"
_CDATA = r"<!\[CDATA\[([^\]\x00-\x08\x0b-\x1f]*+)\]\]>"


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of record: an element with leaves only.

    Args:
        tag: the element's name.
        names: the leaves' names in their order, none twice.
        plain: which leaves are plain text, so that they may hold references; the others are CDATA sections.
        pattern: matches one such record and the space before it; a group per leaf.
    """

    tag: str
    names: tuple[str, ...]
    plain: tuple[int, ...]
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one shape, as columns: a sequence of texts per leaf, not stripped."""

    shape: Shape
    columns: list[Cells]


@dataclass(frozen=True, slots=True)
class Child:
    """A child of the root: its name and its content, as `app.upstream.xml.parse` returns it."""

    name: str
    content: Any


class RootChildren:
    """Takes a document's text behind the root's start tag and gives the root's children.

    Args:
        root: the root's name.
        max_length: how many characters a child may have.
        line: the line that the text begins on, for what errors refer to.
        tag: the name of the children that come in runs; None if all are to come singly.
    """

    def __init__(self, root: str, *, max_length: int, line: int = 1, tag: str | None = None) -> None:
        self._root = root
        self._tag = tag
        self._max_length = max_length
        self._line = line
        self._text = ""
        self._at = 0
        self._shapes: list[Shape] = []
        self._scan = Scan()
        self._closed = False
        self._noise = ""
        self._carriage_return = False

    @property
    def noise(self) -> str:
        """The beginning of the text that stands between the children."""
        return self._noise

    def feed(self, text: str) -> None:
        """Add text."""
        self._line += self._text.count("\n", 0, self._at)
        self._text = self._text[self._at :] + self._with_newlines(text)
        self._at = 0

    def next(self) -> Run | Child | None:
        """Return what comes next, or None when that takes more text.

        Raises:
            UnexpectedForm: a child is too large.
            NotWellFormed: what has come is not the beginning of a well-formed document.
        """
        while not self._closed:
            run = self._run()
            if run:
                return run
            end = child_end(self._text, self._at, self._scan)
            self._closed = self._scan.depth < 0
            if end is None:
                self._check_length()
                return None
            child = self._child(end)
            if child:
                return child
        self._check_length()
        return None

    def end(self) -> None:
        """Check that the document is complete; call it when `next` has no more to give.

        Raises:
            NotWellFormed: it is not, or something stands behind it.
        """
        self._text = self._text.rstrip()
        start = f"<{self._root}/>" if self._closed else f"<{self._root}>"
        parse(start + self._text[self._at :], first_line=self._line_now())

    def _with_newlines(self, text: str) -> str:
        # XML reads every form of line break as one newline, and this one may be cut in two.
        if self._carriage_return:
            text = "\r" + text
        self._carriage_return = text.endswith("\r")
        if self._carriage_return:
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text.replace("\ufffe", "").replace("\uffff", "")

    def _run(self) -> Run | None:
        for index, shape in enumerate(self._shapes):
            matches = list(islice(_matches(shape, self._text, self._at), _RUN))
            if matches:
                if index:
                    self._shapes.insert(0, self._shapes.pop(index))
                start, self._at = self._at, matches[-1].end()
                self._scan = Scan()
                columns: list[Cells] = list(zip(*map(re.Match.groups, matches), strict=True))
                if self._text.find("&", start, self._at) >= 0:
                    for column in shape.plain:
                        columns[column] = list(map(resolved, columns[column]))
                return Run(shape, columns)
        return None

    def _child(self, end: int) -> Child | None:
        piece = self._text[self._at : end]
        closing = "" if self._closed else f"</{self._root}>"
        _, content = parse(f"<{self._root}>{piece}{closing}", first_line=self._line_now())
        self._at = end
        self._scan = Scan()
        if not isinstance(content, dict):
            self._add_noise(content)
            return None
        self._add_noise(content.pop("#text", None))
        ((name, node),) = content.items()
        if name == self._tag:
            self._learn(name, node, piece)
        return Child(name, node)

    def _add_noise(self, text: str | None) -> None:
        # Enough of it to tell a stray semicolon from more.
        self._noise = (self._noise + (text or ""))[:2]

    def _learn(self, name: str, node: Any, piece: str) -> None:
        shape = _shape(name, node, piece)
        if shape and shape.pattern.fullmatch(piece):
            self._shapes = [shape, *self._shapes][:_MAX_SHAPES]

    def _check_length(self) -> None:
        if len(self._text) - self._at > self._max_length:
            raise UnexpectedForm(f"more than {self._max_length} characters in one record")

    def _line_now(self) -> int:
        return self._line + self._text.count("\n", 0, self._at)


def _matches(shape: Shape, text: str, at: int) -> Iterator[re.Match[str]]:
    # Each match begins where the one before it ends.
    return iter(shape.pattern.scanner(text, at).match, None)  # type: ignore[attr-defined]


def _shape(tag: str, node: Any, piece: str) -> Shape | None:
    """Describe a record that has just been read, if it has leaves only."""
    if not isinstance(node, dict) or not all(_is_leaf(name, content) for name, content in node.items()):
        return None
    leaves, plain = [], []
    for index, name in enumerate(node):
        element = re.escape(name)
        if re.search(rf"<{element}>{SPACE}<!\[CDATA\[", piece):
            leaves.append(f"<{element}>{SPACE}{_CDATA}{SPACE}</{element}>")
        elif re.search(rf"<{element}{SPACE}/>", piece):
            leaves.append(f"<{element}{SPACE}/>()")
        else:
            leaves.append(f"<{element}>{_TEXT}</{element}>")
            plain.append(index)
    record = re.escape(tag)
    pattern = SPACE.join([f"{SPACE}<{record}>", *leaves, f"</{record}>"])
    return Shape(tag, tuple(node), tuple(plain), re.compile(pattern))


def _is_leaf(name: str, content: Any) -> bool:
    return not name.startswith(("@", "#")) and (content is None or isinstance(content, str))
