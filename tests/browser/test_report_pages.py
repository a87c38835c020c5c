"""The report's page and the example front end in a real browser: readable, accessible, at peace with their policies."""

import base64
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.conftest import Network
from tests.support.demos import running_demo

AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
SERIOUS = {"serious", "critical"}
WIDTHS = (390, 1440)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def sent(demo: dict[str, str]) -> int:
    """A campaign that has been sent."""
    answer = httpx2.get(f"{demo['url']}/v1/campaigns?status=sent", headers={"X-API-Key": demo["key"]})
    found: int = answer.json()["data"][-1]["id"]
    return found


@pytest.fixture
def driver(driver: Chrome) -> Iterator[Chrome]:
    """The browser, of its own size and without headers of a test's afterwards."""
    driver.execute_cdp_cmd("Network.enable", {})
    yield driver
    driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {}})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def check(driver: Chrome, name: str) -> None:
    """Look for what keeps people from using a page, in each width; `SCREENSHOTS` names a folder for pictures."""
    for width in WIDTHS:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        found: dict[str, Any] = driver.execute_async_script(f"{AXE}; axe.run().then(arguments[arguments.length - 1])")
        serious = [(each["id"], each["nodes"]) for each in found["violations"] if each["impact"] in SERIOUS]
        assert serious == [], (name, width)
        assert found["passes"]
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        if folder := os.environ.get("SCREENSHOTS"):
            picture = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})["data"]
            Path(folder, f"{name}-{width}.png").write_bytes(base64.b64decode(picture))


def test_the_report(driver: Chrome, network: Network, demo: dict[str, str], sent: int) -> None:
    for language in ("en", "zh-CN"):
        headers = {"X-API-Key": demo["key"], "Accept": "text/html", "Accept-Language": language}
        driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": headers})
        driver.get(f"{demo['url']}/v1/campaigns/{sent}/report")
        assert driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == language
        assert len(driver.find_elements(By.CSS_SELECTOR, ".timeline rect")) > 1
        # The style that the policy names is the one in force.
        assert driver.execute_script("return getComputedStyle(document.querySelector('.grid')).display") == "grid"
        check(driver, f"report-{language}")
    assert (network.console(), network.abroad()) == ([], [])
    assert len(network.urls()) == 2


def test_the_example_page(driver: Chrome, network: Network, demo: dict[str, str], sent: int) -> None:
    driver.get(f"{demo['url']}/demo#{demo['key']}")
    wait = WebDriverWait(driver, 30)
    wait.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, "#campaigns tbody tr"))
    assert demo["key"] not in driver.current_url
    check(driver, "dashboard")
    driver.find_elements(By.CSS_SELECTOR, "#campaigns tbody button")[-1].click()
    wait.until(lambda driver: driver.find_element(By.ID, "report").is_displayed())
    assert str(sent) in driver.find_element(By.ID, "report-url").text
    assert driver.find_elements(By.CSS_SELECTOR, "#timeline rect.opens")
    check(driver, "dashboard-report")
    requests = [url.removeprefix(demo["url"]) for url in network.urls() if "/v1/" in url]
    assert requests == ["/v1/campaigns?expand=statistics,tracking&page_size=20", f"/v1/campaigns/{sent}/report"]
    assert (network.console(), network.failed(), network.abroad()) == ([], [], [])


def test_the_example_page_says_what_is_wrong(driver: Chrome, demo: dict[str, str]) -> None:
    driver.get(f"{demo['url']}/demo#umg_wrong")
    wait = WebDriverWait(driver, 30)
    wait.until(lambda driver: "key" in driver.find_element(By.ID, "status").text.lower())
