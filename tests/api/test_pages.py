"""What is served for people to read, besides what a browser shows of it."""

from typing import Any

import httpx2
from fastapi import FastAPI

from app.api.pages import install_pages
from tests.support.conformance import document
from tests.support.running import client_of, make_app


class Described(FastAPI):
    """Counts how often it describes itself."""

    def __init__(self) -> None:
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None)
        self.times = 0

    def openapi(self) -> dict[str, Any]:
        self.times += 1
        return {"openapi": "3.1.0"}


class TestDocument:
    async def test_it_is_what_the_application_says_of_itself(self) -> None:
        async with client_of(make_app([])) as client:
            response = await client.get("/openapi.json")
        assert response.headers["content-type"] == "application/json"
        assert response.json() == document()

    async def test_it_is_made_once(self) -> None:
        app = Described()
        install_pages(app)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
            answers = [await client.get("/openapi.json") for _ in range(2)]
        assert [each.json() for each in answers] == [{"openapi": "3.1.0"}] * 2
        assert app.times == 1
