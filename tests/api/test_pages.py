"""What is served for people to read, besides what a browser shows of it."""

import re
from pathlib import Path

import pytest

from app import __version__
from app.api.openapi import build_openapi, for_operators
from tests.support.running import client_of, make_app

PAGES = ("/", "/docs", "/redoc", "/errors")
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OPERATORS_PAGES = ("/admin/docs", "/admin/redoc")


class TestDocument:
    async def test_it_is_what_the_application_says_of_itself(self) -> None:
        app = make_app([])
        async with client_of(app) as client:
            responses = [await client.get("/openapi.json") for _ in range(2)]
        assert [each.headers["content-type"] for each in responses] == ["application/json"] * 2
        assert [each.json() for each in responses] == [app.openapi()] * 2

    async def test_operators_have_one_of_their_own_where_they_have_a_token(self) -> None:
        async with client_of(make_app([])) as client:
            assert [(await client.get(f"/admin/{each}")).status_code for each in ("openapi.json", "docs")] == [404, 404]
        app = make_app([], admin_token="x" * 32)
        async with client_of(app) as client:
            assert (await client.get("/admin/openapi.json")).json() == build_openapi(app, for_operators)


class TestPage:
    @pytest.mark.parametrize("path", PAGES + OPERATORS_PAGES)
    async def test_links_to_what_is_there(self, path: str) -> None:
        async with client_of(make_app([], admin_token="x" * 32)) as client:
            page = await client.get(path, headers=BROWSER)
            assert page.status_code == 200
            links = re.findall(r'(?:href|src|data-document)="([^"]+)"', page.text)
            assert len(links) > 5
            assert not [link for link in links if link.startswith(("/", "http"))]
            for link in links:
                found = await client.get(str(page.url.join(link)), headers={"Accept": "*/*"})
                assert found.status_code == 200, link

    @pytest.mark.parametrize("path", PAGES)
    async def test_comes_in_the_language_that_is_wanted(self, path: str) -> None:
        async with client_of(make_app([])) as client:
            for header, query, language in (
                ("en-GB", "", "en"),
                ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh-CN"),
                ("zh-TW", "?lang=en", "en"),
                ("", "?lang=zh", "zh-CN"),
            ):
                page = await client.get(f"{path}{query}", headers={**BROWSER, "Accept-Language": header})
                assert page.headers["content-language"] == language
                assert "Accept-Language" in page.headers["vary"]
                assert f'<html lang="{language}">' in page.text

    def test_templates_hold_no_script(self) -> None:
        folder = Path(__file__).parents[2] / "app/api/assets"
        for template in folder.glob("*.html"):
            text = template.read_text(encoding="utf-8")
            assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", text), template.name


class TestRoot:
    async def test_a_browser_sees_a_page(self) -> None:
        async with client_of(make_app([])) as client:
            page = await client.get("/", headers=BROWSER)
        assert page.headers["content-type"].startswith("text/html")
        assert "keys create" in page.text

    async def test_a_program_gets_json(self) -> None:
        async with client_of(make_app([])) as client:
            found = await client.get("/")
            assert found.json()["version"] == __version__
            assert (await client.get(found.json()["openapi"])).status_code == 200
            assert (await client.get(found.json()["documentation"])).status_code == 200
