"""Answers: public models as JSON, and the headers that go with them."""

from collections.abc import Awaitable, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.api.types import DIGITS
from app.errors import GatewayError, NotFound
from app.gateway.pages import Page, PageRequest, Pagination
from app.upstream.listed import to_json


async def page_request(
    page: Annotated[int, Query(ge=1, le=1_000_000_000, description="Page number, from 1."), DIGITS] = 1,
    page_size: Annotated[int, Query(ge=1, le=500, description="Items a page."), DIGITS] = 50,
) -> PageRequest:
    """Read `page` and `page_size` from the query."""
    return PageRequest(page=page, page_size=page_size)


PageRequestDep = Annotated[PageRequest, Depends(page_request)]


class CollectionUrl(NamedTuple):
    """Where a collection is, relative to the host: it survives proxies that change host, scheme or port."""

    path: str
    query: str

    @classmethod
    def of(cls, request: Request) -> "CollectionUrl":
        return cls(request.url.path, request.url.query)

    def page(self, number: int) -> str:
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


Item = TypeVar("Item")


class ResponseAborted(Exception):
    """An answer that had begun and cannot be brought to its end: its connection must be cut.

    Args:
        code: the error code it ended in, or what the client did.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def containing(items: Sequence[dict[str, Any]], text: str, *fields: str) -> list[dict[str, Any]]:
    """Return the items that hold a text in one of some fields, which are texts or lists of them, in whatever case."""
    wanted = text.casefold()
    return [item for item in items if any(wanted in _joined(item[field]).casefold() for field in fields)]


def _joined(value: str | list[str] | None) -> str:
    return "\n".join(value) if isinstance(value, list) else value or ""


def answer(body: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a model as JSON. Every answer is one tenant's own, so nothing between may store it."""
    content = to_json(body)
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(content, status_code=status, headers=headers, media_type="application/json")


def page(request: Request, body: Page[Item]) -> Response:
    """Return one page of a collection with its `Link` header."""
    return answer(body, headers={"Link": link_header(CollectionUrl.of(request), body.pagination)})


def created(body: BaseModel, location: str) -> Response:
    """Return 201 with what was created and where it is."""
    return answer(body, status=201, headers={"Location": location})


async def read_back(
    reading: Awaitable[BaseModel], *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer a change that was carried out with the resource as it now is, or with 204 if it cannot be read.

    Raises:
        NotFound: the platform accepts changes to what does not exist, and reading shows that it does not.
    """
    try:
        return answer(await reading, status=status, headers=headers)
    except NotFound:
        raise
    except GatewayError:
        return no_content()


def no_content() -> Response:
    return Response(status_code=204, headers={"Cache-Control": "no-store"})
