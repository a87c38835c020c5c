"""Reading a tenants file: YAML, with variables of the environment and files of passwords put in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from app.tenants.models import Tenant

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MARKED = re.compile("\ue000([A-Za-z0-9_]+)\ue001")


_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
"""What YAML's own conversions raise for an impossible date or number, a NUL in a path, or a structure without end."""


class TenantsFileError(Exception):
    """The tenants file cannot be used; the text says where and why and holds no value from the file."""


@dataclass(frozen=True, slots=True)
class LoadedTenants:
    """What a tenants file says, and every file that was read for it."""

    tenants: tuple[Tenant, ...]
    files: tuple[Path, ...]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tenants: tuple[Tenant, ...]

    @model_validator(mode="after")
    def _unique(self) -> "_Document":
        ids = [tenant.id for tenant in self.tenants]
        if len(ids) != len(set(ids)):
            raise ValueError("two tenants share an id")
        hashes = [key.sha256 for tenant in self.tenants for key in tenant.keys]
        if len(hashes) != len(set(hashes)):
            raise ValueError("the same key stands twice")
        return self


def load_tenants(path: Path, environment: Mapping[str, str]) -> LoadedTenants:
    """Read and check a tenants file.

    Raises:
        TenantsFileError: the file is missing, not YAML, or not what the README describes.
    """
    resolver = _Resolver(path.parent, environment)
    try:
        # `${NAME}` is no YAML inside braces, and a value put in before parsing could change the document: so the
        # variables are marked first and put in afterwards.
        marked = _VARIABLE.sub("\ue000\\1\ue001", path.read_text(encoding="utf-8"))
        tenants = _checked(resolver.resolve(yaml.load(marked, _StrictLoader)), path)  # noqa: S506 - a SafeLoader
        return LoadedTenants(tenants, (path, *resolver.files))
    except OSError as error:
        raise TenantsFileError(f"cannot read {error.filename}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TenantsFileError(f"{path} or a password file it names is not UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise TenantsFileError(f"{path} is not valid YAML{where}") from None
    except _UNREADABLE as error:
        # Their own texts quote the file.
        raise TenantsFileError(f"{path} holds a value that cannot be read ({type(error).__name__})") from None


def _checked(document: Any, path: Path) -> tuple[Tenant, ...]:
    try:
        return _Document.model_validate(document).tenants
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise TenantsFileError(f"{path}: {where}: {first['msg']}") from None


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(keys) != len(set(keys)):
            raise yaml.MarkedYAMLError(problem="a key stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


class _Resolver:
    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.files: list[Path] = []

    def resolve(self, node: Any) -> Any:
        if isinstance(node, dict):
            resolved = {key: self.resolve(value) for key, value in node.items()}
            if "password_file" in resolved and "password" not in resolved:
                resolved["password"] = self._secret(str(resolved.pop("password_file")))
            return resolved
        if isinstance(node, list):
            return [self.resolve(value) for value in node]
        return _MARKED.sub(lambda match: self._variable(match[1]), node) if isinstance(node, str) else node

    def _secret(self, name: str) -> str:
        path = self._folder / name
        self.files.append(path)
        return path.read_text(encoding="utf-8").rstrip("\r\n")

    def _variable(self, name: str) -> str:
        try:
            return self._environment[name]
        except KeyError:
            raise TenantsFileError(f"the environment has no variable {name}") from None
