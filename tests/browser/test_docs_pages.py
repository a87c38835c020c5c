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

from tests.browser.conftest import Network
from tests.support.demos import running_demo

READS = {
    "get_account": "Account",
    "list_contact_lists": "Contact_lists",
    "list_contacts_in_list": "Contacts",
    "get_campaign": "Campaigns",
    "list_delivery_failures": "Delivery_failures",
}
WRITES = {"create_contact_list": "Contact_lists", "create_campaign": "Campaigns"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


class Page:
    """Finding things on a page, waiting until they are there."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.wait = WebDriverWait(driver, 60)

    def click(self, selector: str) -> None:
        self.scroll(self.wait.until(element_to_be_clickable((By.CSS_SELECTOR, selector)))).click()

    def find(self, selector: str) -> WebElement:
        return self.wait.until(presence_of_element_located((By.CSS_SELECTOR, selector)))

    def gone(self, selector: str) -> None:
        self.wait.until(lambda driver: not driver.find_elements(By.CSS_SELECTOR, selector))

    def scroll(self, element: WebElement) -> WebElement:
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        return element

    def screenshot(self, name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))

    def open(self, tag: str, operation: str) -> str:
        """Open an operation by its link and return how it is selected."""
        self.driver.execute_script(
            "const a = document.createElement('a'); a.href = arguments[0];"
            "document.body.append(a); a.click(); a.remove()",
            f"#operation/{operation}",
        )
        selector = f"#operations-{tag}-{operation}"
        self.find(f"{selector} button.execute")
        return selector

    def execute(self, selector: str) -> str:
        """Execute an operation as it is filled in and return the status shown."""
        self.click(f"{selector} button.execute")
        return self.find(f"{selector} .live-responses-table .response .response-col_status").text

    def clear(self, selector: str) -> None:
        self.click(f"{selector} button.btn-clear")
        self.gone(f"{selector} .live-responses-table .response")


@pytest.mark.timeout(240)
def test_the_first_minutes(driver: Chrome, network: Network, demo: dict[str, str]) -> None:
    page = Page(driver)
    driver.get(f"{demo['url']}/docs?lang=en")
    page.click(".btn.authorize")
    field = page.find(".auth-container input")
    assert len(driver.find_elements(By.CSS_SELECTOR, ".auth-container input")) == 1
    assert driver.switch_to.active_element == field
    page.screenshot("authorize")
    field.send_keys(demo["key"])
    page.click(".auth-container button.authorize")
    page.click("button.btn-done")
    assert driver.find_elements(By.CSS_SELECTOR, ".opblock-tag-section .opblock") == []
    for operation, tag in READS.items():
        assert page.execute(page.open(tag, operation)).startswith("200"), operation
    for operation, tag in WRITES.items():
        selector = page.open(tag, operation)
        for _ in range(2):
            assert page.execute(selector).startswith("201"), operation
            page.screenshot(operation)
            page.clear(selector)
    assert (network.abroad(), network.failed(), network.console()) == ([], [], [])


def test_redoc_in_chinese(driver: Chrome, network: Network, demo: dict[str, str]) -> None:
    page = Page(driver)
    driver.get(f"{demo['url']}/redoc?lang=zh")
    page.wait.until(text_to_be_present_in_element((By.CSS_SELECTOR, "h1"), "U-Mail"))
    page.screenshot("redoc")
    assert (network.abroad(), network.failed(), network.console()) == ([], [], [])
