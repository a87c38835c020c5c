"""How elements become public models.

A `Record` declares, once per element, which public model it becomes and which child feeds which field through which
converter.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import tzinfo
from typing import Any, Generic

from app.upstream.columns import rows_of
from app.upstream.document import UNKNOWN, Document, DriftKind, Items, Model, UnexpectedForm, many
from app.upstream.forms import Run
from app.upstream.listed import Listed
from app.upstream.values import Convert, text

Values = dict[str, Any]
"""What a record says, by the names of the model's fields; records within it as the same."""


class Element:
    """Where a field's value stands.

    Args:
        names: the element's name and the other spellings it is known by, in order of preference.
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


class Combined:
    """A field that is worked out of what was read.

    Args:
        names: elements or nested records, which may be fields themselves.
    """

    __slots__ = ("make", "names")

    def __init__(self, make: Callable[..., Any], *names: str) -> None:
        self.make = make
        self.names = names


class Record(Generic[Model]):
    """How one element's children become a public model.

    Args:
        elements: the model's field names, and those that others are combined of, each with the element it is read
            from; two may share one.
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
        combined: Mapping[str, Combined] | None = None,
    ) -> None:
        self.model = model
        self.elements = dict(elements)
        self.nested = dict(nested or {})
        self.combined = dict(combined or {})
        known = {name for element in self.elements.values() for name in element.names}
        self.known = frozenset(known | ignored | {path[0] for path, _ in self.nested.values()})
        self._plan = [
            (target, element.names[0], element.convert, element.may_be_empty, element)
            for target, element in self.elements.items()
        ]

    def read(self, node: Any, document: Document, path: str) -> Model:
        """Build the model from `node`, the content of the element at `path`."""
        return self.model(**self.values(node, document, path))

    def listed(self, nodes: Any, document: Document, path: str) -> Listed[Model]:
        """Read a list's items, `nodes`, each of which is an element at `path`."""
        if not isinstance(nodes, Items) or not document.takes_short_cuts:
            return Listed(self.model, self.rows(many(nodes), document, path), is_whole=document.is_whole)
        rows: list[Values] = []
        for each in nodes:
            found = rows_of(self, each, document, path) if isinstance(each, Run) else None
            rows += self.rows(Items([each]).nodes(), document, path) if found is None else found
        return Listed(self.model, rows, is_whole=document.is_whole)

    def rows(self, nodes: Iterable[Any], document: Document, path: str) -> list[Values]:
        """Read records at `path` one by one."""
        # An empty element where a record could stand is the platform's way of writing "none".
        return [self.values(node, document, path) for node in nodes if node is not None]

    def values(self, node: Any, document: Document, path: str) -> Values:
        """Read what the model is built from."""
        children = document.children(node, path, self.known)
        if not self.known.issuperset(children):
            note_others(children, self.known, document, path)
        values = self._leaves(children, document, path)
        for target, (names, record) in self.nested.items():
            values[target] = _values_below(children, names, record, document, path)
        made = {name: each.make(*map(values.__getitem__, each.names)) for name, each in self.combined.items()}
        return {name: made[name] if name in made else values[name] for name in self.model.model_fields}

    def _leaves(self, children: Mapping[str, Any], document: Document, path: str) -> Values:
        values: Values = {}
        zone = document.zone
        for target, name, convert, may_be_empty, element in self._plan:
            leaf = children.get(name)
            # Next to all elements are as they should be.
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
    def _value(element: Element, children: Mapping[str, Any], document: Document, path: str) -> Any:
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


def note_others(children: Mapping[str, Any], known: Collection[str], document: Document, path: str) -> None:
    """Count the children that nobody declared; raises `UnexpectedForm` where there are no others."""
    others = children.keys() - known
    for name in others:
        document.note_unknown(name, children[name], path)
    if others - {"#text"} and children.keys().isdisjoint(known):
        raise UnexpectedForm(f"nothing of what is promised in {path}")


def _values_below(
    children: Mapping[str, Any], names: tuple[str, ...], record: Record[Any], document: Document, path: str
) -> list[Values]:
    """Read the records at the end of a path of element names, each of which may occur any number of times."""
    name, *rest = names
    path = f"{path}/{name}"
    if not rest:
        return record.rows(many(children.get(name)), document, path)
    deeper = [document.children(node, path, rest) for node in many(children.get(name))]
    for below in deeper:
        note_others(below, rest[:1], document, path)
    return [item for below in deeper for item in _values_below(below, tuple(rest), record, document, path)]


def _plain_value(leaf: Any, convert: Convert, zone: tzinfo) -> Any:
    """Read a leaf that is a text, as parsing leaves it; None for any other, and for one that cannot be read."""
    if type(leaf) is not str:
        return None
    try:
        return convert(leaf, zone)
    except ValueError:
        return None
