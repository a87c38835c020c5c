"""Collections, pages and their `Link` headers (RFC 8288)."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app.api.types import DIGITS
from app.upstream.listed import Listed

Item = TypeVar("Item")


class Pagination(BaseModel):
    """Where a page stands in its collection."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"page": 1, "page_size": 50, "total": 120, "has_more": True}]}
    )

    page: Annotated[int, Field(description="The page's number, from 1.")]
    page_size: Annotated[int, Field(description="How many items a full page holds.")]
    total: Annotated[int | None, Field(description="Items in all pages; null where the platform does not tell.")]
    has_more: Annotated[bool, Field(description="Whether another page follows.")]


class _Listable:
    """Lets a field of models hold `Listed` ones, whose values were read one by one and are not looked at again."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        models = handler(source)
        dumped = core_schema.wrap_serializer_function_ser_schema(lambda items, dump: dump(list(items)), schema=models)
        return core_schema.no_info_wrap_validator_function(
            lambda given, validate: given if isinstance(given, Listed) else validate(given),
            models,
            serialization=dumped,
        )


class _Items(BaseModel, Generic[Item]):
    """Base of what holds items: names and describes itself in the OpenAPI document."""

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return `ContactPage` for a `Page[Contact]`."""
        return f"{params[0].__name__}{cls.__name__}"

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """Add the description, which a parametrised model does not inherit."""
        described = handler.resolve_ref_schema(handler(schema))
        origin = cls.__pydantic_generic_metadata__["origin"] or cls
        described["description"] = origin.__doc__
        return described


class Collection(_Items[Item]):
    """All items of a collection that the platform cannot page."""

    data: Annotated[Sequence[Item], _Listable, Field(description="The items.")]


class Page(_Items[Item]):
    """One page of a collection."""

    data: Annotated[Sequence[Item], _Listable, Field(description="The page's items.")]
    pagination: Annotated[Pagination, Field(description="Where the page stands.")]


class PageRequest(BaseModel):
    """Which page is asked for."""

    page: int = 1
    page_size: int = 50


async def page_request(
    page: Annotated[int, Query(ge=1, le=1_000_000_000, description="Page number, from 1."), DIGITS] = 1,
    page_size: Annotated[int, Query(ge=1, le=500, description="Items a page."), DIGITS] = 50,
) -> PageRequest:
    """Read `page` and `page_size` from the query."""
    return PageRequest(page=page, page_size=page_size)


PageRequestDep = Annotated[PageRequest, Depends(page_request)]


def pagination(request: PageRequest, *, total: int | None, received: int) -> Pagination:
    """Describe a page.

    Args:
        request: what was asked for.
        total: items in all pages, where the platform tells.
        received: items on this page; without a total, a full page is taken to have a successor.
    """
    end = request.page * request.page_size
    has_more = end < total if total is not None else received >= request.page_size
    return Pagination(page=request.page, page_size=request.page_size, total=total, has_more=has_more)


class CollectionUrl(NamedTuple):
    """Where a collection is, relative to the host: it survives proxies that change host, scheme or port."""

    path: str
    query: str

    @classmethod
    def of(cls, request: Request) -> "CollectionUrl":
        """Return where the collection is that a request asks for."""
        return cls(request.url.path, request.url.query)

    def page(self, number: int) -> str:
        """Return the URL of one of its pages."""
        query = [(key, value) for key, value in parse_qsl(self.query, keep_blank_values=True) if key != "page"]
        return f"{self.path}?{urlencode([*query, ('page', str(number))])}"


def link_header(url: CollectionUrl, page: Pagination) -> str:
    """Return the `Link` header for a page: first, prev, next and last, as far as they are known."""
    numbers = {"first": 1}
    last = max(1, -(-page.total // page.page_size)) if page.total is not None else None
    if page.page > 1:
        numbers["prev"] = page.page - 1 if last is None else min(page.page - 1, last)
    if page.has_more:
        numbers["next"] = page.page + 1
    if last is not None:
        numbers["last"] = last
    return ", ".join(f'<{url.page(number)}>; rel="{relation}"' for relation, number in numbers.items())
