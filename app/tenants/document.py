"""Reading a tenants file: YAML, with variables of the environment and files of passwords put in."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from app.tenants.models import Tenant
from app.texts import reason_of

if TYPE_CHECKING:
    _SAFE = yaml.SafeLoader
else:
    _SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_FAULTS = 20
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MARK = "\ue000"
_MARKED = re.compile("\ue000([A-Za-z0-9_]+)\ue001")


_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError)
"""What YAML's own conversions raise for an impossible date or number, a NUL in a path, or a structure without end."""


class TenantsFileError(Exception):
    """The tenants file cannot be used; the text says where and why and holds no value from the file."""


@dataclass(frozen=True, slots=True)
class LoadedTenants:
    """What a tenants file says, which of it is new, and every file that was read for it."""

    tenants: tuple[Tenant, ...]
    changed: tuple[Tenant, ...]
    files: tuple[Path, ...]


class TenantsFile:
    """Reads a tenants file again and again; tenants that have not changed stay the same objects.

    `${NAME}` in any text is replaced from the environment, and `password_file: PATH`, relative to the file, may stand
    wherever `password` may.
    """

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._secret = secrets.token_bytes(16)
        self._known: dict[bytes, Tenant] = {}
        self._parts: dict[Any, Any] = {}

    def load(self) -> LoadedTenants:
        """Read and check the file.

        Raises:
            TenantsFileError: it is missing, not YAML, or not what `helm/README.md` describes; one line for each fault.
        """
        resolver = _Resolver(self._path.parent, self._environment)
        try:
            # `${NAME}` is no YAML inside braces, and a value put in before parsing could change the document: so the
            # variables are marked first and put in afterwards.
            marked = _VARIABLE.sub("\ue000\\1\ue001", self._path.read_text(encoding="utf-8"))
            return self._checked(_StrictLoader(marked).document(resolver), resolver)
        except OSError as error:
            raise TenantsFileError(f"cannot read {error.filename}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise TenantsFileError(f"{self._path} or a password file it names is not UTF-8") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            raise TenantsFileError(f"{self._path} is not valid YAML{where}") from None
        except _UNREADABLE as error:
            # Their own texts quote the file.
            reason = f"{self._path} holds a value that cannot be read ({type(error).__name__})"
            raise TenantsFileError(reason) from None

    def _checked(self, document: Any, resolver: "_Resolver") -> LoadedTenants:
        if not isinstance(document, dict) or not isinstance(document.get("tenants"), list):
            raise TenantsFileError(f"{self._path}: the document must be a mapping with a list `tenants`")
        faults = [f"{name}: is not a field that there is" for name in document if name != "tenants"]
        known: dict[bytes, Tenant] = {}
        tenants, changed = [], []
        for number, raw in enumerate(document["tenants"], 1):
            digest = blake2b(repr(raw).encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).digest()
            tenant = self._known.get(digest)
            if tenant is None:
                try:
                    tenant = self._slim(Tenant.model_validate(raw))
                except ValidationError as error:
                    faults += [_fault(raw, number, each) for each in error.errors(include_url=False)]
                    continue
                changed.append(tenant)
            known[digest] = tenant
            tenants.append(tenant)
        faults += _doubled(tenants)
        while document["tenants"]:
            document["tenants"].pop()
        if faults:
            raise TenantsFileError("\n".join(f"{self._path}: {fault}" for fault in faults[:_MOST_FAULTS]))
        self._known = known
        return LoadedTenants(tuple(tenants), tuple(changed), (self._path, *resolver.files))

    def _slim(self, tenant: Tenant) -> Tenant:
        """Let tenants share what is the same in many of them."""
        parts = {"limits": tenant.limits, "sends": tenant.sends, "events": tenant.events}
        return tenant.model_copy(update={name: self._parts.setdefault(part, part) for name, part in parts.items()})


def load_tenants(path: Path, environment: Mapping[str, str]) -> LoadedTenants:
    """Read and check a tenants file once."""
    return TenantsFile(path, environment).load()


def tenants_schema() -> dict[str, Any]:
    """Return the JSON Schema of a tenants file."""
    schema: dict[str, Any] = TypeAdapter(dict[Literal["tenants"], list[Tenant]]).json_schema()
    definitions = schema.pop("$defs")
    for definition in definitions.values():
        fields = definition.get("properties", {})
        if "password" in fields:
            fields["password_file"] = {"type": "string", "description": "File with the password, instead of it."}
            definition["required"] = [name for name in definition.get("required", ()) if name != "password"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tenants of umail-gateway",
        "type": "object",
        "properties": {"tenants": {"type": "array", "items": {"$ref": "#/$defs/Tenant"}}},
        "required": ["tenants"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _fault(raw: Any, number: int, error: ErrorDetails) -> str:
    """Say where a fault is, by ids instead of positions."""
    steps = list(error["loc"])
    where = [f"tenant {_named(raw, number)}"]
    if len(steps) >= 2 and steps[0] == "keys" and isinstance(steps[1], int):
        where.append(f"key {_named(raw['keys'][steps[1]], steps[1] + 1)}")
        steps = steps[2:]
    if steps:
        where.append(".".join(str(step) for step in steps if step != "[key]"))
    return f"{', '.join(where)}: {reason_of(error)}"


def _named(raw: Any, number: int) -> str:
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and _IDENTIFIER.fullmatch(found) else f"number {number}"


def _doubled(tenants: Iterable[Tenant]) -> list[str]:
    faults, ids, hashes = [], set(), dict[str, str]()
    for tenant in tenants:
        if tenant.id in ids:
            faults.append(f"tenant {tenant.id}: two tenants share an id")
        ids.add(tenant.id)
        for key in tenant.keys:
            here = f"tenant {tenant.id}, key {key.id}"
            if key.sha256 in hashes:
                faults.append(f"{here}: the same key stands twice; it is also {hashes[key.sha256]}")
            hashes[key.sha256] = here
    return faults


class _StrictLoader(_SAFE):
    """Refuses a key that stands twice, of which YAML would take the last, and puts variables and passwords in.

    Texts, lists and mappings are built here, in a third of the time that the library takes; all else is its own.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._built: dict[int, Any] = {}
        self._texts: dict[str, str] = {}
        self._resolver: _Resolver | None = None

    def descend_resolver(self, *_position: Any) -> None:
        """Do nothing: no tags depend on where they stand."""

    ascend_resolver = descend_resolver

    def document(self, resolver: "_Resolver") -> Any:
        self._resolver = resolver
        node = self.get_single_node()
        built = None if node is None else self._build(node)
        self._built.clear()
        _dismantle(node)
        return built

    def _build(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            value = node.value if node.tag == _TEXT else self.construct_object(node)
            return self._text(value) if isinstance(value, str) else value
        known = self._built.get(id(node))
        if known is not None:
            return known
        if isinstance(node, yaml.SequenceNode):
            items = self._built[id(node)] = []
            items.extend(map(self._build, node.value))
            return items
        fields = self._built[id(node)] = {}
        if any(key.tag == _MERGE for key, _ in node.value):
            self.flatten_mapping(cast("yaml.MappingNode", node))
        for key, value in node.value:
            name = self._build(key)
            if name in fields:
                raise yaml.MarkedYAMLError(problem="a key stands twice", problem_mark=node.start_mark)
            fields[name] = self._build(value)
        if self._resolver and "password_file" in fields and "password" not in fields:
            fields["password"] = self._resolver.secret(str(fields.pop("password_file")))
        return fields

    def _text(self, value: str) -> str:
        # A copy, equal ones together: the parser's own would keep all the memory around them from being given back.
        known = self._texts.get(value)
        if known is None:
            known = value.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")
            self._texts[known] = known
        return self._resolver.text(known) if self._resolver else known


def _dismantle(node: yaml.Node | None) -> None:
    """Free a large tree step by step: freed in one go it would hold up all other threads."""
    for _, value in node.value if isinstance(node, yaml.MappingNode) else ():
        while isinstance(value, yaml.SequenceNode) and value.value:
            value.value.pop()


class _Resolver:
    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.files: list[Path] = []

    def text(self, value: str) -> str:
        return _MARKED.sub(lambda match: self._variable(match[1]), value) if _MARK in value else value

    def secret(self, name: str) -> str:
        path = self._folder / name
        self.files.append(path)
        return path.read_text(encoding="utf-8").rstrip("\r\n")

    def _variable(self, name: str) -> str:
        try:
            return self._environment[name]
        except KeyError:
            raise TenantsFileError(f"the environment has no variable {name}") from None
