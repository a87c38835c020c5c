"""Settings: documented, and refused when they make no sense."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings
from app.tenants.vault import generate_master_key

README = Path(__file__).parents[1] / "README.md"


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TENANTS_URL", "databases"),
        ("STATE_URL", "memcached://127.0.0.1"),
        ("DATABASE_URL", "mysql://127.0.0.1/x"),
        ("MASTER_KEY", "c2hvcnQ="),
        ("MASTER_KEY", ","),
        ("MASTER_KEY_FILE", "/nowhere"),
        ("MASTER_KEY_FILE", str(README)),
        ("MASTER_KEY_FILE", "/dev/null"),
        ("ADMIN_TOKEN", "short"),
        ("CACHE_BYTES", "-1"),
        ("UPSTREAM_TIMEZONE", "Mars/Olympus"),
        ("PORT", "70000"),
        ("WRITE_TIMEOUT", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("FORWARDED_HEADER", "x-real-ip"),
        ("ALLOWED_UPSTREAMS", "platform.example"),
        ("REFUSED_UPSTREAMS", "10.0.0.0/33"),
        ("AUDIT_LOG", "audit.log"),
        ("JWT_ALGORITHMS", "RS256,none"),
        ("JWT_ALGORITHMS", "HS256"),
        ("JWT_ALGORITHMS", ""),
        ("JWT_JWKS_URL", "http://idp.example/keys"),
        ("JWT_JWKS_URL", "file:///etc/keys"),
        ("METRICS_TENANTS", "-1"),
        ("OTLP_ENDPOINT", "collector:4318"),
        ("OTLP_ENDPOINT", "http://user:password@collector.example"),
        ("OTLP_ENDPOINT", "http://collector.example/?token=x"),
        ("OTLP_HEADERS", "authorization"),
        ("OTLP_HEADERS", "x token=y"),
        ("OTLP_HEADERS", "x-token=a%0Ab"),
        ("TRACE_SAMPLING", "1.1"),
        ("CORS_ORIGINS", ""),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "https://app.example.com/"),
        ("CORS_ORIGINS", "https://app.example.com/path"),
        ("CORS_ORIGINS", "https://user@app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com,*"),
        ("CORS_ORIGINS", "https://app.example.com,"),
        ("CORS_ORIGINS", "https://App.example.com"),
        ("CORS_ORIGINS", "https://app.example.com:443"),
        ("CORS_ORIGINS", "http://app.example.com:80"),
        ("CORS_ORIGINS", "app.example.com"),
    ],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("UMAIL_GATEWAY_TENANTS_URL", "file:x")
    monkeypatch.setenv(f"UMAIL_GATEWAY_{name}", value)
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None)
    assert caught.value.errors()[0]["loc"][0] == name.lower()


def test_master_keys_come_from_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{generate_master_key()}\n{generate_master_key()}\n", encoding="ascii")
    monkeypatch.setenv("UMAIL_GATEWAY_MASTER_KEY_FILE", str(path))
    monkeypatch.setenv("UMAIL_GATEWAY_STATE_URL", "redis://127.0.0.1")
    assert Settings(_env_file=None).master_key_file == path
    monkeypatch.setenv("UMAIL_GATEWAY_MASTER_KEY", generate_master_key())
    with pytest.raises(ValidationError, match="both set"):
        Settings(_env_file=None)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("CORS_ORIGINS", "*", "*"),
        ("CORS_ORIGINS", "https://a.example,http://[::1]:3000,http://localhost:8080", None),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1"))),
        ("AUDIT_LOG", "/var/log/audit.jsonl", None),
        ("JWT_ALGORITHMS", "EdDSA", None),
    ],
)
def test_lists_are_written_with_commas(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: object
) -> None:
    monkeypatch.setenv(f"UMAIL_GATEWAY_{name}", value)
    settings = Settings(tenants_url="file:x", _env_file=None)
    assert getattr(settings, name.lower()) == (expected or value)


def test_tokens_need_all_of_their_settings() -> None:
    with pytest.raises(ValidationError, match="needed together"):
        Settings(tenants_url="file:x", jwt_issuer="https://idp.example/", _env_file=None)
