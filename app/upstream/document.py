"""Access to a decoded reply, with every deviation from the expected form counted as drift.

What the platform adds, leaves out or writes unreadably never breaks decoding: it is noted in `Document.drift` as a path
without its value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel

from app.errors import NotFound
from app.upstream.listed import Listed
from app.upstream.listing import many
from app.upstream.redaction import Redact
from app.upstream.values import Convert, UnknownCode, identifier

if TYPE_CHECKING:
    from app.upstream.records import Record

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
    """Whether what is as it should be may be read without telling `convert` of each leaf."""

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
            node = many(node)[0]
        if isinstance(node, dict):
            if any(not name.startswith(("@", "#")) for name in node):
                # Markup that lost its CDATA section: the text between the tags is not the value.
                self.note(DriftKind.UNREADABLE_VALUE, path)
                return None
            node = node.get("#text")
        return node.strip() if isinstance(node, str) else None

    def record(self, record: "Record[Model]") -> Model:
        """Read the root element itself as a record."""
        return record.read(self.content, self, self.root)

    def records(self, name: str, record: "Record[Model]", *, beside: frozenset[str] = frozenset()) -> Listed[Model]:
        """Read the root's children called `name`: none, one or many; `beside` names the root's other children."""
        children = self.children(self.content, self.root)
        for other in children.keys() - beside - {name}:
            self.note_unknown(other, children[other], self.root)
        return record.listed(children.get(name), self, f"{self.root}/{name}")

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
