"""The API as a tool uses it: in its caller's name, by the requests that the caller could send itself."""

import json
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel
from starlette.types import Scope

from app.api.inner_requests import InnerAnswer, InnerRequest, make_request
from app.api.problems import Problem
from app.api.responses import ResponseAborted
from app.gateway.context import Caller
from app.services import Services

M = TypeVar("M", bound=BaseModel)


class Refused(Exception):
    """The API refused what a tool asked for."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Changed(NamedTuple, Generic[M]):
    """Something that was changed, or created; `now` is None where it cannot be read back."""

    created: bool
    now: M | None


class ToolApi:
    """Requests of one call of a tool."""

    def __init__(self, outer: Scope, caller: Caller) -> None:
        self._outer = outer
        self.caller = caller

    @property
    def services(self) -> Services:
        """What endpoints use."""
        services: Services = self._outer["app"].state.services
        return services

    async def read(self, model: type[M], path: str, **query: object) -> M:
        """Return what there is at a path; values of the query that are None are left out.

        Raises:
            Refused: the API answers with a problem.
        """
        answer = await self._ask(InnerRequest(method="GET", path=path, query=_written(query)))
        return model.model_validate_json(bytes(answer.body))

    async def post(
        self,
        model: type[M],
        path: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        **query: object,
    ) -> M:
        """Post something and return what the API answers.

        Raises:
            Refused: the API answers with a problem.
        """
        request = InnerRequest(
            method="POST", path=path, query=_written(query), headers=headers or {}, body=orjson.dumps(body)
        )
        answer = await self._ask(request)
        return model.model_validate_json(bytes(answer.body))

    async def change(
        self,
        model: type[M],
        method: str,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> "Changed[M]":
        """Change something and return it as it now is.

        Raises:
            Refused: the API answers with a problem.
        """
        request = InnerRequest(method=method, path=path, headers=headers or {}, body=orjson.dumps(body))
        answer = await self._ask(request)
        now = model.model_validate_json(bytes(answer.body)) if answer.body else None
        return Changed(answer.status == 201, now)

    async def rows_of(self, address: str, path: str, *, most: int, **query: object) -> list[dict[str, Any]]:
        """Return the rows of an export that are about an address, the last `most` of them; others are not kept.

        Raises:
            Refused: the API answers with a problem, or the export broke off.
        """
        rows = _RowsOfAddress(address, most)
        headers = {"Accept": "application/x-ndjson"}
        request = InnerRequest(method="GET", path=path, query=_written(query), headers=headers)
        try:
            await self._ask(request, rows)
        except ResponseAborted as aborted:
            raise Refused(self._broken_off(path, aborted)) from None
        return rows.found

    async def _ask(self, request: InnerRequest, rows: "_RowsOfAddress | None" = None) -> InnerAnswer:
        answer = await make_request(request, self._outer, self.caller, rows.take if rows else None)
        if answer.status >= 400:
            raise Refused(Problem.model_validate_json(bytes(answer.body)))
        return answer

    def _broken_off(self, path: str, aborted: ResponseAborted) -> Problem:
        return Problem(
            type=f"urn:umail-gateway:problem:{aborted.code}",
            title="Export broken off",
            status=502,
            detail=aborted.detail,
            instance=path,
            code=aborted.code,
            request_id=self.caller.context.request_id,
        )


def _written(query: Mapping[str, object]) -> dict[str, str]:
    return {name: _text(value) for name, value in query.items() if value is not None}


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


class _RowsOfAddress:
    """Looks through NDJSON as it comes, and keeps little of it."""

    def __init__(self, address: str, most: int) -> None:
        self._address = address.lower()
        plain = self._address.isascii() and not set(self._address) & {'"', "\\", "/"}
        self._needle = self._address.encode() if plain else b""
        self._most = most
        self._tail = b""
        self.found: list[dict[str, Any]] = []

    def take(self, chunk: bytes) -> None:
        """Take the next bytes in."""
        *lines, self._tail = (self._tail + chunk).split(b"\n")
        for line in lines:
            if line and self._needle in line.lower():
                row = orjson.loads(line)
                if (row["email"] or "").lower() == self._address:
                    self.found = [*self.found, row][-self._most :]
