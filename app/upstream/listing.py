"""Documents that are lists: most of their items as columns of texts, and not as trees.

Both ways give the same: what is not a list of items in plain sight, and what is not well-formed, is left to
`app.upstream.xml.parse`, and so is each item that is written in another form than its neighbours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.upstream.forms import NAME, PLAIN_TEXT, SPACE, Form
from app.upstream.learning import extended, form_of
from app.upstream.scanning import Scan, child_end
from app.upstream.xml import NotWellFormed, parse

Cells = tuple[str | None, ...]

_FEWEST = 3
_LESSONS = 4
_PATIENCE = 8
_HEAD = re.compile(
    rf"\s*+(?:<\?xml[^>]*+>(?<=\?>))?+\s*+<(?P<root>{NAME})>"
    rf"(?:{SPACE}<({NAME})>{PLAIN_TEXT}</\2>)*+(?={SPACE}<(?P<tag>{NAME})>)"
)


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive items of one form.

    Args:
        form: how they are written.
        rows: for each of them, the groups of the form's pattern.
        text: the document.
        start, end: where in it they stand.
    """

    form: Form
    rows: Sequence[Cells]
    text: str
    start: int
    end: int

    @property
    def has_references(self) -> bool:
        """Whether any text may hold a reference to a character."""
        return self.text.find("&", self.start, self.end) >= 0

    def nodes(self) -> list[Any]:
        """Return the items as trees."""
        _, content = parse(f"<items>{self.text[self.start : self.end]}</items>")
        return many(content[self.form.tag])


class Items(list["Run | Any"]):
    """The items of a list in their order: runs, and trees of those that are in no run."""

    def nodes(self) -> list[Any]:
        """Return all items as trees, as `app.upstream.xml.parse` would give them."""
        return [node for each in self for node in (each.nodes() if isinstance(each, Run) else [each])]


def many(node: Any) -> list[Any]:
    """Return the elements of one name, as trees: none, one or several."""
    if isinstance(node, Items):
        return node.nodes()
    return node if isinstance(node, list) else [] if node is None else [node]


def parse_listing(text: str) -> tuple[str, Any]:
    """Parse a document, preferably as a list.

    Returns:
        What `app.upstream.xml.parse` returns; in the place of a list of trees there may be `Items`.

    Raises:
        NotWellFormed: as there.
    """
    plain = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    head = _HEAD.match(plain)
    if head is None or not _has_several(plain, head["tag"]) or "\ufffe" in plain or "\uffff" in plain:
        return parse(text)
    try:
        content = _Splitter(plain, head["root"], head["tag"]).split(head.end())
    except NotWellFormed:
        content = None
    # What is not well-formed is told of in terms of the whole.
    return parse(text) if content is None else (head["root"], content)


def _has_several(text: str, tag: str) -> bool:
    closing = f"</{tag}>"
    at = 0
    for _ in range(_FEWEST):
        at = text.find(closing, at) + 1
        if not at:
            return False
    return True


class _Splitter:
    """Takes the items out of a document.

    Args:
        text: the document, every line break a newline.
        root: its root's name.
        tag: an item's name.
    """

    def __init__(self, text: str, root: str, tag: str) -> None:
        self._text = text
        self._root = root
        self._tag = tag
        self._form: Form | None = None
        self._lessons = _LESSONS

    def split(self, at: int) -> dict[str, Any] | None:
        """Return the root's content from what stands before the first item; None for what is to be parsed whole.

        Raises:
            NotWellFormed: the document is not well-formed, though perhaps for another reason than the one given.
        """
        items, rest, rows, odd = Items(), [self._text[:at]], 0, 0
        while odd <= _PATIENCE + rows // _PATIENCE:
            run = self._run(at)
            if run is not None:
                items.append(run)
                rows += len(run.rows)
                at = run.end
                continue
            scan = Scan()
            end = child_end(self._text, at, scan)
            if end is None or scan.depth < 0:
                return self._content("".join([*rest, self._text[at:]]), items)
            piece = self._text[at:end]
            _, below = parse(f"<{self._root}>{piece}</{self._root}>")
            if not isinstance(below, dict) or self._tag not in below:
                rest.append(piece)
            elif len(below) > 1:
                return None
            else:
                items.append(below[self._tag])
            odd += 1
            at = end
        return None

    def _content(self, rest: str, items: Items) -> dict[str, Any] | None:
        _, content = parse(rest)
        if not isinstance(content, dict):
            content = {"#text": content} if content else {}
        return None if self._tag in content else {**content, self._tag: items}

    def _run(self, at: int) -> Run | None:
        while True:
            if self._form is not None:
                # Each match begins where the one before it ends.
                matches = list(iter(self._form.pattern.scanner(self._text, at).match, None))  # type: ignore[attr-defined]
                if matches:
                    return Run(self._form, [each.groups() for each in matches], self._text, at, matches[-1].end())
            if not self._learn(at):
                return None

    def _learn(self, at: int) -> bool:
        """Extend the form to that of the next item; False where that is of no use."""
        if not self._lessons:
            return False
        self._lessons -= 1
        closing = f"</{self._tag}>"
        end = self._text.find(closing, at)
        if end < 0:
            return False
        learnt = form_of(self._tag, self._text[at : end + len(closing)])
        if learnt is not None and self._form is not None:
            learnt = extended(self._form, learnt)
        if learnt is None or learnt == self._form:
            return False
        self._form = learnt
        return True
