"""Tenants and journal in one database, as the settings say."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.errors import DatabaseError
from app.main import create_app
from app.settings import Settings
from app.storage.tenants.repository import TenantRepository
from app.tenants.vault import MasterKeys, generate_master_key
from app.wiring import storage
from app.wiring.storage import build_master_keys, prepare
from tests.support.platform import FakePlatform, xml_reply
from tests.support.problems import problem
from tests.support.running import client_of, make_settings
from tests.support.tenant_databases import READ, keyless


def settings_in(folder: Path, **settings: Any) -> Settings:
    """Return settings with tenants in a database."""
    return make_settings(tenants_url="database", data_dir=folder / "data", **settings)


async def key_in(app: FastAPI) -> str:
    """Add a tenant to a running application; return a key."""
    repository: TenantRepository = app.state.services.tenant_repository
    await repository.add(keyless())
    return (await repository.create_key("acme", READ)).key.get_secret_value()


class TestApplication:
    async def test_tenants_and_journal_share_the_database(self, database_url: str, tmp_path: Path) -> None:
        settings = settings_in(tmp_path, database_url=database_url, master_key=generate_master_key())
        app = create_app(settings, transport=FakePlatform([xml_reply("<maillist/>")]).transport)
        async with client_of(app, None) as client:
            headers = {"X-API-Key": await key_in(app)}
            assert (await client.get("/v1/lists", headers=headers)).status_code == 200
            assert (await client.get("/readyz")).json()["checks"]["database"] == "ok"

    async def test_a_database_that_is_gone(self, tmp_path: Path) -> None:
        app = create_app(settings_in(tmp_path), transport=FakePlatform([]).transport)
        async with client_of(app, None) as client:
            await key_in(app)
            with closing(sqlite3.connect(tmp_path / "data" / "gateway.db")) as other:
                other.execute("ALTER TABLE api_keys RENAME TO gone")
            response = await client.get("/v1/lists", headers={"X-API-Key": "umg_unknown"})
            problem(response, 503, "state_unavailable")
            assert response.headers["retry-after"] == "2"

    async def test_the_wrong_master_key(self, tmp_path: Path) -> None:
        await prepare(settings_in(tmp_path))
        (tmp_path / "data" / "master.key").write_text(generate_master_key(), encoding="ascii")
        settings = settings_in(tmp_path)
        with pytest.raises(DatabaseError, match="not configured"):
            await prepare(settings)
        app = create_app(settings)
        with pytest.raises(DatabaseError, match="not configured"):
            async with app.router.lifespan_context(app):
                raise AssertionError("it started")

    async def test_a_file_of_tenants_has_a_master_key_beside_the_database(self, tmp_path: Path) -> None:
        settings = make_settings(data_dir=tmp_path / "data")
        await prepare(settings)
        assert build_master_keys(settings).ids == build_master_keys(settings).ids
        assert {path.name for path in (tmp_path / "data").iterdir()} == {"gateway.db", "master.key"}


class TestMasterKeys:
    async def test_processes_that_start_together_make_one(self, tmp_path: Path) -> None:
        settings = settings_in(tmp_path)
        made = await asyncio.gather(*(asyncio.to_thread(build_master_keys, settings) for _ in range(8)))
        assert len({each.current.id for each in made}) == 1
        assert [path.name for path in (tmp_path / "data").iterdir()] == ["master.key"]

    def test_one_that_another_process_makes_meanwhile_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "master.key"
        first = generate_master_key()
        path.write_text(first, encoding="ascii")
        storage._make(path)
        assert path.read_text(encoding="ascii") == first

    def test_a_folder_that_takes_no_files(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseError, match=r"master\.key cannot be written"):
            storage._make(tmp_path / "nowhere" / "master.key")

    def test_a_key_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "data" / "master.key").mkdir(parents=True)
        with pytest.raises(DatabaseError, match="cannot be read"):
            build_master_keys(settings_in(tmp_path))

    def test_from_the_settings(self, tmp_path: Path) -> None:
        text = f"{generate_master_key()}, {generate_master_key()}"
        path = tmp_path / "keys"
        path.write_text(text, encoding="ascii")
        for settings in (settings_in(tmp_path, master_key=text), settings_in(tmp_path, master_key_file=path)):
            assert build_master_keys(settings).ids == MasterKeys.parse(text).ids
            assert build_master_keys(settings).current.id == MasterKeys.parse(text).current.id
