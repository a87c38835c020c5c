"""Reading XML in pieces: a document's text in, the children of its root out, in runs of one form and else as trees.

The frame - what stands before the root and behind it - is passed over. Each child is looked at once: where its form is
known, a pattern takes it and those that follow it; where it can be learnt, it is; else it becomes part of a tree.
"""

import re
from itertools import islice

from app.upstream.drift import DriftKind, NotWellFormed, UnexpectedForm
from app.upstream.forms import ItemForm, Run, Tree
from app.upstream.learning import extended, form_of
from app.upstream.markup import (
    CLEAN_PROLOG,
    HTML,
    LEAVES,
    MAX_DEPTH,
    SURPLUS,
    TOKEN,
    UNFINISHED,
    ReplyBounds,
    refuse_other,
    tree,
)

_RUN = 512
_PIECE = 64 * 1024
_LESSONS = 6
_FEWEST = 3
_MAX_TOKENS = 1_000_000
_MAX_SURPLUS = 16 * 1024
_MAX_COMMENT = 65_536


class XmlReader:
    """Reads one document; `tag` names the children that may come in runs, None means any.

    However the text is cut, the work is linear in its length.
    """

    def __init__(self, *, max_length: int, tag: str | None = None) -> None:
        self.root = ""
        self.repairs: set[DriftKind] = set()
        self.is_whole = True  # as long as nothing was repaired inside the root
        self._tag = tag
        self._max_length = max_length
        self._pieces: list[str] = []
        self._waiting = 0
        self._text = ""
        self._at = 0
        self._scanned = 0
        self._depth = 0
        self._tokens = 0
        self._child = ""
        self._line, self._counted = 1, 0
        self._ended = self._closed = self._carriage_return = self._stalled = False
        self._bounds = ReplyBounds()
        self._form: ItemForm | None = None
        self._lessons = _LESSONS
        self._few: set[str] = set()  # names of children that are too few here for learning their form

    @property
    def held(self) -> int:  # characters that wait to be read
        return self._waiting + len(self._text) - self._at

    def feed(self, text: str) -> None:
        # XML reads every form of line break as one newline, and this one may be cut in two.
        if self._carriage_return:
            text = "\r" + text
        self._carriage_return = text.endswith("\r")
        if self._carriage_return:
            text = text[:-1]
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._pieces.append(text)
        self._waiting += len(text)

    def end(self) -> None:
        self._ended = True

    def next(self) -> Run | Tree | None:
        """Return what comes next below the root; None when that takes more text, or when there is nothing more.

        Raises:
            UnexpectedForm: this is no document, or too large.
            NotWellFormed: it cannot be repaired.
        """
        # What is incomplete is looked at again when there is a good deal more of it.
        if self._stalled and self._waiting * 8 < len(self._text) - self._at - _PIECE // 16 and not self._ended:
            return None
        self._take()
        self._stalled = True
        if not self.root and not self._open():
            return None
        found = None if self._closed else self._below()
        self._stalled = found is None
        if found is None:
            if len(self._text) - self._at > self._max_length:
                raise UnexpectedForm(f"more than {self._max_length} characters in one record")
            if self._ended:
                self._finish()
        return found

    def _take(self) -> None:
        if self._pieces:
            self._count_lines(self._at)
            self._text = "".join([self._text[self._at :], *self._pieces])
            self._scanned = max(self._scanned - self._at, 0)
            self._counted = self._at = self._waiting = 0
            self._pieces = []
            self._few.clear()

    def _count_lines(self, to: int) -> int:
        self._line += self._text.count("\n", self._counted, to)
        self._counted = to
        return self._line

    def _token(self, at: int) -> "re.Match[str] | int | None":
        """Return the token at a place, its end where it is a character that stands for itself, None if it is cut."""
        if self._text.startswith("<!--", at):
            # The pattern would hold everybody up for as long as it looks for a far end.
            end = self._text.find("-->", at + 4)
            if (len(self._text) if end < 0 else end) - at > _MAX_COMMENT:
                raise UnexpectedForm(f"a comment of more than {_MAX_COMMENT} characters")
        found = TOKEN.match(self._text, at)
        if found is not None or at == len(self._text):
            return found
        return None if UNFINISHED.match(self._text, at) else at + 1

    def _open(self) -> bool:
        self._at += len(self._text) - self._at - len(self._text[self._at :].lstrip(SURPLUS))
        at = self._at
        while token := self._token(at):
            if isinstance(token, int):
                if self._text.startswith("<!", at):
                    break
                at = token
            elif token["start"] and token["name"].lower() not in HTML:
                self._begin(token)
                return True
            else:
                at = token.end()
            if at - self._at > _MAX_SURPLUS:
                raise UnexpectedForm("a text instead of XML")
        refuse_other(self._text[at : at + 16].lower())
        if self.held > self._max_length:
            raise UnexpectedForm(f"more than {self._max_length} characters and no record")
        if self._ended:
            self._refuse_nothing()
        return False

    def _begin(self, token: "re.Match[str]") -> None:
        refuse_other(token[0].lower())
        self.root = token["name"]
        if CLEAN_PROLOG.fullmatch(self._text, 0, token.start()) is None:
            self.repairs.add(DriftKind.REPAIRED_FRAME)
        self._closed = token[0].endswith("/>")
        self._at = self._scanned = token.end()

    def _refuse_nothing(self) -> None:
        if not (rest := self._text[self._at :]):
            raise UnexpectedForm("an empty body")
        reason = "no element found" if rest.startswith("<") else "syntax error"
        raise NotWellFormed(f"not well-formed XML: {reason} at line {self._count_lines(self._at)}")

    def _below(self) -> Run | Tree | None:
        """Return what comes next inside the root."""
        if run := self._run():
            return run
        start = end = self._at
        while not self._closed and end - start <= _PIECE:
            begun, passed = end, self._pass_child()
            if passed is None:
                break
            end = passed
            if self._learn(begun, end):
                self._scanned = end = begun
                break
            if self._form is not None and self._form.pattern.match(self._text, end):
                break
        if end == start and not self._closed:
            return self._run()
        text, line = self._text[start:end], self._count_lines(start)
        content = tree(self.root, text, bounds=self._bounds, note=self._note, line=line)
        if self._tag is not None:
            self._bounds.elements = 0
        self._at = self._scanned if self._closed else end
        return Tree(content)

    def _run(self) -> Run | None:
        if self._form is None:
            return None
        # Each match begins where the one before it ends.
        matches: list[re.Match[str]] = list(
            islice(iter(self._form.pattern.scanner(self._text, self._at).match, None), _RUN)  # type: ignore[attr-defined]
        )
        if not matches:
            return None
        start, self._at = self._at, matches[-1].end()
        self._scanned, self._depth = self._at, 0
        if self._tag is None:
            self._bounds.count(len(matches))
        text = self._text[start : self._at]
        return Run(self._form, [each.groups() for each in matches], "&" in text, text)

    def _pass_child(self) -> int | None:
        """Return where the next child ends, or where the root's end begins; None where that takes more text."""
        at = self._scanned
        while token := self._token(at := self._past_leaves(at)):
            self._tokens += 1
            if isinstance(token, int):
                at = token
                continue
            before, at = at, token.end()
            if token["start"]:
                if not self._depth:
                    self._child = token["name"]
                self._depth += not token[0].endswith("/>")
            elif token["end"]:
                self._depth -= 1
                if self._depth < 0:
                    self._close(token)
                    return before
            else:
                continue
            if self._depth > MAX_DEPTH:
                raise NotWellFormed(f"more than {MAX_DEPTH} levels of elements")
            if not self._depth:
                self._scanned, self._tokens = at, self._tokens if self._tag is None else 0
                return at
            if self._tokens > _MAX_TOKENS:
                raise NotWellFormed("more elements than a reply may have")
        self._scanned = at
        return None

    def _past_leaves(self, at: int) -> int:
        leaves = LEAVES.match(self._text, at) if self._depth else None
        if leaves is None:
            return at
        self._tokens += self._text.count("<", at, leaves.end())
        return leaves.end()

    def _close(self, token: "re.Match[str]") -> None:
        if token["ended"] != self.root:
            raise NotWellFormed(f"not well-formed XML: mismatched tag at line {self._count_lines(token.start())}")
        self._closed, self._scanned = True, token.end()

    def _learn(self, start: int, end: int) -> bool:
        """Learn the form of a child; False where that is of no use."""
        name = self._child
        if self._closed or not self._lessons or self._tag not in {None, name} or name in self._few:
            return False
        if self._text.count(f"</{name}>", start) < _FEWEST:
            self._few.add(name)
            return False
        self._lessons -= 1
        learnt = form_of(name, self._text[start:end])
        if learnt is None or not learnt.parts:
            return False
        if self._form is not None and self._form.tag == name:
            learnt = extended(self._form, learnt) or learnt
        if learnt == self._form or not learnt.pattern.match(self._text, start):
            return False
        self._form = learnt
        return True

    def _note(self, kind: DriftKind) -> None:
        self.repairs.add(kind)
        self.is_whole = False

    def _finish(self) -> None:
        rest = self._text[self._at :].strip(SURPLUS)
        if not self._closed:
            end = len(self._text.rstrip())
            reason = "unclosed token" if self._text.startswith("<", self._scanned) else "no element found"
            raise NotWellFormed(f"not well-formed XML: {reason} at line {self._count_lines(end)}")
        if rest and CLEAN_PROLOG.fullmatch(rest) is None:
            self.repairs.add(DriftKind.REPAIRED_FRAME)
        if len(rest) > _MAX_SURPLUS:
            raise NotWellFormed("a text behind the document")
        at = self._at
        while token := self._token(at):
            at = token if isinstance(token, int) else token.end()
            if not isinstance(token, int) and (token["name"] or token["ended"] or "br").lower() not in HTML:
                line = self._count_lines(self._at)
                raise NotWellFormed(f"not well-formed XML: junk after document element at line {line}")
