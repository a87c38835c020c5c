"""Access to a decoded reply: what is as promised is read, what departs from it is counted as drift or refused."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel

from app.errors import NotFound
from app.upstream.drift import Drift, DriftKind, MissingId, UnexpectedForm
from app.upstream.forms import Run
from app.upstream.listed import Listed
from app.upstream.markup import HTML, SURPLUS
from app.upstream.redaction import Redact
from app.upstream.values import Convert, Repaired, UnknownCode, identifier, integer

if TYPE_CHECKING:
    from app.upstream.records import Record

__all__ = ["UNKNOWN", "Document", "Drift", "DriftKind", "Items", "MissingId", "UnexpectedForm", "many"]

Model = TypeVar("Model", bound=BaseModel)

UNKNOWN = "unknown"
_MOST_NOTES = 64
_STRAY = f"{SURPLUS};"
_ERRORS = HTML | {"error", "errors", "exception", "warning", "notice", "fault"}
"""Elements that stand where something went wrong, and never in what the manual promises."""
_PHP = re.compile(r"\b(?:Warning|Notice|Deprecated|(?:Fatal|Parse) error|Uncaught)\b")
_BARE_ID = re.compile(r"\s*([1-9][0-9]{0,17})\s*")
_AROUND = r"[\s\"'“”‘’()（）\[\],，;；:：.。!！]*"
_WRITTEN_ID = re.compile(rf"{_AROUND}([1-9][0-9]{{0,2}}(?:,[0-9]{{3}}){{1,5}}|[1-9][0-9]{{0,17}})(?:\.0+)?{_AROUND}")
"""A number alone, quoted, with separators or punctuation."""


class Items(list["Run | Any"]):
    """The items of a list in their order: runs, and trees of those that are in no run."""

    def nodes(self) -> list[Any]:
        """Return all items as trees."""
        return [node for each in self for node in (each.nodes() if isinstance(each, Run) else [each])]


def many(node: Any) -> list[Any]:
    """Return the elements of one name, as trees: none, one or several."""
    if isinstance(node, Items):
        return node.nodes()
    return node if isinstance(node, list) else [] if node is None else [node]


@dataclass(slots=True)
class Document:
    """A reply; `content` is what xmltodict makes of its root, or the plain text where there is no root.

    `redact` masks secrets in what is told of the reply outside its data.
    """

    takes_short_cuts: ClassVar[bool] = True
    """Whether what is as it should be may be read without telling `convert` of each leaf."""

    root: str
    content: Any
    zone: tzinfo
    status: str | None = None
    drift: set[Drift] = field(default_factory=set)
    redact: Redact = str
    is_whole: bool = True
    """Whether nothing was repaired inside the root."""
    _noted: set[tuple[DriftKind, str]] = field(default_factory=set)

    def note(self, kind: DriftKind, path: str) -> None:
        """Count a deviation, once for all records of a reply, and not without end."""
        if (kind, path) not in self._noted and len(self._noted) < _MOST_NOTES:
            self._noted.add((kind, path))
            self.drift.add(Drift(kind, self.redact(path)))

    def note_unknown(self, name: str, content: Any, path: str) -> None:
        """Count an element nobody declared.

        Raises:
            UnexpectedForm: errors are written in it, or it is a text beside what the root promises.
        """
        if name == "#text":
            self.is_whole = False
            is_stray = not str(content).strip(_STRAY)
            if not is_stray and (path == self.root or _PHP.search(str(content))):
                raise UnexpectedForm(f"a text between the elements of <{self.redact(path)[-64:]}>")
            self.note(DriftKind.REPAIRED_MARKUP if is_stray else DriftKind.UNKNOWN_ELEMENT, f"{path}/{name}")
            return
        if name.lower() in _ERRORS:
            raise UnexpectedForm(f"<{name}> inside <{self.redact(path)[-64:]}>")
        self.note(DriftKind.UNKNOWN_ELEMENT, f"{path}/{name}")

    def children(self, node: Any, path: str, known: Collection[str] = ()) -> Mapping[str, Any]:
        """Return an element's children, those that are known in another case by the names that are known.

        Raises:
            UnexpectedForm: there is a text instead.
        """
        if isinstance(node, dict):
            if all(name in known or name.islower() for name in node):
                return node
            return self._in_known_case(node, path, known)
        if node is not None and str(node).strip(_STRAY):
            raise UnexpectedForm(f"a text instead of elements in <{self.redact(path)[-64:]}>")
        return {}

    def _in_known_case(self, node: Mapping[str, Any], path: str, known: Collection[str]) -> Mapping[str, Any]:
        read: dict[str, Any] = {}
        for name, content in node.items():
            meant = name if name in known or name.lower() not in known or name.lower() in node else name.lower()
            if meant != name:
                self.is_whole = False
                self.note(DriftKind.REPAIRED_NAME, f"{path}/{meant}")
            read[meant] = content
        return read

    def refuse_errors(self) -> None:
        """Look for what tells of errors in the root; raises `UnexpectedForm` where there is some."""
        for name in self.content:
            if name == "#text" or name.lower() in _ERRORS:
                self.note_unknown(name, self.content[name], self.root)

    def expect(self, known: Collection[str], rows: str = "") -> Mapping[str, Any]:
        """Return the root's children, of which something must be known if there are any; `rows` in the root only.

        Raises:
            UnexpectedForm: there is something else beside or instead of them.
        """
        children = self.children(self.content, self.root, known)
        for name in children.keys() - known:
            if wraps(children[name], rows):
                raise UnexpectedForm(f"<{self.redact(name)[:64]}> inside <{self.root}>")
            self.note_unknown(name, children[name], self.root)
        if children.keys() - {"#text"} and children.keys().isdisjoint(known):
            raise UnexpectedForm(f"nothing of what is promised in <{self.root}>")
        return children

    def convert(self, node: Any, convert: Convert, path: str) -> Any:
        """Read a leaf: None when it is empty or unreadable, "unknown" for an undocumented code."""
        value = self._leaf(node, path)
        if not value:
            return None
        try:
            return convert(value, self.zone)
        except Repaired as repaired:
            self.note(DriftKind.REPAIRED_VALUE, path)
            return repaired.value
        except UnknownCode:
            self.note(DriftKind.UNKNOWN_CODE, path)
            return UNKNOWN
        except ValueError:
            self.note(DriftKind.UNREADABLE_VALUE, path)
            return None

    def _leaf(self, node: Any, path: str) -> str | None:
        if isinstance(node, list):
            self.note(DriftKind.UNREADABLE_VALUE, path)
            node = many(node)[0]
        if isinstance(node, dict):
            if not node.keys().isdisjoint(_ERRORS) and _PHP.search(str(node)):
                raise UnexpectedForm(f"an error message in {path}")
            # Markup that lost its CDATA section: the text between the tags is not the value.
            self.note(DriftKind.UNREADABLE_VALUE, path)
            return None
        return node.strip() if isinstance(node, str) else None

    def record(self, record: "Record[Model]") -> Model:
        """Read the root element itself as a record."""
        return record.read(self.expect(record.known), self, self.root)

    def records(self, name: str, record: "Record[Model]", *, beside: frozenset[str] = frozenset()) -> Listed[Model]:
        """Read the root's children called `name`: none, one or many; `beside` names what is promised beside them."""
        children = self.expect(beside | {name}, name)
        if not beside <= children.keys():
            self.is_whole = False
        return record.listed(children.get(name), self, f"{self.root}/{name}")

    def one(
        self, name: str, record: "Record[Model]", expected: int, *, missing: str, beside: frozenset[str] = frozenset()
    ) -> Model:
        """Read the one child of the root that was asked for by its `id`; a platform may list others beside it.

        Raises:
            NotFound: there are no children; `missing` says what is not there.
            UnexpectedForm: it is not among them, or more than once.
        """
        found = self.records(name, record, beside=beside)
        if not found:
            for count in beside:
                self.expect_rows(self.leaf(count, integer), before=0, received=0)
            raise NotFound(missing)
        asked_for = [each for each in found if getattr(each, "id", None) == expected]
        if len(asked_for) != 1:
            raise UnexpectedForm("another resource than the one asked for")
        return asked_for[0]

    @staticmethod
    def expect_rows(total: int | None, *, before: int, received: int) -> None:
        """Check a page against the count that comes with it.

        Raises:
            UnexpectedForm: it says that there are rows on this page, and there are none.
        """
        if total is not None and total > before and not received:
            raise UnexpectedForm("a page without the rows that its count promises")

    def leaf(self, name: str, convert: Convert) -> Any:
        """Read one child of the root; None when it is absent, empty or unreadable."""
        children = self.children(self.content, self.root, (name,))
        return self.convert(children[name], convert, f"{self.root}/{name}") if name in children else None

    def expect_id(self, name: str, expected: int, *, missing: str) -> None:
        """Check that the root is the resource that was asked for.

        Raises:
            NotFound: it is empty; `missing` says what is not there.
            UnexpectedForm: it is another one.
        """
        found = self.leaf(name, identifier)
        children = self.children(self.content, self.root, (name,))
        if found is None and not any(content for other, content in children.items() if other != name):
            raise NotFound(missing)
        if found != expected:
            raise UnexpectedForm("another resource than the one asked for")

    def created_id(self) -> int:
        """Return the id that a creating call answers.

        It stands in `<id>` (manual 5.1) or `<address_id>`, in `<data>` (4.3), or is all there is (5.2 promises the id
        and no form). A number at the end of a sentence is no id: no reply is known that says one so.

        Raises:
            MissingId: the platform reports success and gives no id.
            UnexpectedForm: it reports nothing of the kind.
        """
        if self.status is None:
            bare = _BARE_ID.fullmatch(self.content) if not self.root and isinstance(self.content, str) else None
            if bare is None:
                raise UnexpectedForm("no result")
            return int(bare[1])
        for text in _ids_in(self.content):
            if match := _WRITTEN_ID.fullmatch(text):
                return int(match[1].replace(",", ""))
        raise MissingId("a result without the id of what was created")


def is_unusual(names: Collection[str], known: Collection[str]) -> bool:
    """Tell whether elements must be looked at one by one: none is known, or one is by another case or as an error."""
    others = [name for name in names if name not in known]
    return len(others) == len(names) or any(name.lower() in known or name.lower() in _ERRORS for name in others)


def wraps(content: Any, name: str) -> bool:
    """Tell whether an element that nobody knows holds what was promised beside it."""
    return any(isinstance(each, dict) and name in map(str.lower, each) for each in many(content))


def _ids_in(content: Any) -> list[str]:
    """Return the texts that may hold an id, those that say so first."""
    if not isinstance(content, dict):
        return []
    named = [content.get(name) for name in ("id", "address_id")]
    data = content.get("data")
    below = _ids_in(data) if isinstance(data, dict) else [data]
    return [each.strip() for each in (*named, *below) if isinstance(each, str)]
