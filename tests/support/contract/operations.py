"""Changes of operations: paths, parameters, bodies, answers, and who may ask."""

from collections.abc import Iterator, Mapping

from tests.support.contract.changes import Change, Documents, Part, Side, Weight
from tests.support.contract.schemas import SchemaComparison

_Found = Iterator[Change]


def compare_documents(old: Part, new: Part) -> list[Change]:
    """Return what changed from one document to another, as far as it matters to clients of the first."""
    documents = Documents(old, new)
    return [*_paths(documents), *_names(documents)]


def _names(documents: Documents) -> _Found:
    """Generated clients call their types by the names of schemas; on the wire nobody sees them."""
    olds, news = (document["components"]["schemas"] for document in (documents.old, documents.new))
    for name in olds.keys() - news.keys():
        yield Change("schema_name_removed", name, Weight.WARNING)


def _paths(documents: Documents) -> _Found:
    for path, item in documents.old["paths"].items():
        if path not in documents.new["paths"]:
            yield Change("path_removed", path)
            continue
        after = documents.new["paths"][path]
        for method, operation in item.items():
            place = f"{method.upper()} {path}"
            if method not in after:
                yield Change("method_removed", place)
            else:
                yield from _OperationComparison(documents, place).compare(operation, after[method])


class _OperationComparison:
    def __init__(self, documents: Documents, place: str) -> None:
        self._documents = documents
        self._place = place
        self._sent = SchemaComparison(documents, Side.REQUEST)
        self._answered = SchemaComparison(documents, Side.ANSWER)

    def compare(self, old: Part, new: Part) -> _Found:
        if old["operationId"] != new["operationId"]:
            yield Change("operation_id_changed", self._place)
        yield from self._security(old, new)
        yield from self._parameters(old, new)
        yield from self._body(old, new)
        yield from self._answers(old, new)

    def _security(self, old: Part, new: Part) -> _Found:
        """Whoever had what one of the alternatives asked for must have what one of the new ones asks for."""
        news = new.get("security") or [{}]
        for before in old.get("security") or [{}]:
            if not any(_satisfies(before, after) for after in news):
                yield Change("security_strengthened", self._place)

    def _parameters(self, old: Part, new: Part) -> _Found:
        olds, news = _parameters(old), _parameters(new)
        for key, before in olds.items():
            place = f"{self._place} {' '.join(key)}"
            if key not in news:
                yield Change("parameter_removed", place)
                continue
            after = news[key]
            if after.get("required") and not before.get("required"):
                yield Change("parameter_required", place)
            yield from self._sent.compare(before["schema"], after["schema"], place)
        for key in news.keys() - olds.keys():
            if news[key].get("required"):
                yield Change("required_parameter_added", f"{self._place} {' '.join(key)}")

    def _body(self, old: Part, new: Part) -> _Found:
        before, after = old.get("requestBody"), new.get("requestBody")
        place = f"{self._place} body"
        if before is None or after is None:
            if before is not None:
                yield Change("body_removed", place)
            elif after is not None and after.get("required"):
                yield Change("body_required", place)
            return
        if after.get("required") and not before.get("required"):
            yield Change("body_required", place)
        yield from self._content(before, after, place, self._sent)

    def _content(self, old: Part, new: Part, place: str, comparison: SchemaComparison) -> _Found:
        olds, news = old.get("content", {}), new.get("content", {})
        for media_type, content in olds.items():
            if media_type not in news:
                yield Change("media_type_removed", f"{place} {media_type}")
            else:
                schemas = (content.get("schema", {}), news[media_type].get("schema", {}))
                yield from comparison.compare(*schemas, f"{place} {media_type}")

    def _answers(self, old: Part, new: Part) -> _Found:
        for status, answer in old["responses"].items():
            place = f"{self._place} {status}"
            otherwise = new["responses"].get("default") if status >= "400" else None
            present = new["responses"].get(status, otherwise)
            if present is None:
                yield Change("status_removed", place)
                continue
            before, after = self._documents.resolved(answer, present)
            yield from self._content(before, after, place, self._answered)
            for name in before.get("headers", {}).keys() - after.get("headers", {}).keys():
                yield Change("header_removed", f"{place} {name}")
            for code in _codes(before) - _codes(after):
                yield Change("problem_code_removed", f"{place} {code}", Weight.WARNING)
        for status in new["responses"].keys() - old["responses"].keys():
            if status < "400":
                yield Change("success_added", f"{self._place} {status}", Weight.WARNING)


def _satisfies(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> bool:
    return all(name in before and set(scopes) <= set(before[name]) for name, scopes in after.items())


def _parameters(operation: Part) -> dict[tuple[str, str], Part]:
    return {(each["in"], each["name"]): each for each in operation.get("parameters", ())}


def _codes(answer: Part) -> set[str]:
    return {code for content in answer.get("content", {}).values() for code in content.get("examples", {})}
