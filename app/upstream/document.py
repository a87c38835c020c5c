"""Typed access to a decoded reply, with every deviation from the expected form counted as drift.

A `Record` declares, once per element, which public model it becomes and which child feeds which field through which
converter. What the platform adds, leaves out or writes unreadably never breaks decoding: it is noted in
`Document.drift` as a path without its value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from app.errors import NotFound
from app.upstream.redaction import Redact
from app.upstream.values import Convert, UnknownCode, identifier, text

Model = TypeVar("Model", bound=BaseModel)

UNKNOWN = "unknown"
_BARE_ID = re.compile(r"\s*([1-9][0-9]{0,17})\s*")
_TRAILING_ID = re.compile(r"(?<![0-9.-])(?<![0-9],)([1-9][0-9]{0,17})\s*$")
_NOISE = frozenset({"", ";"})


class UnexpectedForm(ValueError):
    """A reply that is well-formed but cannot be what was asked for; the text names the path, never a value."""


class MissingId(UnexpectedForm):
    """The platform reports that it created something, and not what."""


class DriftKind(StrEnum):
    """How a reply departs from the manual and from what was observed."""

    UNKNOWN_ELEMENT = "unknown_element"
    MISSING_ELEMENT = "missing_element"
    UNKNOWN_CODE = "unknown_code"
    UNREADABLE_VALUE = "unreadable_value"
    UNDECODABLE_BYTES = "undecodable_bytes"


@dataclass(frozen=True, slots=True)
class Drift:
    """One deviation: its kind and the path of the element."""

    kind: DriftKind
    path: str


class Element:
    """Where a field's value stands.

    Args:
        names: the element's name and the other spellings it is known by, in order of preference.
        convert: reads the text.
        required: without a readable value the reply is refused.
        optional: the manual lets the element be absent, so its absence is no drift.
    """

    __slots__ = ("convert", "may_be_empty", "names", "optional", "required")

    def __init__(self, *names: str, convert: Convert = text, required: bool = False, optional: bool = False) -> None:
        self.names = names
        self.convert = convert
        self.required = required
        self.optional = optional
        self.may_be_empty = len(names) == 1 and not required


class Record(Generic[Model]):
    """How one element's children become a public model.

    Args:
        model: the model to build.
        elements: the model's field names, each with the element it is read from; two fields may share one.
        ignored: children that are known and deliberately not passed on.
        nested: fields built from child records: the path of names below the element, and the record at its end.
    """

    def __init__(
        self,
        model: type[Model],
        elements: Mapping[str, Element],
        *,
        ignored: frozenset[str] = frozenset(),
        nested: Mapping[str, tuple[tuple[str, ...], "Record[Any]"]] | None = None,
    ) -> None:
        self.model = model
        self.elements = dict(elements)
        self.nested = dict(nested or {})
        known = {name for element in self.elements.values() for name in element.names}
        self.known = frozenset(known | ignored | {path[0] for path, _ in self.nested.values()})
        self._plan = [
            (target, element.names[0], element.convert, element.may_be_empty, element)
            for target, element in self.elements.items()
        ]

    def read(self, node: Any, document: "Document", path: str) -> Model:
        """Build the model from `node`, the content of the element at `path`."""
        children = document.children(node, path)
        if not self.known.issuperset(children):
            for name in children.keys() - self.known:
                document.note_unknown(name, children[name], path)
        values = self._values(children, document, path)
        for target, (names, record) in self.nested.items():
            values[target] = document.records_below(children, names, record, path)
        return self.build(values)

    def build(self, values: dict[str, Any]) -> Model:
        """Make the model from the values read; for records whose fields are gathered from several elements."""
        return self.model(**values)

    def _values(self, children: Mapping[str, Any], document: "Document", path: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        zone = document.zone
        for target, name, convert, may_be_empty, element in self._plan:
            leaf = children.get(name)
            # A reply has thousands of elements, and next to all of them are as they should be.
            if document.takes_short_cuts:
                if leaf is None and may_be_empty and (element.optional or name in children):
                    values[target] = None
                    continue
                if (value := _plain_value(leaf, convert, zone)) is not None:
                    values[target] = value
                    continue
            values[target] = self._value(element, children, document, path)
        return values

    @staticmethod
    def _value(element: Element, children: Mapping[str, Any], document: "Document", path: str) -> Any:
        # Where the platform writes several spellings, the one that says something counts.
        name = next((name for name in element.names if children.get(name)), None)
        if name is not None:
            value = document.convert(children[name], element.convert, f"{path}/{name}")
        else:
            value = None
            if not element.optional and children.keys().isdisjoint(element.names):
                document.note(DriftKind.MISSING_ELEMENT, f"{path}/{element.names[0]}")
        if element.required and (value is None or value == UNKNOWN):
            raise UnexpectedForm(f"no usable {path}/{element.names[0]}")
        return value


@dataclass(slots=True)
class Document:
    """A well-formed reply.

    Args:
        root: the root element's name; empty for plain text.
        content: its content as `app.upstream.xml.parse` returns it, or the plain text.
        zone: the platform's time zone.
        status: the `<result>` envelope's status word, where the reply is one.
        drift: the deviations met so far.
        redact: masks secrets in what is told of the reply outside its data.
    """

    takes_short_cuts: ClassVar[bool] = True
    """Whether leaves in which nothing is special may be read without `convert`."""

    root: str
    content: Any
    zone: tzinfo
    status: str | None = None
    drift: set[Drift] = field(default_factory=set)
    redact: Redact = str
    _noted: set[tuple[DriftKind, str]] = field(default_factory=set)

    def note(self, kind: DriftKind, path: str) -> None:
        """Count a deviation, once for all records of a reply."""
        if (kind, path) not in self._noted:
            self._noted.add((kind, path))
            self.drift.add(Drift(kind, self.redact(path)))

    def noting(self, kind: DriftKind, path: str) -> "Document":
        """Count a deviation and return the document."""
        self.note(kind, path)
        return self

    def note_unknown(self, name: str, content: Any, path: str) -> None:
        """Count an element nobody declared; attributes and stray semicolons carry nothing and are passed over."""
        if name.startswith("@") or (name == "#text" and str(content).strip() in _NOISE):
            return
        self.note(DriftKind.UNKNOWN_ELEMENT, f"{path}/{name}")

    def children(self, node: Any, path: str) -> Mapping[str, Any]:
        """Return an element's children; an element with text only has none."""
        if isinstance(node, dict):
            return node
        if node is not None:
            self.note(DriftKind.UNREADABLE_VALUE, path)
        return {}

    def convert(self, node: Any, convert: Convert, path: str) -> Any:
        """Read a leaf: None when it is empty or unreadable, "unknown" for an undocumented code."""
        value = self._leaf(node, path)
        if not value:
            return None
        try:
            return convert(value, self.zone)
        except UnknownCode:
            self.note(DriftKind.UNKNOWN_CODE, path)
            return UNKNOWN
        except ValueError:
            self.note(DriftKind.UNREADABLE_VALUE, path)
            return None

    def _leaf(self, node: Any, path: str) -> str | None:
        if isinstance(node, list):
            self.note(DriftKind.UNREADABLE_VALUE, path)
            node = node[0]
        if isinstance(node, dict):
            if any(not name.startswith(("@", "#")) for name in node):
                # Markup that lost its CDATA section: the text between the tags is not the value.
                self.note(DriftKind.UNREADABLE_VALUE, path)
                return None
            node = node.get("#text")
        return node.strip() if isinstance(node, str) else None

    def record(self, record: Record[Model]) -> Model:
        """Read the root element itself as a record."""
        return record.read(self.content, self, self.root)

    def records(self, name: str, record: Record[Model], *, beside: frozenset[str] = frozenset()) -> list[Model]:
        """Read the root's children called `name`: none, one or many; `beside` names the root's other children."""
        children = self.children(self.content, self.root)
        for other in children.keys() - beside - {name}:
            self.note_unknown(other, children[other], self.root)
        return self.records_below(children, (name,), record, self.root)

    def records_below(
        self, children: Mapping[str, Any], names: tuple[str, ...], record: Record[Model], path: str
    ) -> list[Model]:
        """Read the records at the end of a path of element names, each of which may occur any number of times."""
        name, *rest = names
        path = f"{path}/{name}"
        if not rest:
            # An empty element where a record could stand is the platform's way of writing "none".
            return [record.read(node, self, path) for node in _many(children.get(name)) if node is not None]
        deeper = [self.children(node, path) for node in _many(children.get(name))]
        return [item for below in deeper for item in self.records_below(below, tuple(rest), record, path)]

    def leaf(self, name: str, convert: Convert) -> Any:
        """Read one child of the root; None when it is absent, empty or unreadable."""
        children = self.children(self.content, self.root)
        return self.convert(children[name], convert, f"{self.root}/{name}") if name in children else None

    def expect_id(self, name: str, expected: int, *, missing: str) -> None:
        """Check that the root is the resource that was asked for.

        Raises:
            NotFound: it has no id; `missing` says what is not there.
            UnexpectedForm: it is another one.
        """
        found = self.leaf(name, identifier)
        if found is None:
            raise NotFound(missing)
        if found != expected:
            raise UnexpectedForm("another resource than the one asked for")

    def created_id(self) -> int:
        """Return the id that a creating call answers.

        It stands in `<id>` (manual 5.1) or in `<data>` (4.3), alone or at the end of a text (4.9.1: the message
        contains it), or is all there is (5.2 promises the id and no form). Text outside of a result counts only if it
        is the id and nothing else: a number may end an error as well.

        Raises:
            MissingId: the platform reports success and gives no id.
            UnexpectedForm: it reports nothing of the kind.
        """
        if self.status is None:
            bare = _BARE_ID.fullmatch(self.content) if not self.root and isinstance(self.content, str) else None
            if bare is None:
                raise UnexpectedForm("no result")
            return int(bare[1])
        children = self.children(self.content, self.root)
        for name in ("id", "data"):
            match = _TRAILING_ID.search(self._leaf(children.get(name), name) or "")
            if match:
                return int(match[1])
        raise MissingId("a result without the id of what was created")


def _plain_value(leaf: Any, convert: Convert, zone: tzinfo) -> Any:
    """Read a leaf that is a text, as parsing leaves it; None for any other, and for one that cannot be read."""
    if type(leaf) is not str:
        return None
    try:
        return convert(leaf, zone)
    except ValueError:
        return None


def _many(node: Any) -> list[Any]:
    return node if isinstance(node, list) else [] if node is None else [node]
