"""Changes of schemas. What is sent must still be taken, and what is answered must still be understood.

A value added to an enumeration of answers counts as breaking: generated clients make closed types of enumerations and
raise at a value they do not know, and every enumeration of answers that may grow has `unknown` for it.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tests.support.contract.changes import Change, Documents, Part, Side, Weight

_AT_LEAST = ("minimum", "minLength", "minItems", "minProperties")
_AT_MOST = ("maximum", "maxLength", "maxItems", "maxProperties")
_EITHER_WAY = (
    "pattern",
    "not",
    "propertyNames",
    "uniqueItems",
    "multipleOf",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "contentEncoding",
    "contentMediaType",
    "allOf",
    "oneOf",
)
_WIDER = {"integer": {"integer", "number"}}
_Found = Iterator[Change]


class SchemaComparison:
    """Compares the schemas of two documents.

    Args:
        documents: the documents.
        side: who writes what the schemas describe.
    """

    def __init__(self, documents: Documents, side: Side) -> None:
        self._documents = documents
        self._side = side
        self._under_way: set[tuple[str, str]] = set()

    def compare(self, old: Part, new: Part, place: str) -> _Found:
        """Yield what changed from one schema to the other; schemas that contain themselves end the search."""
        references = (old.get("$ref", ""), new.get("$ref", ""))
        if all(references):
            if references in self._under_way:
                return
            self._under_way.add(references)
        yield from self._compare(*self._documents.resolved(old, new), place)
        self._under_way.discard(references)

    def _compare(self, old: Part, new: Part, place: str) -> _Found:
        if "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(old, new, place)
            return
        checks: tuple[Callable[[Part, Part, str], _Found], ...] = (
            self._types,
            self._format,
            self._values,
            self._limits,
            self._rules,
            self._properties,
            self._parts,
            self._default,
        )
        for check in checks:
            yield from check(old, new, place)

    @property
    def _sent(self) -> bool:
        return self._side is Side.REQUEST

    def _alternatives(self, old: Part, new: Part, place: str) -> _Found:
        olds, news = old.get("anyOf", [old]), new.get("anyOf", [new])
        if [_kind(each) for each in olds] == [_kind(each) for each in news]:
            for before, after in zip(olds, news, strict=True):
                yield from self.compare(before, after, place)
            return
        given, covering = (olds, news) if self._sent else (news, olds)
        for each in given:
            if not any(self._covers(each, other) for other in covering):
                yield Change(f"{self._side}_alternative_{'removed' if self._sent else 'added'}", place)

    def _covers(self, given: Part, other: Part) -> bool:
        old, new = (given, other) if self._sent else (other, given)
        return all(change.weight is not Weight.BREAKING for change in self.compare(old, new, ""))

    def _types(self, old: Part, new: Part, place: str) -> _Found:
        olds, news = _types(old), _types(new)
        narrow, wide = (olds, news) if self._sent else (news, olds)
        if any(wide.isdisjoint(_WIDER.get(each, {each})) for each in narrow):
            yield Change(f"{self._side}_type_changed", place)

    def _format(self, old: Part, new: Part, place: str) -> _Found:
        before, after = (None if each.get("format") == "int64" else each.get("format") for each in (old, new))
        loosened = after is None if self._sent else before is None
        if before != after and not loosened:
            yield Change(f"{self._side}_format_changed", place)

    def _values(self, old: Part, new: Part, place: str) -> _Found:
        olds, news = _values(old), _values(new)
        narrow, wide = (olds, news) if self._sent else (news, olds)
        if wide is not None and (narrow is None or any(value not in wide for value in narrow)):
            yield Change(f"{self._side}_enum_{'narrowed' if self._sent else 'widened'}", place)

    def _limits(self, old: Part, new: Part, place: str) -> _Found:
        weight = Weight.BREAKING if self._sent else Weight.WARNING
        inner, outer = (new, old) if self._sent else (old, new)
        for names, sign in ((_AT_LEAST, 1), (_AT_MOST, -1)):
            for name in names:
                limit, other = inner.get(name), outer.get(name)
                if limit is not None and (other is None or sign * limit > sign * other):
                    yield Change(f"{self._side}_{name}_{'narrowed' if self._sent else 'widened'}", place, weight)

    def _rules(self, old: Part, new: Part, place: str) -> _Found:
        """Rules of which nobody can tell whether they became stricter, unless they have gone."""
        if self._sent:
            for name in _EITHER_WAY:
                if new.get(name) not in (None, old.get(name)):
                    yield Change(f"request_{name}_changed", place)

    def _properties(self, old: Part, new: Part, place: str) -> _Found:
        olds, news = old.get("properties", {}), new.get("properties", {})
        for name in olds:
            if name in news:
                yield from self.compare(olds[name], news[name], f"{place}/{name}")
            elif not self._sent or new.get("additionalProperties") is False:
                yield Change(f"{self._side}_property_removed", f"{place}/{name}")
        before, after = set(old.get("required", ())), set(new.get("required", ()))
        if self._sent:
            for name in sorted(after - before):
                yield Change("request_property_required", f"{place}/{name}")
        else:
            for name in sorted((before - after) & set(news)):
                yield Change("answer_property_optional", f"{place}/{name}")

    def _parts(self, old: Part, new: Part, place: str) -> _Found:
        for name in ("items", "additionalProperties", "contentSchema"):
            before, after = old.get(name, True), new.get(name, True)
            if isinstance(before, dict) and isinstance(after, dict):
                yield from self.compare(before, after, f"{place}/{name}")
            elif self._sent and before is not False and after not in (True, before):
                yield Change("request_closed", f"{place}/{name}")
            elif not self._sent and isinstance(before, dict) and after is True:
                yield Change("answer_opened", f"{place}/{name}")
        olds, news = old.get("patternProperties", {}), new.get("patternProperties", {})
        for pattern in olds:
            if pattern in news:
                yield from self.compare(olds[pattern], news[pattern], f"{place}/{pattern}")
            else:
                yield Change(f"{self._side}_names_changed", f"{place}/{pattern}")

    def _default(self, old: Part, new: Part, place: str) -> _Found:
        if self._sent and "default" in old and old["default"] != new.get("default"):
            yield Change("request_default_changed", place, Weight.WARNING)


def _kind(alternative: Part) -> tuple[Any, Any]:
    return alternative.get("$ref"), alternative.get("type")


def _types(schema: Part) -> set[str]:
    given = schema.get("type", ["array", "boolean", "null", "number", "object", "string"])
    return {given} if isinstance(given, str) else set(given)


def _values(schema: Part) -> list[Any] | None:
    values: list[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    return values
