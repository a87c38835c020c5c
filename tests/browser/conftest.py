"""A real browser, and servers on loopback for it to visit."""

import asyncio
import json
import logging
import shutil
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
import uvicorn
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from starlette.types import ASGIApp

Result = TypeVar("Result")

BROWSER, DRIVER = "chromium", "chromedriver"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--window-size=1000,800",
)
LOCAL_SCHEMES = {"data", "blob", "about", "chrome", "chrome-error"}


def _take_log(driver: Chrome, kind: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = driver.get_log(kind)  # type: ignore[no-untyped-call]  # selenium leaves it so
    return entries


@dataclass
class Network:
    """What the browser asked of the network and what became of it, since the test began."""

    driver: Chrome
    _requests: list[dict[str, Any]] = field(default_factory=list)
    _failures: list[dict[str, Any]] = field(default_factory=list)

    def _read(self) -> None:
        for entry in _take_log(self.driver, "performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                self._requests.append(event["params"])
            elif event["method"] == "Network.loadingFailed":
                self._failures.append(event["params"])

    def urls(self) -> list[str]:
        """The URLs that were asked for, redirects included."""
        self._read()
        return [each["request"]["url"] for each in self._requests]

    def abroad(self) -> list[str]:
        """The URLs among them that are not on loopback."""
        parts = [(url, urlsplit(url)) for url in self.urls()]
        return [url for url, part in parts if part.scheme not in LOCAL_SCHEMES and part.hostname != "127.0.0.1"]

    def failed(self) -> list[str]:
        """Why requests failed, the browser's own refusals included."""
        self._read()
        return [each.get("blockedReason") or each["errorText"] for each in self._failures]

    def console(self) -> list[str]:
        """What the browser itself complained about."""
        return [entry["message"] for entry in _take_log(self.driver, "browser")]


class Servers:
    """An event loop in a thread of its own, with servers running on it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = ExitStack()

    def __enter__(self) -> "Servers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the loop to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def serve(self, app: ASGIApp) -> str:
        """Serve an application until the test ends; return its origin."""
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
        serving = asyncio.run_coroutine_threadsafe(server.serve([listener]), self._loop)

        def stop() -> None:
            server.should_exit = True
            serving.result(30)

        self._stack.callback(stop)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Servers for one test."""
    with Servers() as running:
        yield running


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for the whole run, with an empty profile."""
    binary, driver = shutil.which(BROWSER), shutil.which(DRIVER)
    if not binary or not driver:
        pytest.skip(f"needs {BROWSER} and {DRIVER} on the PATH")
    for chatty in ("selenium", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.INFO)
    options = ChromeOptions()
    options.binary_location = binary
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    with Chrome(options=options, service=ChromeService(driver)) as running:
        running.set_page_load_timeout(30)
        yield running


@pytest.fixture
def driver(browser: Chrome) -> Iterator[Chrome]:
    """The browser, on an empty page and with empty logs; it forgets the test's cookies afterwards."""
    browser.get("about:blank")
    _take_log(browser, "performance")
    _take_log(browser, "browser")
    yield browser
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})


@pytest.fixture
def network(driver: Chrome) -> Network:
    """What the browser does on the network during the test."""
    return Network(driver)
