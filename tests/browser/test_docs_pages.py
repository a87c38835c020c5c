"""The documentation pages in a real browser: they work, and no request leaves the machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import (
    element_to_be_clickable,
    presence_of_element_located,
    text_to_be_present_in_element,
)
from selenium.webdriver.support.ui import WebDriverWait

from app.sandbox import Account, Sandbox
from tests.browser.conftest import Network, Servers
from tests.support.running import make_app
from tests.support.tenants import KEY, make_tenant

OPERATION = "operations-Contact_lists-list_contact_lists"


@pytest.fixture
def gateway(servers: Servers) -> Iterator[str]:
    """The gateway's origin, in front of a seeded sandbox."""
    account = Account(username="acme", password="secret", role="customer", seeded=True)
    sandbox = Sandbox(accounts=[account])
    servers.run(sandbox.start())
    yield servers.serve(make_app([make_tenant(base_url=sandbox.base_url, password=account.password)]))
    servers.run(sandbox.stop())


class Page:
    """Finding things on a page, waiting until they are there."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.wait = WebDriverWait(driver, 20)

    def click(self, selector: str) -> None:
        self.scroll(self.wait.until(element_to_be_clickable((By.CSS_SELECTOR, selector)))).click()

    def fill(self, selector: str, value: str) -> None:
        self.find(selector).send_keys(value)

    def find(self, selector: str) -> WebElement:
        return self.wait.until(presence_of_element_located((By.CSS_SELECTOR, selector)))

    def scroll(self, element: WebElement) -> WebElement:
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def screenshot(self, name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))


@pytest.mark.parametrize("field", ["#auth-bearer-value", "#api_key_value"])
def test_authorize_and_execute(driver: Chrome, network: Network, gateway: str, field: str) -> None:
    page = Page(driver)
    driver.get(f"{gateway}/docs")
    page.click(".btn.authorize")
    page.fill(f".auth-container input{field}", KEY)
    page.click(f".auth-container:has(input{field}) button.authorize")
    page.click("button.btn-done")
    page.click(f"#{OPERATION} .opblock-summary-control")
    page.click(f"#{OPERATION} button.execute")
    page.wait.until(
        text_to_be_present_in_element((By.CSS_SELECTOR, f"#{OPERATION} .live-responses-table"), "contact_count")
    )
    page.scroll(page.find(f"#{OPERATION} .live-responses-table"))
    page.screenshot(f"docs{field.lstrip('#')}")
    assert page.find(f"#{OPERATION} .live-responses-table .response .response-col_status").text.startswith("200")
    assert f"{gateway}/v1/lists" in network.urls()
    assert (network.abroad(), network.failed(), network.console()) == ([], [], [])


def test_redoc(driver: Chrome, network: Network, gateway: str) -> None:
    page = Page(driver)
    driver.get(f"{gateway}/redoc")
    page.wait.until(text_to_be_present_in_element((By.CSS_SELECTOR, "h1"), "U-Mail Gateway"))
    page.screenshot("redoc")
    assert (network.abroad(), network.failed(), network.console()) == ([], [], [])
