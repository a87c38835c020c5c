"""Answers: public models as JSON, and the headers that go with them."""

from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from app.api.pagination import CollectionUrl, link_header
from app.errors import GatewayError, NotFound
from app.gateway.pages import Page
from app.upstream.listed import to_json

Item = TypeVar("Item")


class ResponseAborted(Exception):
    """An answer that had begun and cannot be brought to its end: its connection must be cut.

    Args:
        code: the error code it ended in, or what the client did.
        detail: what happened, for the log.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


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

    Args:
        reading: the read.
        status: the status when it succeeds.
        headers: further headers when it succeeds.

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
    """Return 204."""
    return Response(status_code=204, headers={"Cache-Control": "no-store"})
