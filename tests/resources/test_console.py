"""The console login: the platform's form as data and as a page."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.resources.console.page import login_form, login_page
from app.resources.console.schemas import WebAddress, origin_of
from app.tenants.models import Scope
from tests.support.access import assert_needs
from tests.support.problems import problem, refused_fields
from tests.support.running import client_of, make_app
from tests.support.tenants import make_tenant

PATH = "/v1/console/login"
ORIGIN = "http://127.0.0.1:9"
ACTION = f"{ORIGIN}/sendstat/?module=base&action=login"
ERRURL = "http://www.example.com:8080/failed?from=login&lang='zh'#top"
HTML = {"Accept": "text/html"}


class Page(HTMLParser):
    """What a page consists of, with character references resolved."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def sent(self) -> dict[str, str | None]:
        """Return what the form sends untouched."""
        chosen = next(option for option in self.all("option") if "selected" in option)
        values = {each["name"]: each.get("value") for each in [*self.all("input"), *self.all("button")]}
        return {str(name): value for name, value in {**values, "user_type": chosen["value"]}.items()}


def policy(response: httpx2.Response) -> dict[str, str]:
    directives = (each.partition(" ") for each in response.headers["content-security-policy"].split("; "))
    return {name: value for name, _, value in directives}


async def test_access() -> None:
    await assert_needs(Scope.READ, "GET", PATH)


class TestJson:
    async def test_describes_the_form(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.get(PATH)
        form = response.json()
        assert (form["action"], form["method"]) == (ACTION, "POST")
        fields = {field.pop("name"): field for field in form["fields"]}
        empty = {"required": True, "value": None, "options": None}
        assert fields == {
            "username": {**empty, "type": "text"},
            "password": {**empty, "type": "password"},
            "user_type": {
                "type": "select",
                "required": True,
                "value": "",
                "options": [
                    {"user_type": "customer", "value": ""},
                    {"user_type": "agents", "value": "agents"},
                    {"user_type": "manager", "value": "manager"},
                ],
            },
            "errurl": {"type": "hidden", "required": False, "value": None, "options": None},
            "Submit": {"type": "submit", "required": False, "value": "提交", "options": None},
        }
        assert (response.headers["cache-control"], response.headers["vary"]) == ("no-store", "Accept")

    async def test_takes_over_what_is_given(self, offline: httpx2.AsyncClient) -> None:
        form = (await offline.get(PATH, params={"user_type": "manager", "errurl": ERRURL})).json()
        fields = {field["name"]: field["value"] for field in form["fields"]}
        assert (fields["user_type"], fields["errurl"]) == ("manager", ERRURL)

    @pytest.mark.parametrize(
        ("base_url", "origin"),
        [
            ("https://edm.example.com/mm-ms/apinew/", "https://edm.example.com"),
            ("http://edm.example.com:8088/mm-ms/api/", "http://edm.example.com:8088"),
            ("http://[::1]:9000/", "http://[::1]:9000"),
        ],
    )
    async def test_lives_where_the_tenant_does(self, base_url: str, origin: str) -> None:
        async with client_of(make_app([make_tenant(base_url=base_url)])) as client:
            response = await client.get(PATH)
            assert response.json()["action"] == f"{origin}/sendstat/?module=base&action=login"
            assert "acme" not in response.text
            assert "tenant-password" not in response.text


class TestPage:
    async def test_sends_to_the_platform_what_the_platform_wants(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.get(PATH, headers=HTML)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        page = Page(response.text)
        assert [(form["action"], form["method"]) for form in page.all("form")] == [(ACTION, "post")]
        assert page.sent() == {"username": None, "password": None, "user_type": "", "Submit": "提交"}
        assert [option["value"] for option in page.all("option")] == ["", "agents", "manager"]

    async def test_takes_over_what_is_given(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.get(PATH, params={"user_type": "agents", "errurl": ERRURL}, headers=HTML)
        assert ERRURL not in response.text
        sent = Page(response.text).sent()
        assert (sent["user_type"], sent["errurl"]) == ("agents", ERRURL)

    async def test_every_field_has_a_label(self, offline: httpx2.AsyncClient) -> None:
        page = Page((await offline.get(PATH, headers=HTML)).text)
        assert page.all("html")[0]["lang"]
        labels = {label["for"] for label in page.all("label")}
        shown = [each for each in [*page.all("input"), *page.all("select")] if each.get("type") != "hidden"]
        assert {each["id"] for each in shown} == labels

    async def test_loads_and_runs_nothing(self, offline: httpx2.AsyncClient) -> None:
        page = Page((await offline.get(PATH, params={"errurl": ERRURL}, headers=HTML)).text)
        assert not {"script", "link", "img", "iframe", "base"} & {tag for tag, _ in page.tags}
        names = {name for _, attributes in page.tags for name in attributes}
        assert not {name for name in names if name.startswith("on") or name in {"src", "href", "style"}}

    async def test_security_headers(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.get(PATH, headers=HTML)
        style = re.search("<style>(.*)</style>", response.text, re.DOTALL)
        assert style
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        assert policy(response) == {
            "default-src": "'none'",
            "style-src": f"'sha256-{digest}'",
            "form-action": ORIGIN,
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert (response.headers["cache-control"], response.headers["vary"]) == ("no-store", "Accept")

    async def test_the_way_back_is_in_the_policy(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.get(PATH, params={"errurl": ERRURL}, headers=HTML)
        assert policy(response)["form-action"] == f"{ORIGIN} http://www.example.com:8080"
        response = await offline.get(PATH, params={"errurl": f"{ORIGIN}/failed"}, headers=HTML)
        assert policy(response)["form-action"] == ORIGIN

    def test_a_strange_host_stays_in_its_place(self) -> None:
        form = login_form('http://a"><b>;script-src *,ü/mm-ms/', user_type="customer", errurl=None)
        response = login_page(form)
        page = Page(bytes(response.body).decode())
        assert page.all("form")[0]["action"] == form.action
        assert not page.all("b")
        header = response.headers["content-security-policy"]
        assert header.count(";") == 4
        assert not {",", "*", '"'} & set(header)


class TestNegotiation:
    @pytest.mark.parametrize(
        ("accept", "media_type"),
        [
            ("", "application/json"),
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            ("application/*", "application/json"),
            ("text/html, application/json", "application/json"),
            ("text/html;q=0.5, application/json;q=0.9", "application/json"),
            ("text/html;q=0, */*", "application/json"),
            ("text/html", "text/html"),
            ("TEXT/HTML; charset=utf-8", "text/html"),
            ("text/*", "text/html"),
            ("text/html, */*;q=0.8", "text/html"),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "text/html"),
            ("application/json;q=0, */*", "text/html"),
            ("application/json;q=0.1, text/html;q=0.2", "text/html"),
        ],
    )
    async def test_answers_what_is_preferred(self, offline: httpx2.AsyncClient, accept: str, media_type: str) -> None:
        response = await offline.get(PATH, headers={"Accept": accept})
        assert response.headers["content-type"].partition(";")[0] == media_type

    async def test_several_lines_are_one_header(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.get(PATH, headers=[("Accept", "application/json;q=0.5"), ("Accept", "text/html")])
        assert response.headers["content-type"].startswith("text/html")

    @pytest.mark.parametrize("accept", ["image/png", "text/plain", "text/html;q=0", "*/*;q=0", "application/xml"])
    async def test_nothing_acceptable(self, offline: httpx2.AsyncClient, accept: str) -> None:
        body = problem(await offline.get(PATH, headers={"Accept": accept}), 406, "not_acceptable")
        assert body["detail"] == "This resource is application/json or text/html."


class TestParameters:
    @pytest.mark.parametrize(
        "errurl",
        [
            "",
            "/failed",
            "//example.com/",
            "example.com",
            "javascript:alert(1)",
            "ftp://example.com/",
            "HTTP://example.com/",
            "http:/example.com",
            "http://",
            "http:///path",
            "http://user@example.com/",
            "http://user:password@example.com/",
            "http://example.com:80@evil.example/",
            "http://example.com\\@evil.example/",
            "http://example.com:99999/",
            "http://example.com:/",
            "http://example.com;script-src/",
            "http://example.com,evil.example/",
            "http://*.example.com/",
            "http://[::1]/",
            "http://例子.example/",
            "http://example.com/失败",
            "http://example.com/a b",
            "http://example.com/\r\nSet-Cookie: a=b",
            'http://example.com/"><script>',
            " http://example.com/",
            "http://example.com/" + "a" * 2048,
        ],
    )
    async def test_refused_addresses(self, offline: httpx2.AsyncClient, errurl: str) -> None:
        assert refused_fields(await offline.get(PATH, params={"errurl": errurl})) == {"errurl"}

    @pytest.mark.parametrize(
        "errurl",
        [
            "http://example.com",
            "https://example.com/?a=%E5%8C%97#x",
            "http://127.0.0.1:65535/",
            "http://xn--fsqu00a.example/",
            "http://example.com?next=http://example.org/",
        ],
    )
    async def test_accepted_addresses(self, offline: httpx2.AsyncClient, errurl: str) -> None:
        assert (await offline.get(PATH, params={"errurl": errurl})).status_code == 200

    @pytest.mark.parametrize("user_type", ["", "admin", "Customer"])
    async def test_refused_kinds_of_user(self, offline: httpx2.AsyncClient, user_type: str) -> None:
        assert refused_fields(await offline.get(PATH, params={"user_type": user_type})) == {"user_type"}

    async def test_no_password_is_taken(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.get(PATH, params={"username": "acme", "password": "secret"})
        assert refused_fields(response) == {"username", "password"}
        assert "secret" not in response.text

    async def test_nothing_is_posted_here(self, offline: httpx2.AsyncClient) -> None:
        response = await offline.post(PATH, data={"username": "acme", "password": "secret"})
        problem(response, 405, "method_not_allowed")


@given(st.from_regex(r"https?://[^/?#]{1,30}.{0,30}", fullmatch=True))
def test_no_address_breaks_out_of_page_or_policy(address: str) -> None:
    try:
        accepted = TypeAdapter(WebAddress).validate_python(address)
    except ValidationError:
        return
    response = login_page(login_form("http://edm.example/", user_type="customer", errurl=accepted))
    assert Page(bytes(response.body).decode()).sent()["errurl"] == address
    assert f"form-action http://edm.example {origin_of(accepted)}; " in response.headers["content-security-policy"]
    assert httpx2.URL(accepted).host == origin_of(accepted).partition("//")[2].partition(":")[0].lower()
