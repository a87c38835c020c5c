"""What the values of settings may be; each says what is wrong with one, and never the value."""

import re
import ssl
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, IPvAnyNetwork, SecretStr
from pydantic_settings import NoDecode

from app.tenants.models import is_loopback
from app.tenants.vault import MasterKeys
from app.texts import root_path

IN_MEMORY = "memory://"
IN_DATABASE = "database"
_SHARED = ("redis://", "rediss://", "unix://")
_DATABASES = ("sqlite:///", "postgresql://")
_ORIGIN = re.compile(
    r"(?:http(?!.*:80$)|https(?!.*:443$))://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?"
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VISIBLE = re.compile(r"[\x20-\x7e]+")
_ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a time zone of the IANA database") from None
    return value


def _tenants_url(value: str) -> str:
    if value != IN_DATABASE and not value.startswith("file:"):
        raise ValueError("must be database, or file:/path/to/tenants.yaml")
    return value


def _state_url(value: SecretStr) -> SecretStr:
    if value.get_secret_value() != IN_MEMORY and not value.get_secret_value().startswith(_SHARED):
        raise ValueError("must be memory://, redis://…, rediss://… or unix://…")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(_DATABASES):
        raise ValueError("must be sqlite:///path or postgresql://…")
    return value


def _master_key(value: SecretStr) -> SecretStr:
    MasterKeys.parse(value.get_secret_value())
    return value


def _master_key_file(value: Path) -> Path:
    try:
        MasterKeys.parse(value.read_text(encoding="ascii"))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("must hold keys in base64") from None
    return value


def _ca_file(value: Path) -> Path:
    try:
        ssl.create_default_context(cafile=value)
    except ssl.SSLError:
        raise ValueError("is not a PEM file of certificates") from None
    return value


def _origins(value: str) -> str:
    if value != "*" and not all(_ORIGIN.fullmatch(origin) for origin in value.split(",")):
        raise ValueError("must be exact origins like https://app.example.com, with commas between, or * alone")
    return value


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _audit_log(value: str) -> str:
    if value not in {"stdout", "off"} and not Path(value).is_absolute():
        raise ValueError("must be stdout, off or the absolute path of a file")
    return value


def _jwks_url(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))):
        raise ValueError("must be an https URL, or an http one of this machine: the keys decide who comes in")
    return value


def _algorithms(value: str) -> str:
    if not value or any(name not in _ASYMMETRIC for name in value.split(",")):
        raise ValueError(f"must be some of {', '.join(_ASYMMETRIC)}, with commas between")
    return value


def _otlp_endpoint(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an absolute http or https URL")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must not carry credentials, a query or a fragment; OTLP_HEADERS is for credentials")
    return value


def _otlp_headers(value: SecretStr) -> SecretStr:
    fields = header_fields(value.get_secret_value())
    if not all(_TOKEN.fullmatch(name) and _VISIBLE.fullmatch(text) for name, text in fields.items()):
        raise ValueError("must be headers like name=value, with commas between and values encoded as in URLs")
    return value


def header_fields(text: str) -> dict[str, str]:
    """Read headers written as OpenTelemetry does: `name=value`, with commas between and values encoded as in URLs."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


TimeZone = Annotated[str, AfterValidator(_zone)]
TenantsUrl = Annotated[str, AfterValidator(_tenants_url)]
StateUrl = Annotated[SecretStr, AfterValidator(_state_url)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
MasterKeyText = Annotated[SecretStr, AfterValidator(_master_key)]
MasterKeyFile = Annotated[Path, AfterValidator(_master_key_file)]
CertificatesFile = Annotated[FilePath, AfterValidator(_ca_file)]
RootPath = Annotated[str, AfterValidator(root_path)]
Origins = Annotated[str, AfterValidator(_origins)]
AuditTarget = Annotated[str, AfterValidator(_audit_log)]
OtlpEndpoint = Annotated[str, AfterValidator(_otlp_endpoint)]
OtlpHeaders = Annotated[SecretStr, AfterValidator(_otlp_headers)]
JwksUrl = Annotated[str, AfterValidator(_jwks_url)]
Algorithms = Annotated[str, AfterValidator(_algorithms)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_listed)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Bytes = Annotated[int, Field(ge=1024)]
