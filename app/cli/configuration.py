"""Reading the settings strictly: what is unknown or wrong is one line each, without secrets."""

import difflib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from app.settings import Settings
from app.texts import reason_of

PREFIX = "UMAIL_GATEWAY_"
ENV_FILE = Path(".env")
_EXAMPLES: Mapping[str, str] = {
    "state_url": "redis://valkey:6379/0",
    "database_url": "postgresql://gateway:…@db/gateway",
    "master_key": "what `umail-gateway keys generate-master` prints",
    "master_key_file": "/run/secrets/master.key",
    "admin_token": "32 or more random characters",
    "jwt_issuer": "https://idp.example/",
    "jwt_audience": "umail-gateway",
    "jwt_jwks_url": "https://idp.example/jwks.json",
    "trusted_proxies": "10.0.0.0/8",
    "root_path": "/umail",
    "cors_origins": "https://app.example.com",
    "otlp_endpoint": "http://collector:4318",
    "otlp_headers": "authorization=Bearer%20…",
    "allowed_upstreams": "169.254.10.0/24",
    "refused_upstreams": "10.1.0.0/16",
    "cache_lifetimes": '{"lists.list": 5, "*": 60}',
    "smtp_ca_file": "/etc/ssl/relay.pem",
}
_ORCHESTRATED = re.compile(r"(?:SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(?:TCP|UDP)\w*)")
"""What Kubernetes sets for a Service of this name."""
_LOGIN = re.compile(r"//[^/@\s]*@")
_LONGEST = 80


class SettingsRefused(Exception):
    """The settings cannot be used; `lines` says why, one line each."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def read_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings, from the environment and `.env`, with what the command line says in front.

    Raises:
        SettingsRefused: a setting is unknown, or has a value that it cannot have.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    found = dict(_given())
    lines = [_unknown_line(name) for name in found if not _is_setting(name)]
    settings: Settings | None = None
    try:
        settings = Settings(_env_file=ENV_FILE, **given)
    except ValidationError as error:
        details = error.errors(include_context=True, include_url=False)
        lines += [_line(each, {**found, **_prefixed(given)}) for each in details]
    except SettingsError as error:
        lines.append(_unparsed(str(error), found))
    if settings is not None:
        lines += [_operation_line(name) for name in unknown_operations(settings.cache_lifetimes)]
    if settings is None or lines:
        raise SettingsRefused(lines)
    return settings


def source_of(name: str) -> str:
    """Return where a setting's value comes from."""
    variable = f"{PREFIX}{name.upper()}"
    if variable in {each.upper() for each in os.environ}:
        return "environment"
    return str(ENV_FILE) if variable in {each.upper() for each in _dotenv()} else "default"


def shown_setting(settings: Settings, name: str) -> str:
    """Return a setting's value as it may be shown: secrets masked, and logins in URLs."""
    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        return _masked(value.get_secret_value()) if name in {"state_url", "database_url"} else "********"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value)
    return "" if value is None else _masked(str(value))


def unknown_operations(lifetimes: Iterable[str]) -> list[str]:
    """Return the names that are no read of the gateway's."""
    return [name for name in lifetimes if name != "*" and name not in _reads()]


def nearest_operation(name: str) -> str:
    """Return the read whose name is most like another."""
    return _nearest(name, _reads())


def _reads() -> list[str]:
    from app.doctor.diagnosis import PLAN  # noqa: PLC0415 - loads every operation, which few commands need

    return [check.operation.name for check in PLAN]


def _given() -> Iterator[tuple[str, str]]:
    """Yield every variable that is meant for the gateway, by its full name in upper case."""
    for name, value in _dotenv().items():
        upper = name.upper()
        if upper.startswith(PREFIX) or upper.lower() in Settings.model_fields:
            yield upper, value or ""
    for name, value in os.environ.items():
        upper = name.upper()
        if upper.startswith(PREFIX) and not _ORCHESTRATED.fullmatch(upper.removeprefix(PREFIX)):
            yield upper, value


def _is_setting(variable: str) -> bool:
    return variable.startswith(PREFIX) and variable.removeprefix(PREFIX).lower() in Settings.model_fields


def _dotenv() -> Mapping[str, str | None]:
    return dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}


def _prefixed(given: Mapping[str, Any]) -> dict[str, str]:
    return {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}


def _unknown_line(name: str) -> str:
    near = _nearest(name.removeprefix(PREFIX).lower(), list(Settings.model_fields))
    return f"{name}: there is no such setting; did you mean {PREFIX}{near.upper()}?"


def _operation_line(name: str) -> str:
    return (
        f"{PREFIX}CACHE_LIFETIMES: there is no read {name!r}; did you mean {nearest_operation(name)!r}?"
        f" (for example {_EXAMPLES['cache_lifetimes']})"
    )


def _nearest(name: str, names: list[str]) -> str:
    plain = name.replace("_", "")
    return max(names, key=lambda each: difflib.SequenceMatcher(None, plain, each.replace("_", "")).ratio())


def _line(error: ErrorDetails, given: Mapping[str, str]) -> str:
    if not error["loc"]:
        return f"{PREFIX}{reason_of(error)}"
    name = str(error["loc"][0])
    variable = f"{PREFIX}{name.upper()}"
    shown = "" if _is_secret(name) or variable not in given else f"={_masked(given[variable])!r}"
    within = "".join(f" {part}:" for part in error["loc"][1:] if isinstance(part, str) and part != "[key]")
    return f"{variable}{shown}:{within} {reason_of(error)} (for example {_example(name)})"


def _unparsed(text: str, given: Mapping[str, str]) -> str:
    name = next((each for each in Settings.model_fields if f'"{each}"' in text), "")
    variable = f"{PREFIX}{name.upper()}"
    return f"{variable}={_masked(given.get(variable, ''))!r}: must be JSON (for example {_example(name)})"


def _example(name: str) -> str:
    default = Settings.model_fields[name].default
    return _EXAMPLES.get(name) or str(default.get_secret_value() if isinstance(default, SecretStr) else default)


def _is_secret(name: str) -> bool:
    return "SecretStr" in str(Settings.model_fields[name].annotation)


def _masked(value: str) -> str:
    shown = _LOGIN.sub("//***@", value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
