"""How elements become public models.

A `Record` declares, once per element, which public model it becomes and which child feeds which field through which
converter.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Generic

from app.upstream.columns import rows_of
from app.upstream.document import UNKNOWN, Document, DriftKind, Model, UnexpectedForm
from app.upstream.listed import Listed
from app.upstream.listing import Items, Run, many
from app.upstream.values import Convert, text

Values = dict[str, Any]
"""What a record says, by the names of the model's fields; records within it as the same."""


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

    def read(self, node: Any, document: Document, path: str) -> Model:
        """Build the model from `node`, the content of the element at `path`."""
        return self.model(**self.values(node, document, path))

    def listed(self, items: Items, document: Document, path: str) -> Sequence[Model]:
        """Read a list's items, each of which is an element at `path`."""
        rows: list[Values] = []
        for each in items:
            found = rows_of(self, each, document, path) if isinstance(each, Run) else None
            if found is None:
                models = [self.read(node, document, path) for node in Items([each]).nodes() if node is not None]
                found = [model.model_dump() for model in models]
            rows += found
        return Listed(self.model, rows)

    @property
    def arranges(self) -> bool:
        """Whether the values read are not those that the model has."""
        return type(self).arrange is not Record.arrange

    def values(self, node: Any, document: Document, path: str) -> Values:
        """Read what the model is built from."""
        children = document.children(node, path)
        if not self.known.issuperset(children):
            for name in children.keys() - self.known:
                document.note_unknown(name, children[name], path)
        values = self._leaves(children, document, path)
        for target, (names, record) in self.nested.items():
            values[target] = _values_below(children, names, record, document, path)
        self.arrange(values)
        return values

    def arrange(self, values: Values) -> None:
        """Change the values read, one for each element and nested record, to those that the model has."""

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


def _values_below(
    children: Mapping[str, Any], names: tuple[str, ...], record: Record[Any], document: Document, path: str
) -> list[Values]:
    """Read the records at the end of a path of element names, each of which may occur any number of times."""
    name, *rest = names
    path = f"{path}/{name}"
    if not rest:
        # An empty element where a record could stand is the platform's way of writing "none".
        return [record.values(node, document, path) for node in many(children.get(name)) if node is not None]
    deeper = [document.children(node, path) for node in many(children.get(name))]
    return [item for below in deeper for item in _values_below(below, tuple(rest), record, document, path)]


def _plain_value(leaf: Any, convert: Convert, zone: tzinfo) -> Any:
    """Read a leaf that is a text, as parsing leaves it; None for any other, and for one that cannot be read."""
    if type(leaf) is not str:
        return None
    try:
        return convert(leaf, zone)
    except ValueError:
        return None
