"""Settings and tenants files: each fault is one line that says where, what and why, and never a secret."""
# ruff: noqa: E501 - the lines are compared whole

from pathlib import Path

import pytest
import yaml
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from app.cli.command import app
from app.cli.configuration import PREFIX
from app.settings import Settings

RUN = CliRunner()
HASH = "ab" * 32
BROKEN_TEXTS = {
    "tenants_url": "databases",
    "state_url": "memcached://x",
    "database_url": "mysql://x",
    "data_dir": None,
    "master_key": "short",
    "master_key_file": "/nowhere",
    "admin_token": "short",
    "jwt_issuer": None,
    "jwt_audience": None,
    "jwt_jwks_url": "http://idp.example/keys",
    "jwt_algorithms": "HS256",
    "jwt_tenant_claim": "",
    "jwt_scope_claim": "",
    "host": None,
    "management_host": None,
    "trusted_proxies": "10.0.0.1/8",
    "forwarded_header": "x-real-ip",
    "cors_origins": "app.example.com",
    "audit_log": "audit.log",
    "audit_addresses": "shown",
    "log_format": "xml",
    "log_level": "LOUD",
    "otlp_endpoint": "http://user:hunter2@collector",
    "otlp_headers": "hunter2",
    "otlp_logs": "maybe",
    "upstream_timezone": "Mars/Olympus",
    "allowed_upstreams": "platform.example",
    "refused_upstreams": "10.0.0.0/33",
    "cache_lifetimes": '{"lists.list": -1}',
    "smtp_ca_file": "/nowhere",
}
SECRETS = ("short", "hunter2")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def checked(*arguments: str) -> list[str]:
    result = RUN.invoke(app, ["config", "check", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr.splitlines()


def broken(name: str, field: FieldInfo) -> str | None:
    return BROKEN_TEXTS.get(name, "many" if field.annotation in {int, float} else "-")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_broken_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    value = broken(name, Settings.model_fields[name])
    if value is None:
        return
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    (line,) = checked()
    assert line.startswith(f"{PREFIX}{name.upper()}")
    assert "(for example " in line
    assert not any(secret in line for secret in SECRETS)
    assert not any(word in line for word in ("Input should", "Value error", "type="))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"STATEURL": "redis://x"}, ["UMAIL_GATEWAY_STATEURL: there is no such setting; did you mean UMAIL_GATEWAY_STATE_URL?"]),
        ({"PORT": "x"}, ["UMAIL_GATEWAY_PORT='x': must be a whole number (for example 8000)"]),
        ({"WRITE_TIMEOUT": "0"}, ["UMAIL_GATEWAY_WRITE_TIMEOUT='0': must be greater than 0 (for example 30.0)"]),
        ({"ADMIN_TOKEN": "short"}, ["UMAIL_GATEWAY_ADMIN_TOKEN: must have at least 32 characters (for example 32 or more random characters)"]),
        ({"STATE_URL": "redis://x"}, ["UMAIL_GATEWAY_MASTER_KEY is needed where STATE_URL names a shared store"]),
        ({"CACHE_LIFETIMES": "{"}, ["UMAIL_GATEWAY_CACHE_LIFETIMES='{': must be JSON (for example {\"lists.list\": 5, \"*\": 60})"]),
        (
            {"CACHE_LIFETIMES": '{"lists.lst": 5}'},
            ["UMAIL_GATEWAY_CACHE_LIFETIMES: there is no read 'lists.lst'; did you mean 'lists.list'? (for example {\"lists.list\": 5, \"*\": 60})"],
        ),
        (
            {"PORTS": "1", "PORT": "x"},
            [
                "UMAIL_GATEWAY_PORTS: there is no such setting; did you mean UMAIL_GATEWAY_PORT?",
                "UMAIL_GATEWAY_PORT='x': must be a whole number (for example 8000)",
            ],
        ),
    ],
)  # fmt: skip
def test_lines_read_like_this(monkeypatch: pytest.MonkeyPatch, entries: dict[str, str], expected: list[str]) -> None:
    for name, value in entries.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    assert checked() == expected


def test_entries_of_the_file_are_held_to_the_same(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("UMAIL_GATEWAY_STAT_URL=x\nPORT=9\nPOSTGRES_PASSWORD=x\n", encoding="utf-8")
    assert checked() == [
        "UMAIL_GATEWAY_STAT_URL: there is no such setting; did you mean UMAIL_GATEWAY_STATE_URL?",
        "PORT: there is no such setting; did you mean UMAIL_GATEWAY_PORT?",
    ]


def test_what_an_orchestrator_adds_by_itself_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UMAIL_GATEWAY_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("UMAIL_GATEWAY_PORT_8000_TCP_ADDR", "10.0.0.1")
    assert RUN.invoke(app, ["config", "check"]).exit_code == 0


def test_settings_are_shown_with_their_sources_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("UMAIL_GATEWAY_PORT=9\n", encoding="utf-8")
    monkeypatch.setenv("UMAIL_GATEWAY_DATABASE_URL", "postgresql://gateway:hunter2@db/gateway")
    monkeypatch.setenv("UMAIL_GATEWAY_ADMIN_TOKEN", "hunter2" * 8)
    shown = RUN.invoke(app, ["config", "show"]).stdout
    assert "hunter2" not in shown
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    assert rows["PORT"] == ["9", ".env"]
    assert rows["HOST"] == ["127.0.0.1", "default"]
    assert rows["DATABASE_URL"] == ["postgresql://***@db/gateway", "environment"]
    assert rows["ADMIN_TOKEN"] == ["********", "environment"]


TENANT = {
    "id": "acme",
    "name": "Acme Ltd",
    "upstream": {"base_url": "http://127.0.0.1:9/", "username": "acme", "password": "hunter2"},
    "smtp": {"host": "smtp.example", "username": "news@acme.example", "password": "hunter2"},
    "keys": [{"id": "web", "sha256": HASH, "scopes": ["read"]}],
}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("id", "a b", "tenant number 1, id: has characters that it may not have"),
        ("id", None, "tenant number 1, id: must be text"),
        ("name", "", "tenant acme, name: must not be empty"),
        ("enabled", "maybe", "tenant acme, enabled: must be true or false"),
        ("role", "boss", "tenant acme, role: must be 'customer' or 'manager'"),
        ("colour", "red", "tenant acme, colour: is not a field that there is"),
        ("upstream", None, "tenant acme, upstream: must be a mapping of fields"),
        ("upstream.base_url", "x", "tenant acme, upstream.base_url: must be an absolute http or https URL"),
        ("upstream.auth", "digest", "tenant acme, upstream.auth: must be 'basic' or 'legacy'"),
        ("upstream.username", 7, "tenant acme, upstream.username: must be text"),
        ("upstream.password", "", "tenant acme, upstream.password: must not be empty"),
        ("smtp.host", "a b", "tenant acme, smtp.host: has characters that it may not have"),
        ("smtp.port", 70000, "tenant acme, smtp.port: must be at most 65535"),
        ("smtp.security", "ssl", "tenant acme, smtp.security: must be 'none', 'starttls' or 'tls'"),
        ("smtp.username", None, "tenant acme, smtp: username and password go together"),
        ("limits", {"concurrency": 0}, "tenant acme, limits.concurrency: must be at least 1"),
        ("limits", {"campaigns_per_hour": 101}, "tenant acme, limits.campaigns_per_hour: must be at most 100"),
        ("limits", {"requests_per_minute": "x"}, "tenant acme, limits.requests_per_minute: must be a whole number"),
        ("cache", {"lists.list": -1}, "tenant acme, cache.lists.list: must be at least 0"),
        ("cache", {"lists.lst": 1}, "tenant acme, cache: there is no read 'lists.lst'; did you mean 'lists.list'?"),
        ("keys.id", "a b", "tenant acme, key number 1, id: has characters that it may not have"),
        ("keys.sha256", "hunter2", "tenant acme, key web, sha256: has characters that it may not have"),
        ("keys.scopes", ["all"], "tenant acme, key web, scopes.0: must be 'read', 'write', 'draft', 'send', 'manage' or 'webhooks'"),
        ("keys.requests_per_minute", 0, "tenant acme, key web, requests_per_minute: must be at least 1"),
        ("keys.expires_at", "soon", "tenant acme, key web, expires_at: must be a time like 2030-01-31T00:00:00Z"),
        ("keys.networks", ["10.0.0.1/8"], "tenant acme, key web, networks.0: must be a network like 10.0.0.0/8, without host bits"),
        ("upstream.base_url", "http://169.254.169.254/", "tenant acme, upstream.base_url: the address is not allowed (link-local, metadata, multicast or unspecified)"),
    ],
)  # fmt: skip
def test_every_broken_field_of_a_tenants_file_is_one_line(
    tmp_path: Path, field: str, value: object, expected: str
) -> None:
    document = yaml.safe_load(yaml.safe_dump(TENANT))
    *path, last = field.split(".")
    place = document
    for step in path:
        place = place[step]
    (place[0] if isinstance(place, list) else place)[last] = value
    file = tmp_path / "tenants.yaml"
    file.write_text(yaml.safe_dump({"tenants": [document]}), encoding="utf-8")
    (line,) = checked("--tenants", str(file))
    assert line == f"{file}: {expected}"
    assert "hunter2" not in line


def test_what_stands_twice_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tenants.yaml"
    file.write_text(yaml.safe_dump({"tenants": [TENANT, TENANT]}), encoding="utf-8")
    assert checked("--tenants", str(file)) == [
        f"{file}: tenant acme: two tenants share an id",
        f"{file}: tenant acme, key web: the same key stands twice; it is also tenant acme, key web",
    ]
