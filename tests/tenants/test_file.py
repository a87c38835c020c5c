"""The tenants file: reading it, refusing it, following its changes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from io import StringIO
from pathlib import Path

import pytest

from app.telemetry.logs import configure_logging
from app.tenants.document import TenantsFileError, load_tenants
from app.tenants.file import FileTenantStore
from app.tenants.models import ApiKey, Scope
from app.tenants.store import KeyRing, generate_key, hash_key
from tests.support.tenants import make_tenant

KEY = generate_key()

MINIMAL = """
tenants:
  - id: acme
    name: Acme Ltd
    upstream: {{base_url: "http://127.0.0.1:9000/mm-ms/apinew", username: acme, password: {password}}}
    keys:
      - {{id: web, sha256: {sha256}, scopes: [read, write]}}
"""


SAME_ID = f"      - {{id: web, sha256: {hash_key('x')}, scopes: []}}"


def written(folder: Path, text: str) -> Path:
    path = folder / "tenants.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def minimal(password: str = "hunter2", key: str = KEY) -> str:
    return MINIMAL.format(password=password, sha256=hash_key(key))


class TestLoading:
    def test_the_documented_form(self, tmp_path: Path) -> None:
        text = f"""
tenants:
  - id: acme
    name: Acme Ltd
    enabled: true
    role: manager
    upstream:
      base_url: http://127.0.0.1:9000/mm-ms/api/
      auth: legacy
      username: acme
      password: ${{ACME_PASSWORD}}
    smtp: {{host: smtp.example.com, port: 2525, security: none, username: news@acme.example, password: x${{SMTP}}y}}
    limits: {{requests_per_minute: 600, concurrency: 20, campaigns_per_hour: 100}}
    keys:
      - {{id: web, sha256: "{hash_key(KEY).upper()}", scopes: [read, write, draft, send, manage, webhooks]}}
"""
        (tenant,) = load_tenants(written(tmp_path, text), {"ACME_PASSWORD": "密码: {", "SMTP": "-"}).tenants
        assert tenant.upstream.password.get_secret_value() == "密码: {"
        assert tenant.smtp is not None
        assert tenant.smtp.password is not None
        assert tenant.smtp.password.get_secret_value() == "x-y"
        assert tenant.keys[0].scopes == frozenset(Scope)
        assert tenant.keys[0].sha256 == hash_key(KEY)

    def test_password_file(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("from-file\n", encoding="utf-8")
        text = minimal().replace("password: hunter2", "password_file: secret")
        (tenant,) = load_tenants(written(tmp_path, text), {}).tenants
        assert tenant.upstream.password.get_secret_value() == "from-file"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (("- id: acme", "- id: 'a b'"), "tenant number 1, id"),
            (("name: Acme Ltd", "nmae: Acme"), "tenant acme, name"),
            (("[read, write]", "[read, fly]"), "scopes"),
            ((hash_key(KEY), "abc"), "sha256"),
            (("http://127.0.0.1:9000/mm-ms/apinew", "ftp://x/"), "base_url"),
            (("http://127.0.0.1:9000/mm-ms/apinew", "http://u:p@x/"), "base_url"),
            (("http://127.0.0.1:9000/mm-ms/apinew", "http://x/?a=1"), "base_url"),
            (("password: hunter2", "password: ${NOT_SET}"), "NOT_SET"),
            (("password: hunter2", "password_file: nowhere"), "nowhere"),
            (("tenants:", "tenants: ["), "line"),
            (("tenants:", "\x00"), "YAML"),
            (("name: Acme Ltd", "name: 2026-02-30"), "cannot be read"),
            (("name: Acme Ltd", "name: 0x_"), "cannot be read"),
            (("name: Acme Ltd", "name: &a [*a]"), "name: must be text"),
            (("name: Acme Ltd", "name: " + "[" * 5000), "YAML"),
            (("name: Acme Ltd", "name: Acme\n    name: Twice"), "YAML at line 3"),
            (("password: hunter2", 'password_file: "a\\0b"'), "cannot be read"),
            (("password: hunter2", 'password: ""'), "password"),
            (("username: acme", 'username: "a:b"'), "colon"),
            ((":9000/", ":99999/"), "base_url"),
            ((":9000/", ":abc/"), "base_url"),
            (("127.0.0.1", "999.0.0.1"), "base_url"),
            (("127.0.0.1", "a¾"), "base_url"),
            (("scopes: [read, write]", "scopes: [read], networks: [false]"), "networks"),
            (("127.0.0.1", "exa mple"), "base_url"),
            ((hash_key(KEY), hash_key("")), "empty key"),
            (("keys:", "smtp: {host: smtp.example.com, username: x}\n    keys:"), "go together"),
            (
                ("scopes: [read, write]}", f"scopes: []}}\n      - {{id: web, sha256: {hash_key('x')}, scopes: []}}"),
                "share an id",
            ),
        ],
    )
    def test_what_is_wrong_is_named_and_no_value_shown(
        self, tmp_path: Path, change: tuple[str, str], reason: str
    ) -> None:
        with pytest.raises(TenantsFileError, match=reason) as caught:
            load_tenants(written(tmp_path, minimal().replace(*change)), {})
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "[]", "tenants: 5", "tenants: [{}]", "- x"])
    def test_other_documents(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(TenantsFileError):
            load_tenants(written(tmp_path, text), {})

    def test_a_file_that_is_missing_or_not_utf8(self, tmp_path: Path) -> None:
        with pytest.raises(TenantsFileError, match="cannot read"):
            load_tenants(tmp_path / "nothing.yaml", {})
        (tmp_path / "tenants.yaml").write_bytes(b"\xff\xfe\xff")
        with pytest.raises(TenantsFileError, match="UTF-8"):
            load_tenants(tmp_path / "tenants.yaml", {})

    def test_ids_and_keys_are_unique(self, tmp_path: Path) -> None:
        text = minimal()
        twice = text + text.removeprefix("\ntenants:\n")
        with pytest.raises(TenantsFileError, match="share an id"):
            load_tenants(written(tmp_path, twice), {})
        with pytest.raises(TenantsFileError, match="same key"):
            load_tenants(written(tmp_path, twice.replace("id: acme", "id: other", 1)), {})


class TestLookup:
    async def test_no_key_is_nobody_whatever_the_ring_holds(self) -> None:
        nothing = ApiKey.model_construct(id="x", sha256=hash_key(""), scopes=frozenset())
        assert KeyRing([make_tenant().model_copy(update={"keys": (nothing,)})]).find("") is None

    async def test_a_key_and_all_others(self, tmp_path: Path) -> None:
        store = FileTenantStore(written(tmp_path, minimal()), {})
        identity = await store.identify(KEY)
        assert identity is not None
        assert (identity.tenant.id, identity.key.id) == ("acme", "web")
        for wrong in ("", KEY[:-1], KEY + "x", hash_key(KEY), "\udcff"):
            assert await store.identify(wrong) is None

    async def test_a_tenant_by_its_id(self, tmp_path: Path) -> None:
        store = FileTenantStore(written(tmp_path, minimal()), {})
        found = await store.find("acme")
        assert found is not None
        assert found.id == "acme"
        assert await store.find("Acme") is None

    def test_secrets_are_in_no_repr(self, tmp_path: Path) -> None:
        tenants = load_tenants(written(tmp_path, minimal()), {}).tenants
        assert "hunter2" not in repr(tenants)
        assert "hunter2" not in tenants[0].model_dump_json()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - a file's change is no event of this loop
            await asyncio.sleep(0.01)


class TestWatching:
    async def test_an_edit_takes_effect_and_a_broken_one_is_refused(self, tmp_path: Path) -> None:
        stream = StringIO()
        configure_logging("INFO", stream)
        path = written(tmp_path, minimal())
        store = FileTenantStore(path, {}, interval=0.01)
        other = generate_key()

        async def other_works() -> bool:
            return await store.identify(other) is not None

        async def refused() -> bool:
            return "tenants_file_refused" in stream.getvalue()

        async with store.running():
            path.write_text("tenants: [", encoding="utf-8")
            await eventually(refused)
            assert await store.identify(KEY) is not None
            replacement = tmp_path / "new"
            replacement.write_text(minimal(key=other), encoding="utf-8")
            replacement.replace(path)
            await eventually(other_works)
            assert await store.identify(KEY) is None
        assert "hunter2" not in stream.getvalue()

    @pytest.mark.parametrize("broken", ["tenants: 2026-02-30", "tenants: &a [*a]"])
    async def test_no_edit_ends_the_watching(self, tmp_path: Path, broken: str) -> None:
        stream = StringIO()
        configure_logging("INFO", stream)
        path = written(tmp_path, minimal())
        store = FileTenantStore(path, {}, interval=0.01)
        other = generate_key()

        async def refused() -> bool:
            return "tenants_file_refused" in stream.getvalue()

        async def other_works() -> bool:
            return await store.identify(other) is not None

        async with store.running():
            path.write_text(broken, encoding="utf-8")
            await eventually(refused)
            path.write_text(minimal(key=other), encoding="utf-8")
            await eventually(other_works)

    async def test_a_rotated_password_file_takes_effect(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("before", encoding="utf-8")
        path = written(tmp_path, minimal().replace("password: hunter2", "password_file: secret"))
        store = FileTenantStore(path, {}, interval=0.01)

        async def rotated() -> bool:
            identity = await store.identify(KEY)
            return identity is not None and identity.tenant.upstream.password.get_secret_value() == "after it"

        async with store.running():
            (tmp_path / "secret").write_text("after it", encoding="utf-8")
            await eventually(rotated)

    async def test_a_file_that_vanishes_changes_nothing(self, tmp_path: Path) -> None:
        stream = StringIO()
        configure_logging("INFO", stream)
        path = written(tmp_path, minimal())
        store = FileTenantStore(path, {}, interval=0.01)

        async def refused() -> bool:
            return "tenants_file_refused" in stream.getvalue()

        async with store.running():
            path.unlink()
            await eventually(refused)
            assert await store.identify(KEY) is not None

    def test_a_password_in_clear_text_is_warned_about(self, tmp_path: Path) -> None:
        stream = StringIO()
        configure_logging("INFO", stream)
        FileTenantStore(written(tmp_path, minimal()), {})
        assert "password_sent_in_clear" not in stream.getvalue()
        text = minimal().replace("127.0.0.1:9000", "www.bestedm.org")
        FileTenantStore(written(tmp_path, text), {})
        warning = next(line for line in map(json.loads, stream.getvalue().splitlines()) if line["level"] == "warning")
        assert (warning["event"], warning["tenants"]) == ("password_sent_in_clear", ["acme"])


def test_keys_are_random_and_long() -> None:
    keys = {generate_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == len("umg_") + 43 for key in keys)
