"""Pages over HTTP: the query parameters that ask for one, and its `Link` header (RFC 8288)."""

from typing import Annotated, NamedTuple
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Query, Request

from app.api.types import DIGITS
from app.gateway.pages import PageRequest, Pagination


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
        """Return the URL of the collection that a request asks for."""
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
