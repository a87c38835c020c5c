"""What a gateway that serves has loaded, and what not."""

import gc
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.loading import loading
from tests.support.gateways import GatewayProcess, tenants_file

TELLING = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules))))
from app.cli import main
main()
"""
NOT_NEEDED = (
    "aiosmtplib",
    "alembic",
    "app.cli.examining",
    "app.demo",
    "app.doctor",
    "app.messages.mime",
    "app.sandbox",
    "app.tenants.vault",
    "app.tenants.tokens.verifier",
    "cryptography",
    "email.policy",
    "httpcore2",
    "jwt",
    "opentelemetry.sdk",
    "pydantic.v1",
    "redis",
    "requests",
    "rich",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
)
"""What a gateway with a tenants file, state of its own and a new SQLite file can do without."""


async def test_a_gateway_loads_nothing_that_its_settings_do_not_need(tmp_path: Path) -> None:
    settings = {
        "TENANTS_URL": tenants_file(tmp_path, "http://127.0.0.1:9/", [("acme", "secret")]),
        "DATA_DIR": tmp_path,
    }
    gateway = GatewayProcess(tmp_path, settings, program=TELLING)
    try:
        await gateway.start()
        await gateway.interrupt()
    finally:
        await gateway.kill()
    loaded = set(json.loads(gateway.log.splitlines()[-1]))
    assert "app.storage.journal.database" in loaded
    assert loaded & set(NOT_NEEDED) == set()


@pytest.mark.parametrize("name", NOT_NEEDED)
def test_what_is_not_needed_is_there(name: str) -> None:
    assert find_spec(name) is not None


def test_what_is_kept_away_can_be_imported_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rich", raising=False)
    with loading():
        assert not gc.isenabled()
        with pytest.raises(ModuleNotFoundError):
            __import__("rich")
    assert gc.isenabled()
    __import__("rich")


def test_what_is_there_already_stays() -> None:
    __import__("rich")
    there = sys.modules["rich"]
    with loading():
        assert sys.modules["rich"] is there
    assert sys.modules["rich"] is there
