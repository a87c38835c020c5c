"""Waiting for imports (RFC 7240)."""

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi import Request

from app.resources.imports.router import wait_for
from app.resources.imports.schemas import Import
from tests.support.platform import FakePlatform, xml_reply
from tests.support.running import client_of, make_app
from tests.support.sockets import Finished, asking, served, until
from tests.support.tenants import make_tenant

PROCESSING = "<result><status>no_complete</status><data>x</data></result>"
COMPLETED = "<result><status>success</status><data>x</data></result>"


class TestWaiting:
    @staticmethod
    async def _get(prefer: str | None, *replies: str, **settings: Any) -> tuple[httpx2.Response, int]:
        platform = FakePlatform([xml_reply(reply) for reply in replies])
        app = make_app([make_tenant()], platform.transport, import_poll_interval=0.0001, **settings)
        async with client_of(app) as client:
            response = await client.get("/v1/imports/10", headers={"Prefer": prefer} if prefer else {})
        return response, len(platform.requests)

    async def test_until_it_is_completed(self) -> None:
        response, calls = await self._get("respond-async, wait=30", PROCESSING, PROCESSING, PROCESSING, COMPLETED)
        assert response.json() == {"id": 10, "status": "completed"}
        assert (response.headers["preference-applied"], calls) == ("wait=30", 4)

    async def test_not_at_all_when_it_is_completed(self) -> None:
        response, calls = await self._get("wait=30", COMPLETED)
        assert (response.headers["preference-applied"], calls) == ("wait=30", 1)

    async def test_no_longer_than_the_setting_allows(self) -> None:
        response, calls = await self._get("wait=30", PROCESSING, import_wait_max=0)
        assert response.json()["status"] == "processing"
        assert (response.headers["preference-applied"], calls) == ("wait=0", 1)

    @pytest.mark.parametrize("prefer", [None, "wait", "wait=soon", "wait=-1", "handling=strict", '"'])
    async def test_not_for_a_preference_that_says_nothing(self, prefer: str | None) -> None:
        response, calls = await self._get(prefer, PROCESSING)
        assert "preference-applied" not in response.headers
        assert (response.json()["status"], calls) == ("processing", 1)

    async def test_errors_end_it(self) -> None:
        response, calls = await self._get(
            "wait=30", PROCESSING, "<result><status>not_exist</status><data>x</data></result>"
        )
        assert (response.status_code, response.json()["code"], calls) == (404, "not_found", 2)

    async def test_no_longer_than_asked(self) -> None:
        reads = 0

        async def read() -> Import:
            nonlocal reads
            reads += 1
            return Import(id=10, status="processing")

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        request = Request({"type": "http"}, receive)
        assert (await wait_for(request, read, 0.02, 0.015)).status == "processing"
        # The last one comes as the time is up; a busy machine is there already after the one before.
        assert reads in {2, 3}

    async def test_a_client_that_leaves_ends_it(self) -> None:
        platform = FakePlatform([xml_reply(PROCESSING)])
        app = Finished(make_app([make_tenant()], platform.transport, import_poll_interval=60))
        async with served(app) as port:
            async with asking(port, "GET", "/v1/imports/10", "Prefer: wait=60"):
                await until(lambda: bool(platform.requests))
            await asyncio.wait_for(app.event.wait(), 5)
        assert len(platform.requests) == 1
