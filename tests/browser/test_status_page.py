"""The operators' status page in a real browser: make a key, use it, revoke it, see it refused."""

from pathlib import Path

import httpx2
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import presence_of_element_located, url_contains
from selenium.webdriver.support.ui import WebDriverWait

from app.main import create_app
from app.sandbox import Account, Sandbox
from app.tenants.vault import generate_master_key
from tests.browser.conftest import Network, Servers
from tests.support.running import make_settings

TOKEN = "operators-token-of-forty-characters-here"
WIDTHS = (390, 1440)


def test_a_key_is_made_used_revoked_and_refused(
    servers: Servers, driver: Chrome, network: Network, tmp_path: Path
) -> None:
    sandbox = Sandbox(accounts=[Account(username="acme", password="secret", role="customer", seeded=True)])
    servers.run(sandbox.start())
    settings = make_settings(
        tenants_url="database",
        database_url=f"sqlite:///{tmp_path}/gateway.db",
        master_key=generate_master_key(),
        admin_token=TOKEN,
    )
    origin = servers.serve(create_app(settings))
    upstream = {"base_url": sandbox.base_url, "username": "acme", "password": "secret"}
    with httpx2.Client(base_url=origin) as client:
        made = client.post(
            "/admin/v1/tenants",
            headers={"Authorization": f"Bearer {TOKEN}"},
            json={"id": "acme", "name": "Acme Ltd", "upstream": upstream},
        )
        assert made.status_code == 201
        wait = WebDriverWait(driver, 20)
        driver.get(f"{origin}/admin")
        driver.find_element(By.NAME, "token").send_keys(TOKEN)
        press(driver, "Sign in")
        wait.until(presence_of_element_located((By.LINK_TEXT, "acme"))).click()
        wait.until(url_contains("/tenants/acme"))
        driver.find_element(By.NAME, "id").send_keys("web")
        press(driver, "Make key")
        key = wait.until(presence_of_element_located((By.ID, "new-key"))).text
        headers = {"Authorization": f"Bearer {key}"}
        assert client.get("/v1/account", headers=headers).status_code == 200
        for path in ("/admin", "/admin/tenants/acme"):
            driver.get(origin + path)
            for width in WIDTHS:
                driver.set_window_size(width, 900)
                assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), (path, width)
        press(driver, "Revoke")
        wait.until(lambda _: not driver.find_elements(By.XPATH, "//button[text()='Revoke']"))
        assert client.get("/v1/account", headers=headers).status_code == 401
        press(driver, "Sign out")
        wait.until(presence_of_element_located((By.NAME, "token")))
        assert driver.get_cookies() == []
    assert network.console() == []
    assert network.abroad() == []
    servers.run(sandbox.stop())


def press(driver: Chrome, text: str) -> None:
    driver.find_element(By.XPATH, f"//button[text()='{text}']").click()
