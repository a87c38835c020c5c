"""Collections and pages of them, as operations return them."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app.upstream.listed import Listed

Item = TypeVar("Item")


class PageRequest(BaseModel):
    """The page that is asked for."""

    page: int = 1
    page_size: int = 50


class Pagination(BaseModel):
    """Where a page stands in its collection."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"page": 1, "page_size": 50, "total": 120, "has_more": True}]}
    )

    page: Annotated[int, Field(description="The page's number, from 1.")]
    page_size: Annotated[int, Field(description="How many items a full page holds.")]
    total: Annotated[int | None, Field(description="Items in all pages; null where the platform does not tell.")]
    has_more: Annotated[bool, Field(description="Whether another page follows.")]


def pagination(request: PageRequest, *, total: int | None, received: int) -> Pagination:
    """Describe a page; without a total, a full page is taken to have a successor."""
    end = request.page * request.page_size
    has_more = end < total if total is not None else received >= request.page_size
    return Pagination(page=request.page, page_size=request.page_size, total=total, has_more=has_more)


class _Listable:
    """Lets a field of models hold `Listed` ones, whose values were read one by one and are not validated again."""

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
