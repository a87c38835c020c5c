"""Models that are made only where somebody looks at them: a list is as good as always passed on whole, as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import orjson
from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


class Listed(Sequence[Model], Generic[Model]):
    """A list of models of which there is nothing yet but the values of their fields, in their order."""

    def __init__(self, model: type[Model], rows: list[dict[str, Any]], *, is_whole: bool = True) -> None:
        self.model = model
        self.rows = rows
        self.is_whole = is_whole
        """Whether nothing was repaired inside the list, and what it promises is there; only then does it prove that
        something is not there."""

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Model: ...
    @overload
    def __getitem__(self, index: slice) -> "Listed[Model]": ...
    def __getitem__(self, index: int | slice) -> "Model | Listed[Model]":
        if isinstance(index, slice):
            return Listed(self.model, self.rows[index], is_whole=self.is_whole)
        return self.model(**self.rows[index])

    def __iter__(self) -> Iterator[Model]:
        return (self.model(**row) for row in self.rows)


def to_json(result: BaseModel) -> bytes:
    """Return a public model as JSON, the same bytes that `model_dump_json` gives."""
    if any(isinstance(value, Listed) for value in result.__dict__.values()):
        return orjson.dumps(result.__dict__, default=_plain, option=orjson.OPT_UTC_Z)
    # What `model_dump_json` asks for a text, which would only become bytes again.
    return result.__pydantic_serializer__.to_json(result)


def _plain(value: Any) -> Any:
    return value.rows if isinstance(value, Listed) else value.model_dump(mode="json")
