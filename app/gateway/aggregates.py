"""Exports boiled down to figures as they come, whatever their size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from app.gateway.operation import CachePolicy, Export
from app.gateway.streaming import Rows, RowStream

In = TypeVar("In", contravariant=True)


class RowCounter(Protocol):
    """Counts rows; what it holds must not grow with their number."""

    def add(self, rows: Rows) -> None: ...

    def result(self) -> BaseModel: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Generic[In]):
    """Figures of an export, cached as if the platform gave them."""

    name: str
    export: Export[In]
    counter: Callable[[], RowCounter]
    cache: CachePolicy[In, Any]

    @property
    def tags(self) -> frozenset[str]:
        return self.export.tags


async def count_rows(counter: RowCounter, stream: RowStream) -> BaseModel:
    """Count all rows of an export that has begun; raises `GatewayError` where it breaks off."""
    counter.add(stream.first)
    async for rows in stream.rest():
        counter.add(rows)
    return counter.result()
