"""Settings: documented, and refused when they make no sense."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_the_readme_with_its_default(name: str) -> None:
    field = Settings.model_fields[name]
    assert field.description
    default = "(needed)" if field.is_required() else "" if field.default is None else f"`{field.default}`"
    row = f"| `{name.upper()}` | {default} | {field.description} |"
    assert row in README.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TENANTS_URL", "database"),
        ("STATE_URL", "redis://127.0.0.1"),
        ("UPSTREAM_TIMEZONE", "Mars/Olympus"),
        ("PORT", "70000"),
        ("WRITE_TIMEOUT", "0"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("UMAIL_GATEWAY_TENANTS_URL", "file:x")
    monkeypatch.setenv(f"UMAIL_GATEWAY_{name}", value)
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None)
    assert caught.value.errors()[0]["loc"] == (name.lower(),)
